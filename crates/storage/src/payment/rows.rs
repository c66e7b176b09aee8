//! The payment's own rows, `payment_event`, `payment_order` and `checkout_idempotency`, and back.

use diesel::prelude::*;
use kernel::{
    Fence, Money, OrderId, PaymentKey, ProductId, Quantity, Timestamp, UserId, from_micros, micros,
};
use payment_domain::model::{
    Buyer, Failure, FailureKind, GatewaySecret, Payment, PaymentLine, PaymentStatus, VirtualAccount,
};
use payment_domain::port::{CheckoutKey, Inserted};
use serde::{Deserialize, Serialize};

use super::schema::{checkout_idempotency, payment_event, payment_order};
use crate::error::Fault;

bulk!(
    PaymentRow => payment_event,
    key payment_event::order_id,
    changes [
        balance_amount, status, fence, due_at, attempts, looks, absences, payment_key, method,
        receipt_url, approved_at, virtual_account, gateway_secret, failure_kind,
        failure_product_id, failure_code, failure_message, updated_at,
    ]
);
bulk!(LineRow => payment_order);
bulk!(CheckoutKeyRow => checkout_idempotency);

const DECLINED: &str = "DECLINED";
const STOCK_SHORT: &str = "STOCK_SHORT";

/// The columns that never change.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_event, treat_none_as_default_value = false)]
pub(super) struct PaymentIdentity {
    order_id: String,
    order_name: String,
    user_id: i64,
    customer_key: String,
    total_amount: i64,
    created_at: i64,
    expires_at: i64,
}

/// The columns that one conditional update changes together; `None` is NULL.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = payment_event, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct PaymentState {
    balance_amount: i64,
    status: String,
    fence: i64,
    due_at: Option<i64>,
    attempts: i64,
    looks: i64,
    absences: i64,
    payment_key: Option<String>,
    method: Option<String>,
    receipt_url: Option<String>,
    approved_at: Option<i64>,
    virtual_account: Option<String>,
    gateway_secret: Option<String>,
    failure_kind: Option<String>,
    failure_product_id: Option<i64>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    updated_at: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_event, treat_none_as_default_value = false)]
pub(super) struct PaymentRow {
    #[diesel(embed)]
    identity: PaymentIdentity,
    #[diesel(embed)]
    state: PaymentState,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_order, treat_none_as_default_value = false)]
pub(super) struct LineRow {
    order_id: String,
    line_no: i64,
    product_id: i64,
    name: String,
    quantity: i64,
    unit_price: i64,
    amount: i64,
}

/// Whose order a checkout key made.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = checkout_idempotency, treat_none_as_default_value = false)]
pub(super) struct CheckoutKeyRow {
    user_id: i64,
    idempotency_key: String,
    order_id: String,
    fingerprint: String,
    created_at: i64,
}

/// A virtual account as JSON in its one column; times in microseconds like everywhere.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredAccount {
    bank_code: String,
    account_number: String,
    due_at: Option<i64>,
    customer_name: Option<String>,
}

impl PaymentState {
    pub(super) fn encode(payment: &Payment) -> Result<Self, Fault> {
        let account = payment
            .virtual_account
            .as_ref()
            .map(encode_account)
            .transpose()?;
        let failure = payment.failure.as_ref();
        let (failure_kind, failure_product_id) = match failure.map(|failure| failure.kind) {
            None => (None, None),
            Some(FailureKind::Declined) => (Some(DECLINED.to_owned()), None),
            Some(FailureKind::StockShort(id)) => (Some(STOCK_SHORT.to_owned()), Some(id.get())),
        };
        Ok(Self {
            balance_amount: payment.balance.won(),
            status: payment.status.as_str().to_owned(),
            fence: payment.fence.get(),
            due_at: payment.due_at.map(micros),
            attempts: payment.attempts.into(),
            looks: payment.looks.into(),
            absences: payment.absences.into(),
            payment_key: payment
                .payment_key
                .as_ref()
                .map(|key| key.as_str().to_owned()),
            method: payment.method.clone(),
            receipt_url: payment.receipt_url.clone(),
            approved_at: payment.approved_at.map(micros),
            virtual_account: account,
            gateway_secret: payment
                .gateway_secret
                .as_ref()
                .map(|secret| secret.expose().to_owned()),
            failure_kind,
            failure_product_id,
            failure_code: failure.map(|failure| failure.code.clone()),
            failure_message: failure.map(|failure| failure.message.clone()),
            updated_at: micros(payment.updated_at),
        })
    }

    fn failure(&mut self) -> Result<Option<Failure>, Fault> {
        let Some(kind) = self.failure_kind.take() else {
            return Ok(None);
        };
        let kind = match (kind.as_str(), self.failure_product_id) {
            (DECLINED, _) => FailureKind::Declined,
            (STOCK_SHORT, Some(id)) => FailureKind::StockShort(ProductId::new(id)?),
            (other, _) => return Err(Fault::corrupt(format!("a failure is {other}"))),
        };
        Ok(Some(Failure {
            kind,
            code: self.failure_code.take().unwrap_or_default(),
            message: self.failure_message.take().unwrap_or_default(),
        }))
    }
}

impl PaymentRow {
    pub(super) fn encode(payment: &Payment) -> Result<Self, Fault> {
        let identity = PaymentIdentity {
            order_id: payment.order_id.to_string(),
            order_name: payment.order_name.clone(),
            user_id: payment.buyer.user_id.get(),
            customer_key: payment.buyer.customer_key.clone(),
            total_amount: payment.total.won(),
            created_at: micros(payment.created_at),
            expires_at: micros(payment.expires_at),
        };
        Ok(Self {
            identity,
            state: PaymentState::encode(payment)?,
        })
    }

    pub(super) fn decode(self, lines: Vec<LineRow>) -> Result<Payment, Fault> {
        let Self {
            identity,
            mut state,
        } = self;
        let failure = state.failure()?;
        Ok(Payment {
            order_id: OrderId::try_from(identity.order_id)?,
            order_name: identity.order_name,
            buyer: Buyer {
                user_id: UserId::new(identity.user_id)?,
                customer_key: identity.customer_key,
            },
            lines: lines
                .into_iter()
                .map(LineRow::decode)
                .collect::<Result<_, _>>()?,
            total: Money::from_won(identity.total_amount)?,
            balance: Money::from_won(state.balance_amount)?,
            status: status(&state.status)?,
            fence: Fence::from_stored(state.fence),
            due_at: moment(state.due_at),
            attempts: count(state.attempts)?,
            looks: count(state.looks)?,
            absences: count(state.absences)?,
            payment_key: state.payment_key.map(PaymentKey::try_from).transpose()?,
            method: state.method,
            receipt_url: state.receipt_url,
            approved_at: moment(state.approved_at),
            virtual_account: state
                .virtual_account
                .as_deref()
                .map(decode_account)
                .transpose()?,
            gateway_secret: state.gateway_secret.map(GatewaySecret::new),
            failure,
            created_at: from_micros(identity.created_at),
            expires_at: from_micros(identity.expires_at),
            updated_at: from_micros(state.updated_at),
        })
    }
}

impl CheckoutKeyRow {
    pub(super) fn encode(key: &CheckoutKey, payment: &Payment) -> Self {
        Self {
            user_id: key.user_id.get(),
            idempotency_key: key.key.as_str().to_owned(),
            order_id: payment.order_id.to_string(),
            fingerprint: key.fingerprint.clone(),
            created_at: micros(payment.created_at),
        }
    }

    /// User and key.
    pub(super) fn key(&self) -> (i64, String) {
        (self.user_id, self.idempotency_key.clone())
    }

    /// What whoever finds the key taken is told.
    pub(super) fn taken(self) -> Result<Inserted, Fault> {
        Ok(Inserted::KeyTaken {
            order_id: OrderId::try_from(self.order_id)?,
            fingerprint: self.fingerprint,
        })
    }
}

impl LineRow {
    /// The payment's lines, numbered from 1 in the order they were checked out.
    pub(super) fn encode_all(payment: &Payment) -> Vec<Self> {
        let numbered = (1_i64..).zip(&payment.lines);
        let encoded = numbered.map(|(line_no, line)| Self {
            order_id: payment.order_id.to_string(),
            line_no,
            product_id: line.product_id.get(),
            name: line.name.clone(),
            quantity: line.quantity.into(),
            unit_price: line.unit_price.won(),
            amount: line.amount.won(),
        });
        encoded.collect()
    }

    fn decode(self) -> Result<PaymentLine, Fault> {
        Ok(PaymentLine {
            product_id: ProductId::new(self.product_id)?,
            name: self.name,
            quantity: Quantity::new(self.quantity)?,
            unit_price: Money::from_won(self.unit_price)?,
            amount: Money::from_won(self.amount)?,
        })
    }
}

fn encode_account(account: &VirtualAccount) -> Result<String, Fault> {
    Ok(serde_json::to_string(&StoredAccount {
        bank_code: account.bank_code.clone(),
        account_number: account.account_number.clone(),
        due_at: account.due_date.map(micros),
        customer_name: account.customer_name.clone(),
    })?)
}

fn decode_account(json: &str) -> Result<VirtualAccount, Fault> {
    let stored: StoredAccount = serde_json::from_str(json)?;
    Ok(VirtualAccount {
        bank_code: stored.bank_code,
        account_number: stored.account_number,
        due_date: moment(stored.due_at),
        customer_name: stored.customer_name,
    })
}

pub(super) fn moment(us: Option<i64>) -> Option<Timestamp> {
    us.map(from_micros)
}

pub(super) fn count(stored: i64) -> Result<u32, Fault> {
    u32::try_from(stored).map_err(|error| Fault::Corrupt(error.into()))
}

pub(super) fn status(text: &str) -> Result<PaymentStatus, Fault> {
    PaymentStatus::parse(text).ok_or_else(|| Fault::corrupt(format!("a payment is {text}")))
}
