//! Toss's API v2: its calls, its lists, and the balance that payouts are made from.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Engine, Ticket,
    change::Change,
    errors::ApiError,
    payouts::{PayoutBook, invalid, unknown},
    query::Query,
    receipts::korean_day,
    settlements::{is_settled, net, paid_out},
};
use crate::endpoint::Endpoint;

impl Engine {
    /// Does the work of a call of v2; returns what its envelope holds.
    pub(super) fn execute_v2(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
    ) -> Result<(&'static str, Value), ApiError> {
        let request = &ticket.request;
        let subject = request.subject.as_str();
        let encrypted = matches!(
            request.endpoint,
            Endpoint::RequestPayouts | Endpoint::RegisterSeller | Endpoint::UpdateSeller
        );
        let body = if encrypted {
            if request.security_mode.as_deref() != Some("ENCRYPTION") {
                return Err(ApiError::new("INVALID_ENCRYPTION"));
            }
            self.vault.open(&request.body)?
        } else {
            Vec::new()
        };
        match request.endpoint {
            Endpoint::Balances => Ok(("balance", self.balance(now))),
            Endpoint::RequestPayouts => self.request_payouts(now, &body),
            Endpoint::Payouts => self.list(now, subject, |book, now| {
                let views = book.payouts.iter();
                views
                    .map(|payout| (payout.id.clone(), payout.view(now)))
                    .collect()
            }),
            Endpoint::Payout => {
                let index = self.payouts.by_id.get(subject).ok_or_else(unknown)?;
                Ok(("payout", self.payouts.payouts[*index].view(now)))
            }
            Endpoint::CancelPayout => self.cancel_payout(now, subject),
            Endpoint::RegisterSeller => self.register_seller(&body),
            Endpoint::Sellers => self.list(now, subject, |book, _| {
                let views = book.sellers.iter();
                views
                    .map(|seller| (seller.id.clone(), seller.view()))
                    .collect()
            }),
            Endpoint::Seller => {
                let mut sellers = self.payouts.sellers.iter();
                let seller = sellers
                    .find(|seller| seller.id == subject)
                    .ok_or_else(unknown)?;
                Ok(("seller", seller.view()))
            }
            Endpoint::UpdateSeller => self.update_seller(subject, &body),
            Endpoint::RemoveSeller => {
                if !self
                    .payouts
                    .sellers
                    .iter()
                    .any(|seller| seller.id == subject)
                {
                    return Err(unknown());
                }
                self.make(Change::SellerRemoved {
                    id: subject.to_owned(),
                });
                Ok(("deleted-entity", json!({ "id": subject })))
            }
            _ => Err(unknown()),
        }
    }

    /// Won that were settled and not paid out, and won that will be settled.
    pub(super) fn balance(&self, now: DateTime<Utc>) -> Value {
        let today = korean_day(now);
        let (mut available, mut pending) = (self.opening_balance, 0_i64);
        for movement in self.bank.movements.rows() {
            let payment = self.bank.payments.get(movement.payment());
            let payment = payment.filter(|payment| is_settled(payment));
            if let Some((_, _, amount)) = payment.and_then(|payment| movement.describe(payment)) {
                let net = net(amount, movement.is_out());
                if paid_out(korean_day(movement.at())) <= today {
                    available += net;
                } else {
                    pending += net;
                }
            }
        }
        for payout in &self.payouts.payouts {
            if !matches!(payout.status(now), "CANCELED" | "FAILED") {
                available -= i64::try_from(payout.amount).unwrap_or(i64::MAX);
            }
        }
        let won = |value: i64| json!({ "currency": "KRW", "value": value });
        json!({ "availableAmount": won(available), "pendingAmount": won(pending) })
    }

    fn list(
        &self,
        now: DateTime<Utc>,
        query: &str,
        all: impl FnOnce(&PayoutBook, DateTime<Utc>) -> Vec<(String, Value)>,
    ) -> Result<(&'static str, Value), ApiError> {
        let query = Query::new(query);
        let limit: usize = query.number("limit", 100)?;
        let rows = all(&self.payouts, now);
        let first = match query.get("startingAfter") {
            None => 0,
            Some(id) => {
                rows.iter()
                    .position(|row| row.0 == id)
                    .ok_or_else(invalid)?
                    + 1
            }
        };
        let page: Vec<_> = rows
            .iter()
            .skip(first)
            .take(limit.clamp(1, 10_000))
            .collect();
        let body = json!({
            "hasNext": first + page.len() < rows.len(),
            "lastCursor": page.last().map(|row| &row.0),
            "items": page.iter().map(|row| &row.1).collect::<Vec<_>>(),
        });
        Ok(("list", body))
    }
}
