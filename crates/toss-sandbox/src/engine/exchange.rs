//! What passes between a caller and the engine.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{
    errors::{ApiError, Language},
    request::ConfirmBody,
};
use crate::{endpoint::Endpoint, fault::Effect};

/// One call of the API, as it came over the wire.
#[derive(Debug, Clone)]
pub struct ApiRequest {
    /// Which call it is.
    pub endpoint: Endpoint,
    /// The URL's path, such as `/v1/payments/confirm`.
    pub path: String,
    /// What the path names, such as a payment key; the query string, without its question mark,
    /// where the path names nothing.
    pub subject: String,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Accept-Language`.
    pub accept_language: Option<String>,
    /// `Idempotency-Key`; ignored on GET.
    pub idempotency_key: Option<String>,
    /// `TossPayments-Test-Code`.
    pub test_code: Option<String>,
    /// `TossPayments-api-security-mode`: `ENCRYPTION` if the body is encrypted.
    pub security_mode: Option<String>,
    /// `Sandbox-Fault`: an effect as JSON that befalls this call alone.
    pub fault: Option<String>,
    /// The body, unread.
    pub body: Vec<u8>,
}

impl ApiRequest {
    /// A confirm with the given secret key; its optional headers are left out.
    pub fn confirm(secret_key: &str, payment_key: &str, order_id: &str, amount: u64) -> Self {
        let body = serde_json::json!({
            "paymentKey": payment_key, "orderId": order_id, "amount": amount,
        });
        Self::new(Endpoint::Confirm, secret_key, "", body.to_string())
    }

    /// A call of any endpoint about a payment key or order id.
    pub fn new(endpoint: Endpoint, secret_key: &str, subject: &str, body: String) -> Self {
        Self {
            endpoint,
            path: endpoint.path(subject),
            subject: subject.to_owned(),
            authorization: Some(format!(
                "Basic {}",
                STANDARD.encode(format!("{secret_key}:"))
            )),
            accept_language: None,
            idempotency_key: None,
            test_code: None,
            security_mode: None,
            fault: None,
            body: body.into_bytes(),
        }
    }

    /// Whether body and answer are encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.endpoint.is_v2() && self.security_mode.as_deref() == Some("ENCRYPTION")
    }

    pub(super) fn language(&self) -> Language {
        Language::from_header(self.accept_language.as_deref())
    }
}

/// What an [`Answer`]'s body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// `application/json`.
    Json,
    /// `text/plain`: a JWE.
    Text,
    /// `text/html`, from the proxy that a fault plays.
    Html,
}

/// How an [`Answer`] is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pace {
    /// At once.
    #[default]
    Whole,
    /// Half of the body, after which the connection is closed.
    Half,
    /// In pieces over a time.
    Over(Duration),
}

/// An answer of the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// What the body is.
    pub content: Content,
    /// How it is sent.
    #[serde(skip)]
    pub pace: Pace,
    /// The body; shared, because it may be replayed.
    #[serde(with = "shared_text")]
    pub body: Arc<str>,
    /// Value of `x-tosspayments-trace-id`.
    pub trace_id: String,
    /// Trace id of the request whose answer is replayed here, sent as a second header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_trace_id: Option<String>,
    /// The `Idempotency-Key` to echo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// A shared text is written like any other.
mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

/// What becomes of a call's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It is sent.
    Answer(Answer),
    /// It is never sent; the connection stays open.
    Silence,
    /// It is never sent; the connection is closed.
    Reset,
}

/// What to do next with a call: wait `delay`, then take the step.
#[derive(Debug)]
pub struct Reception {
    /// How long the faults hold the call back.
    pub delay: Duration,
    /// What comes after the wait.
    pub step: Step,
}

/// The step after the wait.
#[derive(Debug)]
pub enum Step {
    /// All is decided.
    Deliver(Delivery),
    /// [`Engine::perform`](super::Engine::perform) this, whether or not the client still listens.
    Work(Box<Ticket>),
}

/// A call that is let in and whose work is not done yet.
#[derive(Debug)]
pub struct Ticket {
    pub(super) request: ApiRequest,
    pub(super) number: u64,
    pub(super) confirm: Option<Result<ConfirmBody, ApiError>>,
    pub(super) effect: Option<Effect>,
    pub(super) scope: Option<Arc<str>>,
    /// Whether the widget's secret key was presented.
    pub(super) widget: bool,
}
