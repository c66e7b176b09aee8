//! `payment_cancel` and back.

use diesel::prelude::*;
use kernel::{Fence, Money, OrderId, ProductId, Quantity, from_micros, micros};
use payment_domain::model::{
    Cancel, CancelKey, CancelRefusal, CancelRefusalKind, CancelState, RefundAccount, RestockLine,
};
use serde::{Deserialize, Serialize};

use super::rows::count;
use super::schema::payment_cancel;
use crate::error::Fault;

bulk!(
    CancelRow => payment_cancel,
    key (payment_cancel::order_id, payment_cancel::cancel_no),
    changes [
        refund_account, attempt_no, state, ended_fence, balance_after, refusal_kind, refusal_code,
        refusal_message,
    ]
);

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_cancel, treat_none_as_default_value = false)]
pub(super) struct CancelRow {
    order_id: String,
    cancel_no: i64,
    amount: i64,
    reason: String,
    refund_account: Option<String>,
    restock: String,
    idempotency_key: Option<String>,
    fingerprint: Option<String>,
    attempt_no: i64,
    state: String,
    ended_fence: Option<i64>,
    balance_after: Option<i64>,
    refusal_kind: Option<String>,
    refusal_code: Option<String>,
    refusal_message: Option<String>,
    requested_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredAccount {
    bank: String,
    account_number: String,
    holder_name: String,
}

impl CancelRow {
    pub(super) fn encode(order_id: &OrderId, cancel: &Cancel) -> Result<Self, Fault> {
        let account = cancel.refund_account.as_ref().map(|account| StoredAccount {
            bank: account.bank.clone(),
            account_number: account.account_number.clone(),
            holder_name: account.holder_name.clone(),
        });
        let restock: Vec<(i64, i64)> = cancel
            .restock
            .iter()
            .map(|line| (line.product_id.get(), line.quantity.into()))
            .collect();
        let (key, refusal) = (cancel.key.as_ref(), cancel.refusal.as_ref());
        Ok(Self {
            order_id: order_id.to_string(),
            cancel_no: cancel.number.into(),
            amount: cancel.amount.won(),
            reason: cancel.reason.clone(),
            refund_account: account.as_ref().map(json).transpose()?,
            restock: json(&restock)?,
            idempotency_key: key.map(|key| key.key.as_str().to_owned()),
            fingerprint: key.map(|key| key.fingerprint.clone()),
            attempt_no: cancel.attempt.into(),
            state: cancel.state.as_str().to_owned(),
            ended_fence: cancel.ended_fence.map(Fence::get),
            balance_after: cancel.balance_after.map(Money::won),
            refusal_kind: refusal.map(|refusal| refusal.kind.as_str().to_owned()),
            refusal_code: refusal.map(|refusal| refusal.code.clone()),
            refusal_message: refusal.map(|refusal| refusal.message.clone()),
            requested_at: micros(cancel.requested_at),
        })
    }

    pub(super) fn decode(self) -> Result<Cancel, Fault> {
        let state = CancelState::parse(&self.state)
            .ok_or_else(|| Fault::corrupt(format!("a cancel is {}", self.state)))?;
        let account = self.refund_account.as_deref().map(parsed::<StoredAccount>);
        let restock: Vec<(i64, i64)> = parsed(&self.restock)?;
        let restock = restock.into_iter().map(|(product_id, quantity)| {
            Ok(RestockLine {
                product_id: ProductId::new(product_id)?,
                quantity: Quantity::new(quantity)?,
            })
        });
        let key = match (self.idempotency_key, self.fingerprint) {
            (Some(key), Some(fingerprint)) => Some(CancelKey {
                key: key.parse()?,
                fingerprint,
            }),
            (Some(_) | None, _) => None,
        };
        let refusal = match self.refusal_kind {
            None => None,
            Some(kind) => Some(CancelRefusal {
                kind: CancelRefusalKind::parse(&kind)
                    .ok_or_else(|| Fault::corrupt(format!("a refusal is {kind}")))?,
                code: self.refusal_code.unwrap_or_default(),
                message: self.refusal_message.unwrap_or_default(),
            }),
        };
        Ok(Cancel {
            number: count(self.cancel_no)?,
            amount: Money::from_won(self.amount)?,
            reason: self.reason,
            refund_account: account.transpose()?.map(|account| RefundAccount {
                bank: account.bank,
                account_number: account.account_number,
                holder_name: account.holder_name,
            }),
            restock: restock.collect::<Result<_, Fault>>()?,
            key,
            attempt: count(self.attempt_no)?,
            state,
            ended_fence: self.ended_fence.map(Fence::from_stored),
            balance_after: self.balance_after.map(Money::from_won).transpose()?,
            refusal,
            requested_at: from_micros(self.requested_at),
        })
    }
}

fn json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Corrupt(error.into()))
}

fn parsed<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Corrupt(error.into()))
}
