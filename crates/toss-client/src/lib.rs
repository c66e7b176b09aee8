#![doc = include_str!("../README.md")]

mod amount;
mod answer;
mod body;
mod classify;
mod client;
mod difference;
mod endpoint;
mod error;
mod fingerprint;
mod idempotency;
mod key;
mod limit;
mod model;
mod observe;
mod request;
mod retry;
mod runtime;
mod sensitive;
mod time;
mod transport;

#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "payouts")]
mod jwe;
#[cfg(any(feature = "payouts", feature = "webhooks"))]
mod security_key;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "webhooks")]
pub mod webhook;

pub use answer::{Answer, RawBody};
pub use classify::{ErrorClass, ErrorRow, classify, error_row, error_table};
pub use client::{
    BuildError, CancelResolution, Language, Resolution, TossClient, TossClientBuilder,
};
pub use difference::Difference;
pub use endpoint::Endpoint;
pub use error::{Cause, Error, ErrorCode, Rejection, UnknownReason};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use idempotency::{IdempotencyKey, InvalidIdempotencyKey};
pub use key::{ClientKey, InvalidClientKey, InvalidSecretKey, KeyKind, SecretKey};
pub use limit::RateLimit;
pub use model::books::{
    Acknowledged, BillingKey, CashReceipt, IssueStatus, Promotions, Settlement, SettlementFee,
};
#[cfg(feature = "brandpay")]
pub use model::brandpay::{AccessToken, BrandpayMethods, BrandpayTerm};
pub use model::cancel::{Cancel, CancelStatus};
pub use model::card::{AcquireStatus, Card, CardType, InterestPayer, OwnerType};
pub use model::extra::Extra;
pub use model::fields::DecodeError;
pub use model::method::{
    EasyPay, EasyPayDetail, GiftCertificate, Method, MobilePhone, SettlementStatus, Transfer,
};
pub use model::page::Page;
pub use model::payment::{Discount, Failure, Link, Payment, PaymentCashReceipt, PaymentType};
#[cfg(feature = "payouts")]
pub use model::payout::{Balances, Payout, PayoutStatus, Seller, SellerStatus};
pub use model::spelled::{Spelled, Vocabulary};
pub use model::status::PaymentStatus;
pub use model::transaction::Transaction;
pub use model::virtual_account::{AccountType, RefundAccount, RefundStatus, VirtualAccount};
pub use observe::{Attempt, Observer};
pub use request::ConfirmRequest;
pub use request::billing::{
    BillingKeyRequest, BillingRequest, CardBillingKeyRequest, CardNumbers, KeyInRequest,
};
pub use request::books::{
    CashReceiptQuery, CashReceiptRequest, CashReceiptType, SettlementDate, SettlementQuery,
    TransactionQuery,
};
#[cfg(feature = "brandpay")]
pub use request::brandpay::{BrandpayPaymentRequest, CustomerIdentity, TokenRequest};
pub use request::cancel::{CancelRequest, RefundReceiveAccount};
#[cfg(feature = "payouts")]
pub use request::payout::{BusinessType, PayoutRequest, SellerRequest};
pub use request::virtual_account::{EscrowProduct, VirtualAccountRequest};
pub use retry::RetryPolicy;
#[cfg(feature = "rustls")]
pub use runtime::TokioRuntime;
pub use runtime::{BoxFuture, Runtime};
#[cfg(any(feature = "payouts", feature = "webhooks"))]
pub use security_key::{InvalidSecurityKey, SecurityKey};
pub use sensitive::Sensitive;
pub use time::Timestamp;
pub use transport::{HttpReply, HttpRequest, Transport, TransportError};

/// The largest answer body that is read, in bytes (1 MiB). A Payment has a few kilobytes; ask for
/// at most about 1,000 transactions a page. What is larger ends in [`Error::Undecodable`], never
/// in unbounded memory.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The most of a body that an [`Error`] keeps, in bytes (16 KiB): enough for a proxy's page.
pub const ERROR_BODY_BYTES_MAX: usize = 16 * 1024;
