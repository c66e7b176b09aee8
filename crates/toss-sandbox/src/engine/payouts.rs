//! Payouts: asked for, made, cancelled. The calls of Toss's API v2 come in through `v2.rs`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Engine,
    change::{Change, Inconsistent},
    direct::checked_metadata,
    errors::ApiError,
    payment::korean_time,
    receipts::korean_day,
    request::{Won, parse},
    sellers::Seller,
};

/// How long an express payout takes. Not documented; long enough to be seen on its way.
pub const PAYOUT_DELAY: TimeDelta = TimeDelta::seconds(60);

/// Most payouts of one request (Toss).
const PAYOUTS_MAX: usize = 100;

/// A payout is below a billion won (Toss).
const PAYOUT_AMOUNT_MAX: u64 = 1_000_000_000;

/// Longest `refPayoutId`. Toss's limit is not known; that of `refSellerId` is.
const REF_PAYOUT_ID_MAX: usize = 40;

/// Accounts to which every payout fails, with their banks (Toss, test accounts).
pub(super) const FAILING: [(&str, &str); 3] = [
    ("295", "77701777777"),
    ("011", "3025353430761"),
    ("002", "02004240994312"),
];

/// A payout as the bank keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payout {
    /// Toss's id.
    pub id: String,
    /// The merchant's id.
    pub ref_payout_id: String,
    /// The seller's id.
    pub destination: String,
    /// Whether it is made at once, or on a date.
    pub express: bool,
    /// The day on which it is made.
    pub payout_date: NaiveDate,
    /// When it is settled, one way or the other.
    pub settles_at: DateTime<Utc>,
    /// Won.
    pub amount: u64,
    /// What the seller reads.
    pub transaction_description: String,
    /// What the merchant wants back with it, as JSON.
    pub metadata: String,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// Whether its account refuses it.
    pub fails: bool,
    /// What became of it.
    pub fate: PayoutFate,
}

/// What became of a payout, but for what follows from the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PayoutFate {
    /// Nothing yet, or nothing that was told.
    Open,
    /// It was cancelled before it was made.
    Canceled,
    /// It came to its end, and an event says so.
    Told,
}

impl Payout {
    pub(super) fn status(&self, now: DateTime<Utc>) -> &'static str {
        match () {
            () if self.fate == PayoutFate::Canceled => "CANCELED",
            () if now >= self.settles_at && self.fails => "FAILED",
            () if now >= self.settles_at => "COMPLETED",
            () if korean_day(now) >= self.payout_date && self.express => "IN_PROGRESS",
            () => "REQUESTED",
        }
    }

    pub(super) fn view(&self, now: DateTime<Utc>) -> Value {
        let status = self.status(now);
        let error = (status == "FAILED").then(|| {
            json!({ "code": "RECEIVING_ACCOUNT_ERROR", "message": "입금할 수 없는 계좌입니다." })
        });
        json!({
            "id": self.id,
            "refPayoutId": self.ref_payout_id,
            "destination": self.destination,
            "scheduleType": if self.express { "EXPRESS" } else { "SCHEDULED" },
            "payoutDate": self.payout_date,
            "amount": { "currency": "KRW", "value": self.amount },
            "transactionDescription": self.transaction_description,
            "requestedAt": korean_time(self.at),
            "status": status,
            "error": error,
            "metadata": serde_json::from_str::<Value>(&self.metadata).unwrap_or_default(),
        })
    }
}

/// Payouts and sellers, in the order in which they came; grows with them.
#[derive(Debug, Default)]
pub(super) struct PayoutBook {
    pub(super) payouts: Vec<Payout>,
    pub(super) by_id: HashMap<String, usize>,
    refs: HashSet<String>,
    pub(super) sellers: Vec<Seller>,
}

impl PayoutBook {
    /// Applies a change of payouts or sellers; hands any other back.
    pub(super) fn apply(&mut self, change: Change) -> Result<Option<Change>, Inconsistent> {
        match change {
            Change::PayoutRequested(payout) => {
                if self.by_id.contains_key(&payout.id) {
                    return Err(Inconsistent::new("payout", &payout.id));
                }
                self.refs.insert(payout.ref_payout_id.clone());
                self.by_id.insert(payout.id.clone(), self.payouts.len());
                self.payouts.push(*payout);
            }
            Change::PayoutCanceled { id } => {
                self.payout(&id, "cancel of")?.fate = PayoutFate::Canceled;
            }
            Change::PayoutTold { id } => {
                self.payout(&id, "news of")?.fate = PayoutFate::Told;
            }
            Change::SellerKept(seller) => {
                match self.sellers.iter_mut().find(|known| known.id == seller.id) {
                    Some(known) => *known = *seller,
                    None => self.sellers.push(*seller),
                }
            }
            Change::SellerRemoved { id } => {
                let before = self.sellers.len();
                self.sellers.retain(|seller| seller.id != id);
                if self.sellers.len() == before {
                    return Err(Inconsistent::new("removal of seller", &id));
                }
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    fn payout(&mut self, id: &str, what: &'static str) -> Result<&mut Payout, Inconsistent> {
        let index = self.by_id.get(id).copied();
        index
            .and_then(|index| self.payouts.get_mut(index))
            .filter(|payout| payout.fate == PayoutFate::Open)
            .ok_or_else(|| Inconsistent::new(what, id))
    }

    /// All that must come back from a journal.
    pub(super) fn state(&self) -> (&[Payout], &[Seller]) {
        (&self.payouts, &self.sellers)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PayoutBody {
    ref_payout_id: String,
    destination: String,
    schedule_type: String,
    payout_date: Option<NaiveDate>,
    amount: AmountBody,
    transaction_description: Option<String>,
    metadata: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct AmountBody {
    currency: String,
    value: Won,
}

pub(super) fn invalid() -> ApiError {
    ApiError::new("INVALID_REQUEST")
}

pub(super) fn unknown() -> ApiError {
    ApiError::new("NOT_FOUND")
}

impl Engine {
    pub(super) fn request_payouts(
        &mut self,
        now: DateTime<Utc>,
        body: &[u8],
    ) -> Result<(&'static str, Value), ApiError> {
        let bodies: Vec<PayoutBody> = parse(body)?;
        if bodies.is_empty() || bodies.len() > PAYOUTS_MAX {
            return Err(invalid());
        }
        // All or nothing: the first error is the answer, and nothing is booked before the last
        // has been looked at.
        let mut refs = HashSet::new();
        let mut payouts = Vec::new();
        let balance = self.balance(now)["availableAmount"]["value"].as_i64();
        let mut left = u64::try_from(balance.unwrap_or(0)).unwrap_or(0);
        for body in bodies {
            let payout = self.checked_payout(now, body)?;
            let known = self.payouts.refs.contains(&payout.ref_payout_id);
            if known || !refs.insert(payout.ref_payout_id.clone()) {
                return Err(ApiError::new("DUPLICATED_REQUEST"));
            }
            left = left.checked_sub(payout.amount).ok_or_else(|| {
                // Toss's code for an empty balance is not documented.
                ApiError::new("EXCEED_MAX_AMOUNT")
            })?;
            payouts.push(payout);
        }
        let items: Vec<_> = payouts.iter().map(|payout| payout.view(now)).collect();
        for payout in payouts {
            self.make(Change::PayoutRequested(Box::new(payout)));
        }
        Ok(("payout", json!({ "items": items })))
    }

    fn checked_payout(&mut self, now: DateTime<Utc>, body: PayoutBody) -> Result<Payout, ApiError> {
        if body.amount.currency != "KRW" {
            return Err(ApiError::new("INVALID_CURRENCY"));
        }
        let amount = body.amount.value.0;
        let description = body.transaction_description.unwrap_or_default();
        if !(1..PAYOUT_AMOUNT_MAX).contains(&amount)
            || !(1..=REF_PAYOUT_ID_MAX).contains(&body.ref_payout_id.len())
            || description.chars().count() > 200
        {
            return Err(invalid());
        }
        let mut sellers = self.payouts.sellers.iter();
        let seller = sellers
            .find(|seller| seller.id == body.destination)
            .ok_or_else(unknown)?;
        let account = (seller.bank_code.as_str(), seller.account_number.as_str());
        let fails = FAILING.contains(&account);
        let today = korean_day(now);
        let (express, payout_date, settles_at) = match body.schedule_type.as_str() {
            "EXPRESS" => {
                let hour = (now + TimeDelta::hours(9)).hour();
                if self.payout_hours && !(8..15).contains(&hour) {
                    return Err(ApiError::new("NOT_AVAILABLE_BANK"));
                }
                (true, today, now + PAYOUT_DELAY)
            }
            "SCHEDULED" => {
                let date = body.payout_date.filter(|date| *date > today);
                let date = date.ok_or_else(|| ApiError::new("INVALID_DATE"))?;
                // Ten in the morning, Korean time.
                let at = date.and_hms_opt(1, 0, 0).ok_or_else(invalid)?;
                (false, date, at.and_utc())
            }
            _ => return Err(invalid()),
        };
        let metadata = checked_metadata(body.metadata)?;
        Ok(Payout {
            id: self.random.key("FPA_", 26),
            ref_payout_id: body.ref_payout_id,
            destination: body.destination,
            express,
            payout_date,
            settles_at,
            amount,
            transaction_description: description,
            metadata: super::json(&metadata),
            at: now,
            fails,
            fate: PayoutFate::Open,
        })
    }

    pub(super) fn cancel_payout(
        &mut self,
        now: DateTime<Utc>,
        id: &str,
    ) -> Result<(&'static str, Value), ApiError> {
        let index = *self.payouts.by_id.get(id).ok_or_else(unknown)?;
        if self.payouts.payouts[index].status(now) != "REQUESTED" {
            return Err(ApiError::new("NOT_CANCELABLE_PAYMENT"));
        }
        self.make(Change::PayoutCanceled { id: id.to_owned() });
        Ok(("payout", self.payouts.payouts[index].view(now)))
    }

    /// Tells of payouts that came to their end.
    pub(super) fn elapse_payouts(&mut self, now: DateTime<Utc>) {
        let ended = |payout: &&Payout| payout.fate == PayoutFate::Open && now >= payout.settles_at;
        let ended: Vec<_> = self.payouts.payouts.iter().filter(ended).cloned().collect();
        for payout in ended {
            self.make(Change::PayoutTold {
                id: payout.id.clone(),
            });
            let news = self.told(now, "payout.changed", &payout.view(now));
            self.announced.push(news);
        }
    }

    /// When a payout comes to its end next.
    pub(super) fn next_payout_at(&self) -> Option<DateTime<Utc>> {
        let open = self.payouts.payouts.iter();
        let open = open.filter(|payout| payout.fate == PayoutFate::Open);
        open.map(|payout| payout.settles_at).min()
    }
}
