//! The events.

use serde_json::{Map, Value};

use crate::{Extra, Payment, PaymentStatus, Sensitive, Timestamp, model::page::entity};

/// What happened. Unknown kinds, and known ones of an unexpected shape, are kept as
/// [`Other`](Self::Other).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// `PAYMENT_STATUS_CHANGED`: a payment has another status; not sent for billing.
    PaymentStatusChanged(Box<Payment>),
    /// `DEPOSIT_CALLBACK`: money came into a virtual account, or was taken back.
    DepositCallback(DepositCallback),
    /// `CANCEL_STATUS_CHANGED`: an asynchronous overseas cancel went on; a cancel's fields.
    CancelStatusChanged(Extra),
    /// `BILLING_DELETED`: a billing key is gone; `billingKey`, `reason`.
    BillingDeleted(Extra),
    /// `METHOD_UPDATED`: a brandpay method changed; `customerKey`, `methodKey`, `status`.
    MethodUpdated(Extra),
    /// `CUSTOMER_STATUS_CHANGED`: a brandpay customer changed; `customerKey`, `status`.
    CustomerStatusChanged(Extra),
    /// `payout.changed`, signed: a payout's fields.
    PayoutChanged(Extra),
    /// `seller.changed`, signed: a seller's fields.
    SellerChanged(Extra),
    /// Any other.
    Other {
        /// Its name; empty if it has none.
        event_type: String,
        /// The whole body.
        fields: Extra,
    },
}

/// Money came into a virtual account, or was taken back.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DepositCallback {
    /// The merchant's order.
    pub order_id: String,
    /// `DONE` when it came; `WAITING_FOR_DEPOSIT` or, in version 1.4, `CANCELED` when Toss took
    /// it back.
    pub status: PaymentStatus,
    /// What came with the payment's confirm.
    pub secret: Option<Sensitive>,
    /// The deposit.
    pub transaction_key: Option<String>,
    /// When.
    pub created_at: Option<Timestamp>,
}

impl Event {
    pub(super) fn read(fields: Map<String, Value>) -> Self {
        let text = |name| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(event_type) = text("eventType") else {
            return match DepositCallback::read(&fields) {
                Some(callback) => Self::DepositCallback(callback),
                None => Self::other(String::new(), fields),
            };
        };
        let data = fields.get("data").cloned();
        let content = data.unwrap_or_else(|| entity(Value::Object(fields.clone())));
        let Value::Object(content) = content else {
            return Self::other(event_type, fields);
        };
        let content = Extra::new(content);
        match event_type.as_str() {
            "PAYMENT_STATUS_CHANGED" => match content.to_payment() {
                Some(payment) => Self::PaymentStatusChanged(Box::new(payment)),
                None => Self::other(event_type, fields),
            },
            "CANCEL_STATUS_CHANGED" => Self::CancelStatusChanged(content),
            "BILLING_DELETED" => Self::BillingDeleted(content),
            "METHOD_UPDATED" => Self::MethodUpdated(content),
            "CUSTOMER_STATUS_CHANGED" => Self::CustomerStatusChanged(content),
            "payout.changed" => Self::PayoutChanged(content),
            "seller.changed" => Self::SellerChanged(content),
            _ => Self::other(event_type, fields),
        }
    }

    fn other(event_type: String, fields: Map<String, Value>) -> Self {
        let fields = Extra::new(fields);
        Self::Other { event_type, fields }
    }

    /// As Toss spells it; `DEPOSIT_CALLBACK` has no name on the wire.
    pub fn event_type(&self) -> &str {
        match self {
            Self::PaymentStatusChanged(_) => "PAYMENT_STATUS_CHANGED",
            Self::DepositCallback(_) => "DEPOSIT_CALLBACK",
            Self::CancelStatusChanged(_) => "CANCEL_STATUS_CHANGED",
            Self::BillingDeleted(_) => "BILLING_DELETED",
            Self::MethodUpdated(_) => "METHOD_UPDATED",
            Self::CustomerStatusChanged(_) => "CUSTOMER_STATUS_CHANGED",
            Self::PayoutChanged(_) => "payout.changed",
            Self::SellerChanged(_) => "seller.changed",
            Self::Other { event_type, .. } => event_type,
        }
    }

    pub(super) fn payment_key(&self) -> Option<&str> {
        match self {
            Self::PaymentStatusChanged(payment) => Some(&payment.payment_key),
            Self::CancelStatusChanged(fields) => fields.text("paymentKey"),
            Self::Other { fields, .. } => named(fields, "paymentKey"),
            Self::DepositCallback(_)
            | Self::BillingDeleted(_)
            | Self::MethodUpdated(_)
            | Self::CustomerStatusChanged(_)
            | Self::PayoutChanged(_)
            | Self::SellerChanged(_) => None,
        }
    }

    pub(super) fn order_id(&self) -> Option<&str> {
        match self {
            Self::PaymentStatusChanged(payment) => Some(&payment.order_id),
            Self::DepositCallback(callback) => Some(&callback.order_id),
            Self::CancelStatusChanged(fields) => fields.text("orderId"),
            Self::Other { fields, .. } => named(fields, "orderId"),
            Self::BillingDeleted(_)
            | Self::MethodUpdated(_)
            | Self::CustomerStatusChanged(_)
            | Self::PayoutChanged(_)
            | Self::SellerChanged(_) => None,
        }
    }

    pub(super) fn secret(&self) -> Option<&str> {
        match self {
            Self::PaymentStatusChanged(payment) => payment.secret.as_ref().map(Sensitive::expose),
            Self::DepositCallback(callback) => callback.secret.as_ref().map(Sensitive::expose),
            Self::CancelStatusChanged(_)
            | Self::BillingDeleted(_)
            | Self::MethodUpdated(_)
            | Self::CustomerStatusChanged(_)
            | Self::PayoutChanged(_)
            | Self::SellerChanged(_)
            | Self::Other { .. } => None,
        }
    }
}

/// A text of an unknown event: on top, or under `data`.
fn named<'a>(fields: &'a Extra, name: &str) -> Option<&'a str> {
    let inside = || fields.get("data")?.get(name)?.as_str();
    fields.text(name).or_else(inside)
}

impl DepositCallback {
    /// Flat, without a name of its own: known by its order and status.
    fn read(fields: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            order_id: text("orderId")?,
            status: serde_json::from_value(fields.get("status")?.clone()).ok()?,
            secret: text("secret").map(Sensitive::new),
            transaction_key: text("transactionKey"),
            created_at: text("createdAt").map(Timestamp::new),
        })
    }
}
