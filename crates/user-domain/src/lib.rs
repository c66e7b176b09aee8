#![doc = include_str!("../README.md")]

mod model;
mod port;
mod receiver;
#[cfg(any(test, feature = "testing"))]
#[expect(
    clippy::expect_used,
    reason = "fixtures and contract suites fail by panicking"
)]
pub mod testing;

pub use model::{InvalidUser, User, UserProfile};
#[cfg(any(test, feature = "testing"))]
pub use port::MockUserRepository;
pub use port::UserRepository;
#[cfg(any(test, feature = "testing"))]
pub use receiver::MockUserReceiver;
pub use receiver::{PutError, UserReceiver, UserService};
