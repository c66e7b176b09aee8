#![doc = include_str!("../README.md")]

pub mod model;
mod port;
mod receiver;
#[cfg(any(test, feature = "testing"))]
#[expect(
    clippy::expect_used,
    reason = "fixtures and contract suites fail by panicking"
)]
pub mod testing;
mod usecase;

#[cfg(any(test, feature = "testing"))]
pub use port::MockProductRepository;
pub use port::{AdjustOutcome, Adjustment, HoldOutcome, ProductRepository};
#[cfg(any(test, feature = "testing"))]
pub use receiver::MockProductReceiver;
pub use receiver::{AdjustError, CreateError, ProductReceiver, UpdateError};
pub use usecase::ProductService;
