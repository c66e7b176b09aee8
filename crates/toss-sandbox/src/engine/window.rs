//! The payment window: what the buyer sees and does between the shop's page and its return.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::{
    ApiError, Change, Engine, Language, Method, NewPayment, Status, Terms,
    audit::fingerprint_of_unordered,
    change::Inconsistent,
    request::{Won, is_order_id, parse},
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

/// Longest return address taken, in bytes.
const URL_MAX: usize = 2_000;

/// Characters that stay as they are in a query value (RFC 3986, unreserved).
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The `method` of `requestPayment`, as far as the sandbox plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestedMethod {
    /// `CARD`: the window offers cards and wallets.
    Card,
    /// `VIRTUAL_ACCOUNT`: the window offers banks.
    VirtualAccount,
}

/// What the browser script sends; unknown fields are left unread, as Toss adds options freely.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenBody {
    client_key: String,
    method: String,
    amount: AmountBody,
    order_id: String,
    order_name: String,
    success_url: String,
    fail_url: String,
    customer_name: Option<String>,
    tax_free_amount: Option<Won>,
}

#[derive(Debug, Deserialize)]
struct AmountBody {
    currency: String,
    value: Won,
}

/// Answer to the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenedWindow {
    /// Names the window in `/sandbox/window/{id}`.
    pub window_id: String,
    /// Path of the page.
    pub path: String,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSight {
    /// What is bought.
    pub order_name: String,
    /// The merchant's order id.
    pub order_id: String,
    /// Won.
    pub amount: u64,
    /// What the page asked for.
    pub method: RequestedMethod,
    /// Whether the buyer can still act.
    pub open: bool,
}

/// What the buyer chose to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Pays with a method; a code makes the later confirm fail with it.
    Pay {
        /// Card, wallet or bank.
        method: Method,
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
            } => {
                let window = Window {
                    payment_key,
                    method,
                    customer_name,
                    success_url,
                    fail_url,
                    finished: false,
                };
                self.0.insert(window_id, window);
                Ok(None)
            }
            Change::WindowFinished { window_id } => match self.0.get_mut(&window_id) {
                Some(window) if !window.finished => {
                    window.finished = true;
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
    /// Opens a payment and its window, as the browser script asks.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a malformed body or a return address that is not absolute http(s);
    /// `UNAUTHORIZED_KEY`, `INVALID_ORDER_ID`, `INVALID_CURRENCY`, `BELOW_MINIMUM_AMOUNT`,
    /// `NOT_SUPPORTED_METHOD` for what they say.
    pub fn open_window(
        &mut self,
        now: DateTime<Utc>,
        body: &[u8],
    ) -> Result<OpenedWindow, ApiError> {
        let body: OpenBody = parse(body)?;
        if body.client_key != self.client_key {
            return Err(ApiError::new("UNAUTHORIZED_KEY"));
        }
        if !is_order_id(&body.order_id) {
            return Err(ApiError::new("INVALID_ORDER_ID"));
        }
        if body.amount.currency != "KRW" {
            return Err(ApiError::new("INVALID_CURRENCY"));
        }
        let name_length = body.order_name.chars().count();
        let returns = [&body.success_url, &body.fail_url];
        if !(1..=100).contains(&name_length) || !returns.into_iter().all(|url| is_return_url(url)) {
            return Err(ApiError::new("INVALID_REQUEST"));
        }
        let (method, minimum) = match body.method.as_str() {
            "CARD" => (RequestedMethod::Card, 100),
            "VIRTUAL_ACCOUNT" => (RequestedMethod::VirtualAccount, 200),
            _ => return Err(ApiError::new("NOT_SUPPORTED_METHOD")),
        };
        let amount = body.amount.value.0;
        if amount < minimum {
            return Err(ApiError::new("BELOW_MINIMUM_AMOUNT"));
        }
        let new = NewPayment {
            order_id: body.order_id,
            order_name: body.order_name,
            amount,
            tax_free: body.tax_free_amount.map_or(0, |won| won.0),
            method: Method::card(),
            terms: Terms::default(),
        };
        let payment_key = self.bank.open(now, &mut self.random, new);
        let window_id = self.random.window_id();
        self.make(Change::WindowOpened {
            window_id: window_id.clone(),
            payment_key,
            method,
            customer_name: body.customer_name.unwrap_or_else(|| "김토스".to_owned()),
            success_url: body.success_url,
            fail_url: body.fail_url,
        });
        Ok(OpenedWindow {
            path: format!("/sandbox/window/{window_id}"),
            window_id,
        })
    }

    /// What the window's page shows; none if there is no such window.
    pub fn window(&mut self, now: DateTime<Utc>, id: &str) -> Option<WindowSight> {
        let window = self.windows.0.get(id)?;
        let payment = self.bank.find(now, &window.payment_key)?;
        Some(WindowSight {
            order_name: payment.order_name.clone(),
            order_id: payment.order_id.clone(),
            amount: payment.amount,
            method: window.method,
            open: !window.finished && payment.status == Status::Ready,
        })
    }

    /// Who is expected to pay into a virtual account opened from this window.
    pub fn window_customer(&self, id: &str) -> Option<&str> {
        self.windows
            .0
            .get(id)
            .map(|window| window.customer_name.as_str())
    }

    /// The buyer acts; returns the address that the browser is sent back to.
    ///
    /// # Errors
    /// [`WindowClosed`] if the window is unknown, used or lapsed.
    pub fn finish_window(
        &mut self,
        now: DateTime<Utc>,
        id: &str,
        choice: Choice,
        language: Language,
    ) -> Result<String, WindowClosed> {
        if !self.window(now, id).is_some_and(|sight| sight.open) {
            return Err(WindowClosed);
        }
        let window = self.windows.0.get(id).ok_or(WindowClosed)?;
        let key = window.payment_key.as_str();
        let address = match choice {
            Choice::Pay {
                method,
                decline_at_confirm,
            } => {
                self.bank
                    .authenticate(now, key, method, decline_at_confirm)
                    .map_err(|_| WindowClosed)?;
                let payment = self.bank.find(now, key).ok_or(WindowClosed)?;
                let amount = payment.amount.to_string();
                let pairs = [
                    ("paymentType", "NORMAL"),
                    ("orderId", payment.order_id.as_str()),
                    ("paymentKey", key),
                    ("amount", amount.as_str()),
                ];
                with_query(&window.success_url, &pairs)
            }
            // Toss says nothing to the merchant and leaves the payment READY until it lapses.
            Choice::Close => {
                let message = match language {
                    Language::Korean => "사용자에 의해 결제가 취소되었습니다.",
                    Language::English => "The buyer closed the payment window.",
                };
                let pairs = [("code", "PAY_PROCESS_CANCELED"), ("message", message)];
                with_query(&window.fail_url, &pairs)
            }
            Choice::Decline { code } => {
                self.bank.abort(now, key, &code);
                let message = ApiError::new(&code).message(language);
                let order_id = self.bank.order_of(key).unwrap_or_default();
                let pairs = [
                    ("code", code.as_str()),
                    ("message", message),
                    ("orderId", order_id),
                ];
                with_query(&window.fail_url, &pairs)
            }
        };
        self.make(Change::WindowFinished {
            window_id: id.to_owned(),
        });
        Ok(address)
    }
}

/// Only absolute http(s) addresses: anything else, above all `javascript:`, is refused.
fn is_return_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let scheme_is_http =
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let clean = |byte: u8| byte > b' ' && byte != 0x7f && byte != b'\\';
    scheme_is_http
        && url.len() <= URL_MAX
        && url.bytes().all(clean)
        && !rest.is_empty()
        && !rest.starts_with(['/', '?', '#'])
}

/// Adds pairs to an address's query, before its fragment.
fn with_query(url: &str, pairs: &[(&str, &str)]) -> String {
    let (address, fragment) = match url.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (url, None),
    };
    let mut result = address.to_owned();
    for (name, value) in pairs {
        let separator = if !result.contains('?') {
            "?"
        } else if result.ends_with(['?', '&']) {
            ""
        } else {
            "&"
        };
        result.push_str(separator);
        result.push_str(name);
        result.push('=');
        result.extend(utf8_percent_encode(value, QUERY_VALUE));
    }
    if let Some(fragment) = fragment {
        result.push('#');
        result.push_str(fragment);
    }
    // A header holds ASCII only; what else the shop's address has is encoded as browsers do.
    utf8_percent_encode(&result, CONTROLS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_http_addresses_are_return_addresses() {
        for good in [
            "http://127.0.0.1:8080/success",
            "HTTPS://shop.example",
            "https://쇼핑.kr/a?b=c",
        ] {
            assert!(is_return_url(good), "{good}");
        }
        for bad in [
            "",
            "/success",
            "javascript:alert(1)",
            "JavaScript:alert(1)//http://",
            "http://",
            "https:///x",
            "ftp://x",
            " http://x",
            "http://x/\r\nSet-Cookie: a=b",
            "http:x",
            "data:text/html,",
        ] {
            assert!(!is_return_url(bad), "{bad}");
        }
    }

    #[test]
    fn a_query_is_added_before_the_fragment_and_after_an_existing_one() {
        assert_eq!(
            with_query("http://a/s", &[("k", "가 &")]),
            "http://a/s?k=%EA%B0%80%20%26"
        );
        assert_eq!(
            with_query("http://a/s?x=1#top", &[("k", "v"), ("l", "w")]),
            "http://a/s?x=1&k=v&l=w#top"
        );
        assert_eq!(with_query("http://a/s?", &[("k", "v")]), "http://a/s?k=v");
    }
}
