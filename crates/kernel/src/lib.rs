#![doc = include_str!("../README.md")]

mod clock;
mod id;
mod money;
mod random;
mod store;

pub use clock::{Clock, SystemClock, Timestamp, from_micros, micros};
pub use id::{
    Fence, IdempotencyKey, InvalidId, OrderId, PaymentKey, ProductId, Quantity, SellerId, UserId,
};
pub use money::{InvalidMoney, Money};
pub use random::{IdGenerator, Randomness, SystemIds, SystemRandomness};
pub use store::StoreError;
