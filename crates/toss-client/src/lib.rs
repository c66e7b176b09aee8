#![doc = include_str!("../README.md")]

mod amount;
mod answer;
mod classify;
mod client;
mod endpoint;
mod error;
mod idempotency;
mod key;
mod model;
mod request;
mod sensitive;
mod time;
mod transport;

pub use answer::{Answer, RawBody};
pub use classify::{ErrorClass, ErrorRow, classify, error_table};
pub use client::{BuildError, Language, TossClient, TossClientBuilder};
pub use endpoint::Endpoint;
pub use error::{Cause, Error, ErrorCode, Rejection, UnknownReason};
pub use idempotency::{IdempotencyKey, InvalidIdempotencyKey};
pub use key::{InvalidSecretKey, KeyKind, SecretKey};
pub use model::cancel::{Cancel, CancelStatus};
pub use model::card::{AcquireStatus, Card, CardType, InterestPayer, OwnerType};
pub use model::extra::Extra;
pub use model::fields::DecodeError;
pub use model::method::{
    EasyPay, EasyPayDetail, GiftCertificate, Method, MobilePhone, SettlementStatus, Transfer,
};
pub use model::payment::{Discount, Failure, Link, Payment, PaymentCashReceipt, PaymentType};
pub use model::spelled::{Spelled, Vocabulary};
pub use model::status::PaymentStatus;
pub use model::transaction::Transaction;
pub use model::virtual_account::{AccountType, RefundAccount, RefundStatus, VirtualAccount};
pub use request::{CancelRequest, ConfirmRequest, RefundReceiveAccount, TransactionQuery};
pub use sensitive::Sensitive;
pub use time::Timestamp;

/// The largest answer body that is read, in bytes (1 MiB). A Payment has a few kilobytes; ask for
/// at most about 1,000 transactions a page. What is larger ends in [`Error::Undecodable`], never
/// in unbounded memory.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The most of a body that an [`Error`] keeps, in bytes (16 KiB): enough for a proxy's page.
pub const ERROR_BODY_BYTES_MAX: usize = 16 * 1024;
