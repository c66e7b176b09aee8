//! The way of an answer out of the engine: what it is made of, and what a fault does to it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    Answer, ApiError, ApiRequest, Content, Delivery, Engine, Language, Pace, Ticket, json,
};
use crate::fault::Effect;

const HTML_502: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

impl Engine {
    /// The way of an answer to the caller, on which faults may befall it.
    pub(super) fn carry(
        &mut self,
        number: u64,
        answer: Answer,
        effect: Option<&Effect>,
    ) -> Delivery {
        let answer = match effect {
            Some(Effect::ApproveThenSilence) => return Delivery::Silence,
            Some(Effect::ApproveThenReset) => return Delivery::Reset,
            Some(Effect::HalfBody) => Answer {
                pace: Pace::Half,
                ..answer
            },
            Some(Effect::SlowBody { over_ms }) => Answer {
                pace: Pace::Over(Duration::from_millis(*over_ms)),
                ..answer
            },
            Some(Effect::Html502 { .. }) => Answer {
                status: 502,
                content: Content::Html,
                body: HTML_502.into(),
                idempotency_key: None,
                ..answer
            },
            _ => answer,
        };
        self.calls.answered(number, answer.status, code_of(&answer));
        self.exchanges.answered(number, &answer);
        Delivery::Answer(answer)
    }

    pub(super) fn refuse(
        &mut self,
        request: &ApiRequest,
        number: u64,
        error: &ApiError,
    ) -> Delivery {
        let answer = self.error_answer(request, error);
        self.carry(number, answer, None)
    }

    /// An injected error: a decline aborts the payment that it is about.
    pub(super) fn fail_with(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
        code: &str,
    ) -> ApiError {
        let error = ApiError::new(code);
        if let Some(Ok(body)) = &ticket.confirm
            && error.declines()
            && self
                .bank
                .match_confirm(now, body, &self.mismatch, ticket.widget)
                .is_ok()
        {
            self.bank.abort(now, &body.payment_key, code);
        }
        error
    }

    pub(super) fn answer(&mut self, request: &ApiRequest, status: u16, body: String) -> Answer {
        Answer {
            status,
            content: Content::Json,
            pace: Pace::Whole,
            body: body.into(),
            trace_id: self.random.trace_id(),
            first_trace_id: None,
            idempotency_key: self.scoped_key(request),
        }
    }

    pub(super) fn error_answer(&mut self, request: &ApiRequest, error: &ApiError) -> Answer {
        let text = self.unknowns.texts.get(&error.code);
        let message = text.map_or(error.message(request.language()), String::as_str);
        let body = body_of(&error.code, message);
        if !request.endpoint.is_v2() {
            return self.answer(request, error.status, body);
        }
        let mut answer = self.answer(request, error.status, String::new());
        answer.body = format!(
            "{{\"version\":\"{}\",\"traceId\":\"{}\",\"error\":{body}}}",
            self.version.name(),
            answer.trace_id,
        )
        .into();
        answer
    }
}

/// The code of an error, unless it is sealed or no JSON.
fn code_of(answer: &Answer) -> Option<String> {
    if answer.status < 400 || answer.content != Content::Json {
        return None;
    }
    let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    let code = body.get("code").or_else(|| body.get("error")?.get("code"));
    code.and_then(serde_json::Value::as_str).map(str::to_owned)
}

/// `{"code","message"}`.
pub fn error_body(error: &ApiError, language: Language) -> String {
    body_of(&error.code, error.message(language))
}

fn body_of(code: &str, message: &str) -> String {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        code: &'a str,
        message: &'a str,
    }
    json(&Body { code, message })
}
