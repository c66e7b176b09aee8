//! The engine: requests in, answers out. It has no clock, no sockets and no chance of its own:
//! the time is passed in and randomness is seeded, so a run can be repeated exactly.

mod address;
mod answering;
mod approval;
mod audit;
mod bank;
mod billing;
mod booking;
mod brandpay;
mod brandpay_methods;
mod calls;
mod change;
mod codes;
mod currency;
mod direct;
mod errors;
mod exchange;
mod exchanges;
mod idempotency;
mod intake;
mod masking;
mod method;
mod method_view;
mod news;
mod opening;
mod outbox;
mod payment;
mod payouts;
mod perform;
mod promotions;
mod query;
mod random;
mod rebuild;
mod receipts;
mod refund;
mod request;
mod sellers;
mod settlements;
mod transactions;
mod underway;
mod v2;
mod vault;
mod view;
mod webhooks;
mod window;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

pub use self::{
    answering::error_body,
    audit::{Findings, Fingerprint},
    bank::LedgerRow,
    billing::BillingKey,
    brandpay::{BrandpayCustomer, BrandpayMethod},
    calls::{Call, CallTotals},
    change::{Change, Inconsistent, Opening},
    currency::{AMOUNT_MAX, Amount, Currency},
    direct::Card,
    errors::{ApiError, ErrorSpec, Language, find as find_error},
    exchange::{Answer, ApiRequest, Content, Delivery, Pace, Reception, Step, Ticket},
    exchanges::{EXCHANGE_BODY_MAX, EXCHANGES_MAX, Exchange},
    idempotency::KEY_LIFE,
    method::{GiftCertificate, Kind, Method, Terms},
    payment::{
        CONFIRM_LIFE, Cancel, DEPOSIT_LIFE, Payment, Reversal, Status, WINDOW_LIFE, korean_time,
    },
    payouts::{PAYOUT_DELAY, Payout, PayoutFate},
    promotions::Discount,
    receipts::{CashReceipt, RECEIPT_DELAY},
    request::{IDEMPOTENCY_KEY_MAX, RefundAccount},
    sellers::Seller,
    settlements::{FEE_PER_MILLE, PAYOUT_AFTER_WORKDAYS},
    transactions::{TRANSACTIONS_MAX, TRANSACTIONS_MIN},
    underway::{CANCEL_DELAY, Underway},
    view::{PaymentView, Writing},
    webhooks::{RETRY_AFTER_MINUTES, Transmission, WebhookRow, WebhookState},
    window::{
        BANKS, Choice, EASY_PAY_PROVIDERS, ISSUERS, OpenedWindow, RequestedMethod, WindowClosed,
        WindowSight,
    },
};
use self::{
    bank::{Bank, MismatchCodes, NewPayment},
    billing::BillingBook,
    brandpay::BrandpayBook,
    calls::CallLog,
    exchanges::ExchangeLog,
    idempotency::Idempotency,
    outbox::{News, Outbox},
    payouts::PayoutBook,
    receipts::ReceiptBook,
    vault::Vault,
    window::Windows,
};
pub(crate) use self::{currency::Sum, opening::is_name, random::Random, request::is_order_id};
use crate::{
    ApiVersion, SandboxConfig, Unknowns,
    fault::{ActiveFault, Effect, Fault, FaultBook, Rule},
};

/// How objects are written now; a macro, so that the other fields stay free to be borrowed.
macro_rules! writing {
    ($engine:expr, $language:expr) => {
        $crate::engine::Writing {
            language: $language,
            merchant_id: &$engine.merchant_id,
            base_url: &$engine.base_url,
            version: $engine.version,
        }
    };
}
use writing;

/// The simulator of Toss Payments, pure.
#[derive(Debug)]
pub struct Engine {
    secret_key: String,
    client_key: String,
    widget_secret_key: String,
    widget_client_key: String,
    version: ApiVersion,
    unknowns: Unknowns,
    merchant_id: String,
    base_url: String,
    mismatch: MismatchCodes,
    replay_server_errors: bool,
    cancel_amounts_negative: bool,
    bank: Bank,
    windows: Windows,
    billing: BillingBook,
    receipts: ReceiptBook,
    payouts: PayoutBook,
    brandpay: BrandpayBook,
    vault: Vault,
    opening_balance: i64,
    payout_hours: bool,
    outbox: Outbox,
    /// Events about no payment that are still to be told.
    announced: Vec<News>,
    webhook_time_scale: u32,
    idempotency: Idempotency,
    faults: FaultBook,
    calls: CallLog,
    exchanges: ExchangeLog,
    random: Random,
    seed: u64,
    clock_offset_ms: i64,
}

impl Engine {
    /// An engine without payments.
    pub fn new(config: &SandboxConfig) -> Self {
        Self {
            secret_key: config.secret_key.clone(),
            client_key: config.client_key.clone(),
            widget_secret_key: config.widget_secret_key.clone(),
            widget_client_key: config.widget_client_key.clone(),
            version: config.api_version,
            unknowns: config.unknowns.clone(),
            merchant_id: config.merchant_id.clone(),
            base_url: config.public_url.clone().unwrap_or_default(),
            mismatch: MismatchCodes {
                order: config.order_mismatch_code.clone(),
                amount: config.amount_mismatch_code.clone(),
                expired: config.unknowns.expired_confirm.clone(),
                foreign: config.unknowns.foreign_confirm.clone(),
            },
            replay_server_errors: config.replay_server_errors,
            cancel_amounts_negative: config.cancel_amounts_negative,
            bank: Bank::default(),
            windows: Windows::default(),
            billing: BillingBook::default(),
            receipts: ReceiptBook::default(),
            payouts: PayoutBook::default(),
            brandpay: BrandpayBook::default(),
            vault: Vault::new(&config.security_key),
            opening_balance: i64::try_from(config.opening_balance).unwrap_or(i64::MAX / 4),
            payout_hours: config.payout_hours,
            outbox: Outbox::new(config.seed),
            announced: Vec::new(),
            webhook_time_scale: config.webhook_time_scale,
            idempotency: Idempotency::new(config.idempotency_records_max),
            faults: FaultBook::new(config.seed),
            calls: CallLog::new(config.calls_max),
            exchanges: ExchangeLog::default(),
            random: Random::new(config.seed),
            seed: config.seed,
            clock_offset_ms: 0,
        }
    }

    /// Tells the engine where browsers reach it, unless the settings already did.
    pub fn set_base_url_if_unset(&mut self, base_url: &str) {
        if self.base_url.is_empty() {
            base_url.clone_into(&mut self.base_url);
        }
    }

    /// Does a received call's work.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a ticket is good for one performance"
    )]
    pub fn perform(&mut self, now: DateTime<Utc>, ticket: Ticket) -> Delivery {
        self.decide_cancels(now);
        let outcome = match &ticket.effect {
            Some(Effect::Error { code }) => Err(self.fail_with(now, &ticket, code)),
            Some(Effect::ApproveThenError { code }) => {
                // Whatever the work came to, the caller hears only the error.
                let _unheard = self.execute(now, &ticket);
                Err(ApiError::with_fallback(code, 500))
            }
            _ => self.execute(now, &ticket),
        };
        let mut answer = match outcome {
            Ok(body) => self.answer(&ticket.request, 200, body),
            Err(error) => self.error_answer(&ticket.request, &error),
        };
        if ticket.request.is_encrypted() {
            let sealed = self
                .vault
                .seal(now, &mut self.outbox.random, answer.body.to_string());
            answer.body = sealed.into();
            answer.content = Content::Text;
        }
        if let Some(scope) = &ticket.scope {
            if answer.status == 409 || (answer.status >= 500 && !self.replay_server_errors) {
                self.idempotency.release(scope);
            } else {
                self.store(now, scope, &answer);
            }
        }
        self.carry(ticket.number, answer, ticket.effect.as_ref())
    }

    /// Receives and performs at once, disregarding delays: for callers without a clock to wait on.
    pub fn call(&mut self, now: DateTime<Utc>, request: ApiRequest) -> Delivery {
        match self.receive(now, request).step {
            Step::Deliver(delivery) => delivery,
            Step::Work(ticket) => self.perform(now, *ticket),
        }
    }

    /// A payment as if the buyer had opened the window and authenticated; returns its key.
    pub fn authenticate(
        &mut self,
        now: DateTime<Utc>,
        order_id: &str,
        order_name: &str,
        amount: u64,
        method: Method,
    ) -> String {
        self.authenticate_in(now, Currency::Krw, order_id, order_name, amount, method)
    }

    /// The same in a currency, of whose smallest units `amount` counts.
    pub fn authenticate_in(
        &mut self,
        now: DateTime<Utc>,
        currency: Currency,
        order_id: &str,
        order_name: &str,
        amount: u64,
        method: Method,
    ) -> String {
        let new = NewPayment {
            order_id: order_id.to_owned(),
            order_name: order_name.to_owned(),
            amount,
            tax_free: 0,
            method: method.clone(),
            terms: Terms {
                currency,
                ..Terms::default()
            },
        };
        let key = self.bank.open(now, &mut self.random, new);
        // A payment opened this instant is READY, so this cannot fail.
        let _authenticated = self.bank.authenticate(now, &key, method, None, None);
        key
    }

    /// The money arrives in a virtual account. Returns the Payment object.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if the payment waits for none or is overdue.
    pub fn deposit(&mut self, now: DateTime<Utc>, key: &str) -> Result<String, ApiError> {
        let payment = self.bank.deposit(now, &mut self.random, key)?;
        Ok(json(&payment.view(now, writing!(self, Language::Korean))))
    }

    /// Time runs out for a payment at once. Returns the Payment object.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if it waits for nothing.
    pub fn expire(&mut self, now: DateTime<Utc>, key: &str) -> Result<String, ApiError> {
        let payment = self.bank.expire(now, key)?;
        Ok(json(&payment.view(now, writing!(self, Language::Korean))))
    }

    /// A deposit turns out to be an error: the account waits for another. Returns the Payment
    /// object.
    ///
    /// # Errors
    /// `NOT_FOUND_PAYMENT`; `INVALID_REQUEST` if no whole deposit stands.
    pub fn reverse_deposit(&mut self, now: DateTime<Utc>, key: &str) -> Result<String, ApiError> {
        let payment = self.bank.reverse_deposit(now, &mut self.random, key)?;
        Ok(json(&payment.view(now, writing!(self, Language::Korean))))
    }

    /// Hands the payment of a key to `see`, with time's work done on it.
    pub fn payment<T>(
        &mut self,
        now: DateTime<Utc>,
        key: &str,
        see: impl FnOnce(&Payment, &PaymentView<'_>) -> T,
    ) -> Option<T> {
        let payment = self.bank.find(now, key)?;
        let view = payment.view(now, writing!(self, Language::Korean));
        Some(see(payment, &view))
    }

    /// Payment objects as JSON, newest first.
    pub fn payments(&mut self, now: DateTime<Utc>, offset: usize, limit: usize) -> Vec<String> {
        let newest = self.bank.newest(now, offset, limit);
        newest
            .map(|payment| json(&payment.view(now, writing!(self, Language::Korean))))
            .collect()
    }

    /// What the bank has done per order, in the order of first sight.
    pub fn ledger(&self, offset: usize, limit: usize) -> Vec<LedgerRow> {
        self.bank.ledger(offset, limit)
    }

    /// What the bank has done for one order; none if it never heard of it.
    pub fn ledger_row(&self, order_id: &str) -> Option<LedgerRow> {
        self.bank.ledger_row(order_id)
    }

    /// A trace id for an answer that the engine has no part in.
    pub fn trace_id(&mut self) -> String {
        self.random.trace_id()
    }

    /// How many orders and how many payments there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.bank.order_count(), self.bank.payment_count())
    }

    /// The latest calls, oldest first: at most `limit`.
    pub fn calls(&self, limit: usize) -> Vec<Call> {
        let calls = self.calls.iter();
        let skip = calls.len().saturating_sub(limit);
        calls.skip(skip).cloned().collect()
    }

    /// How many calls there have been.
    pub fn call_totals(&self) -> CallTotals {
        self.calls.totals()
    }

    /// Puts a fault in force.
    pub fn inject(&mut self, fault: Fault) {
        // A fault without times of its own begins whenever it is looked at first.
        self.faults.inject(DateTime::UNIX_EPOCH, fault.into());
    }

    /// Puts a fault in force that has chance and times; returns its id.
    pub fn inject_rule(&mut self, now: DateTime<Utc>, rule: Rule) -> u64 {
        self.faults.inject(now, rule)
    }

    /// Ends one fault; false if there is none of that id.
    pub fn end_fault(&mut self, id: u64) -> bool {
        self.faults.end(id)
    }

    /// Ends all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The faults in force, oldest first.
    pub fn faults(&self) -> &[ActiveFault] {
        self.faults.active()
    }
}

/// Serialises what cannot fail to be serialised: structs of strings and numbers.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
