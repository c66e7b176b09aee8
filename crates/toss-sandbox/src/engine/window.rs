//! The payment window: what the buyer sees and does between the shop's page and its return.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ApiError, Card, Change, Currency, Engine, Kind, Language, Method, Payment, Status, WINDOW_LIFE,
    address::with_query, audit::fingerprint_of_unordered, change::Inconsistent,
};

/// Card issuers offered in the window: Toss's code, Korean name, English name.
pub const ISSUERS: [(&str, &str, &str); 6] = [
    ("11", "KB국민", "KB Kookmin"),
    ("41", "신한", "Shinhan"),
    ("51", "삼성", "Samsung"),
    ("61", "현대", "Hyundai"),
    ("71", "롯데", "Lotte"),
    ("21", "하나", "Hana"),
];

/// Wallets offered in the window: the provider as Toss names it, English name.
pub const EASY_PAY_PROVIDERS: [(&str, &str); 3] = [
    ("토스페이", "Toss Pay"),
    ("카카오페이", "Kakao Pay"),
    ("네이버페이", "Naver Pay"),
];

/// Banks offered for a virtual account: Toss's code, Korean name, English name.
pub const BANKS: [(&str, &str, &str); 4] = [
    ("20", "우리은행", "Woori"),
    ("88", "신한은행", "Shinhan"),
    ("06", "KB국민은행", "KB Kookmin"),
    ("81", "하나은행", "Hana"),
];

/// The `method` of `requestPayment`, as far as the sandbox plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestedMethod {
    /// `CARD`: the window offers cards and wallets.
    Card,
    /// `VIRTUAL_ACCOUNT`: the window offers banks.
    VirtualAccount,
    /// `TRANSFER`: the window offers banks.
    Transfer,
    /// `MOBILE_PHONE`.
    MobilePhone,
    /// `CULTURE_GIFT_CERTIFICATE`.
    CultureGiftCertificate,
    /// `BOOK_GIFT_CERTIFICATE`.
    BookGiftCertificate,
    /// `GAME_GIFT_CERTIFICATE`.
    GameGiftCertificate,
    /// `FOREIGN_EASY_PAY`: the window stands for the wallet's own page.
    ForeignEasyPay,
    /// `requestBillingAuth`: the window offers cards, and no payment is made.
    Billing,
}

/// Answer to the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenedWindow {
    /// Names the window in `/sandbox/window/{id}`.
    pub window_id: String,
    /// Path of the page.
    pub path: String,
    /// Where the buyer has come to already, if the page asked for a result without a buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSight {
    /// What is bought.
    pub order_name: String,
    /// The merchant's order id.
    pub order_id: String,
    /// In the smallest unit of the currency.
    pub amount: u64,
    /// What is paid in.
    pub currency: Currency,
    /// What the page asked for.
    pub method: RequestedMethod,
    /// Whether the buyer can still act.
    pub open: bool,
    /// When it closes by itself; none for a card's window in a journal that does not say when it
    /// was opened.
    pub lapses_at: Option<DateTime<Utc>>,
    /// Whether the page asks for the card's points to be used; false forbids it.
    pub card_points_wanted: Option<bool>,
}

/// What the buyer chose to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Pays with a method; a code makes the later confirm fail with it.
    Pay {
        /// Card, wallet or bank.
        method: Method,
        /// The card that the buyer typed, if any.
        card: Option<Card>,
        /// Declines the confirm with this code.
        decline_at_confirm: Option<String>,
    },
    /// Closes the window.
    Close,
    /// Is declined in the window with a code.
    Decline {
        /// Toss's code.
        code: String,
    },
}

/// The window does not exist, was used, or has lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payment window does not exist, was used, or has lapsed")]
pub struct WindowClosed;

#[derive(Debug, Hash)]
struct Window {
    payment_key: String,
    method: RequestedMethod,
    customer_name: String,
    success_url: String,
    fail_url: String,
    finished: bool,
    /// Whose card is registered, if no payment is made.
    customer_key: Option<String>,
    opened_at: Option<DateTime<Utc>>,
    /// What the page's Promise is told, as JSON.
    outcome: Option<String>,
}

/// One per payment opened by a browser; grows with them.
#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<String, Window>);

impl Windows {
    /// Applies a change of a window; hands any other back.
    pub(super) fn apply(&mut self, change: Change) -> Result<Option<Change>, Inconsistent> {
        match change {
            Change::WindowOpened {
                window_id,
                payment_key,
                method,
                customer_name,
                success_url,
                fail_url,
                customer_key,
                opened_at,
            } => {
                let window = Window {
                    payment_key,
                    method,
                    customer_name,
                    success_url,
                    fail_url,
                    finished: false,
                    customer_key,
                    opened_at,
                    outcome: None,
                };
                self.0.insert(window_id, window);
                Ok(None)
            }
            Change::WindowFinished { window_id, outcome } => match self.0.get_mut(&window_id) {
                Some(window) if !window.finished => {
                    window.finished = true;
                    window.outcome = outcome;
                    Ok(None)
                }
                Some(_) | None => Err(Inconsistent::new("use of window", &window_id)),
            },
            other => Ok(Some(other)),
        }
    }

    /// The same for the same windows, in whatever order they lie.
    pub(super) fn fingerprint(&self) -> u64 {
        fingerprint_of_unordered(&self.0)
    }
}

impl Engine {
    /// What the window's page shows; none if there is no such window.
    pub fn window(&mut self, now: DateTime<Utc>, id: &str) -> Option<WindowSight> {
        let window = self.windows.0.get(id)?;
        if window.customer_key.is_some() {
            let lapses_at = window.opened_at.map(|opened_at| opened_at + WINDOW_LIFE);
            return Some(WindowSight {
                order_name: String::new(),
                order_id: String::new(),
                amount: 0,
                currency: Currency::Krw,
                method: window.method,
                open: !window.finished && lapses_at.is_none_or(|lapses_at| now < lapses_at),
                lapses_at,
                card_points_wanted: Some(false),
            });
        }
        let payment = self.bank.find(now, &window.payment_key)?;
        Some(WindowSight {
            order_name: payment.order_name.clone(),
            order_id: payment.order_id.clone(),
            amount: payment.amount,
            currency: payment.currency(),
            method: window.method,
            open: !window.finished && payment.status == Status::Ready,
            lapses_at: Some(payment.requested_at + WINDOW_LIFE),
            card_points_wanted: payment.terms().card_points_wanted,
        })
    }

    /// Who is expected to pay into a virtual account opened from this window.
    pub fn window_customer(&self, id: &str) -> Option<&str> {
        self.windows
            .0
            .get(id)
            .map(|window| window.customer_name.as_str())
    }

    /// The buyer acts; returns the address that the browser is sent back to, none if the page that
    /// opened the window waits for [`Engine::window_outcome`].
    ///
    /// # Errors
    /// [`WindowClosed`] if the window is unknown, used or lapsed.
    pub fn finish_window(
        &mut self,
        now: DateTime<Utc>,
        id: &str,
        choice: Choice,
        language: Language,
    ) -> Result<Option<String>, WindowClosed> {
        if !self.window(now, id).is_some_and(|sight| sight.open) {
            return Err(WindowClosed);
        }
        let window = self.windows.0.get(id).ok_or(WindowClosed)?;
        let (success, fail) = (window.success_url.clone(), window.fail_url.clone());
        let customer_key = window.customer_key.clone();
        let key = window.payment_key.clone();
        let pays = matches!(choice, Choice::Pay { .. });
        let pairs = match (choice, customer_key) {
            (Choice::Pay { card, .. }, Some(customer_key)) => {
                let auth_key = self.authorise_billing(&customer_key, card);
                vec![("customerKey", customer_key), ("authKey", auth_key)]
            }
            (
                Choice::Pay {
                    method,
                    card,
                    decline_at_confirm,
                },
                None,
            ) => {
                let payment = self.bank.find(now, &key).ok_or(WindowClosed)?;
                let method = chosen(payment, method).ok_or(WindowClosed)?;
                self.bank
                    .authenticate(now, &key, method, card, decline_at_confirm)
                    .map_err(|_| WindowClosed)?;
                let payment = self.bank.find(now, &key).ok_or(WindowClosed)?;
                let kind = match payment.terms().kind {
                    Kind::Brandpay => "BRANDPAY",
                    Kind::Normal | Kind::Billing => "NORMAL",
                };
                vec![
                    ("paymentType", kind.to_owned()),
                    ("orderId", payment.order_id.clone()),
                    ("paymentKey", key.clone()),
                    ("amount", payment.money(payment.amount).to_string()),
                ]
            }
            // Toss says nothing to the merchant and leaves the payment READY until it lapses.
            (Choice::Close, _) => {
                let message = match language {
                    Language::Korean => "사용자에 의해 결제가 취소되었습니다.",
                    Language::English => "The buyer closed the payment window.",
                };
                vec![
                    ("code", "PAY_PROCESS_CANCELED".to_owned()),
                    ("message", message.to_owned()),
                ]
            }
            (Choice::Decline { code }, customer_key) => {
                let message = ApiError::new(&code).message(language).to_owned();
                let mut pairs = vec![("code", code.clone()), ("message", message)];
                if customer_key.is_none() {
                    self.bank.abort(now, &key, &code);
                    let order_id = self.bank.order_of(&key).unwrap_or_default();
                    pairs.push(("orderId", order_id.to_owned()));
                }
                pairs
            }
        };
        // Without a return address the page's Promise is told instead.
        let address = if pays { success } else { fail };
        let currency = self
            .bank
            .booked(&key)
            .map_or(Currency::Krw, Payment::currency);
        let outcome = address.is_empty().then(|| outcome(pays, &pairs, currency));
        self.make(Change::WindowFinished {
            window_id: id.to_owned(),
            outcome,
        });
        Ok((!address.is_empty()).then(|| with_query(&address, &pairs)))
    }

    /// What the Promise of the page that opened a window is told, as JSON: `open`, `paid` or
    /// `failed`; none if there is no such window.
    pub fn window_outcome(&mut self, now: DateTime<Utc>, id: &str) -> Option<String> {
        let open = self.window(now, id)?.open;
        let window = self.windows.0.get(id)?;
        Some(match &window.outcome {
            Some(outcome) => outcome.clone(),
            None if open => "{\"state\":\"open\"}".to_owned(),
            // Lapsed, or finished by a redirect.
            None => {
                let pairs = [("code", "PAY_PROCESS_CANCELED".to_owned())];
                outcome(false, &pairs, Currency::Krw)
            }
        })
    }
}

/// What the buyer pays with, if the payment's currency has it; a wallet abroad is the one that the
/// page asked for.
fn chosen(payment: &Payment, method: Method) -> Option<Method> {
    let abroad = |method: &Method| matches!(method, Method::ForeignEasyPay { .. });
    match (abroad(&payment.method), abroad(&method)) {
        (true, true) => Some(payment.method.clone()),
        (false, false) => Some(method).filter(|method| payment.currency().suits(method)),
        (true, false) | (false, true) => None,
    }
}

fn outcome(paid: bool, pairs: &[(&str, String)], currency: Currency) -> String {
    let mut told = serde_json::Map::new();
    let state = if paid { "paid" } else { "failed" };
    told.insert("state".to_owned(), state.into());
    for (name, value) in pairs {
        let value = match (*name, value.parse::<serde_json::Number>()) {
            ("amount", Ok(value)) => {
                serde_json::json!({ "currency": currency.name(), "value": value })
            }
            _ => value.clone().into(),
        };
        told.insert((*name).to_owned(), value);
    }
    serde_json::Value::from(told).to_string()
}
