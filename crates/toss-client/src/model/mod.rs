//! What Toss answers. All fields but a payment's key ones are optional, all enums are open, and
//! what is not known stays in `extra`, so that nothing Toss adds can lose a charge.

pub(crate) mod books;
#[cfg(feature = "brandpay")]
pub(crate) mod brandpay;
pub(crate) mod cancel;
pub(crate) mod card;
pub(crate) mod extra;
pub(crate) mod fields;
pub(crate) mod method;
pub(crate) mod page;
pub(crate) mod payment;
#[cfg(feature = "payouts")]
pub(crate) mod payout;
pub(crate) mod spelled;
pub(crate) mod status;
pub(crate) mod transaction;
pub(crate) mod virtual_account;
