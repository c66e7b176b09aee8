//! The way of a call into the engine: who calls, what a fault does to it, and whether its
//! idempotency key lets it in.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};

use super::{
    Answer, ApiError, ApiRequest, Call, Delivery, Engine, IDEMPOTENCY_KEY_MAX, Reception, Step,
    Ticket,
    brandpay::takes_token,
    idempotency::Claim,
    request::{ConfirmBody, parse},
};
use crate::{Fault, Target, endpoint::Endpoint, fault::Effect};

impl Engine {
    /// Receives a call: authentication, faults, idempotency. Work may be left to do.
    pub fn receive(&mut self, now: DateTime<Utc>, request: ApiRequest) -> Reception {
        self.decide_cancels(now);
        let confirm =
            (request.endpoint == Endpoint::Confirm).then(|| parse::<ConfirmBody>(&request.body));
        let order_id = self.order_id(&request, confirm.as_ref());
        let number = self.note(now, &request, confirm.as_ref(), order_id.clone());
        let deliver = |delivery| Reception {
            delay: Duration::ZERO,
            step: Step::Deliver(delivery),
        };
        let widget = match self.authorise(&request) {
            Ok(widget) => widget,
            Err(error) => return deliver(self.refuse(&request, number, &error)),
        };
        let key = self.scoped_key(&request);
        if key
            .as_ref()
            .is_some_and(|key| key.chars().count() > IDEMPOTENCY_KEY_MAX)
        {
            return deliver(self.refuse(
                &request,
                number,
                &ApiError::new("INVALID_IDEMPOTENCY_KEY"),
            ));
        }
        let Ok((delay, effect)) = self.afflict(now, &request, order_id.as_deref()) else {
            return deliver(self.refuse(&request, number, &ApiError::new("INVALID_REQUEST")));
        };
        self.exchanges.struck(number, delay, effect.as_ref());
        if let Some(delivery) = self.unreached(&request, number, effect.as_ref()) {
            return Reception {
                delay,
                step: Step::Deliver(delivery),
            };
        }
        let scope = match key.map(|key| self.claim(now, &request, &key)) {
            None => None,
            Some(Claim::Fresh(scope)) => Some(scope),
            Some(Claim::Running) => {
                let error = ApiError::new("IDEMPOTENT_REQUEST_PROCESSING");
                return deliver(self.refuse(&request, number, &error));
            }
            Some(Claim::Replay(first)) => {
                let answer = Answer {
                    trace_id: self.random.trace_id(),
                    first_trace_id: Some(first.trace_id.clone()),
                    ..first
                };
                let delivery = self.carry(number, answer, effect.as_ref());
                return Reception {
                    delay,
                    step: Step::Deliver(delivery),
                };
            }
        };
        let ticket = Ticket {
            request,
            number,
            confirm,
            effect,
            scope,
            widget,
        };
        Reception {
            delay,
            step: Step::Work(Box::new(ticket)),
        }
    }

    /// The idempotency key that counts: only POSTs have one, and DELETEs if a setting says so.
    pub(super) fn scoped_key(&self, request: &ApiRequest) -> Option<String> {
        let heeded = match request.endpoint.method() {
            "POST" => true,
            "DELETE" => self.unknowns.idempotent_deletes,
            _ => false,
        };
        let key = request.idempotency_key.clone();
        key.filter(|key| heeded && !key.is_empty())
    }

    fn claim(&mut self, now: DateTime<Utc>, request: &ApiRequest, key: &str) -> Claim {
        if request.endpoint.method() == "DELETE" {
            // The path alone stands for POST.
            let path = format!("DELETE {}", request.path);
            self.idempotency.claim(now, key, &path)
        } else {
            self.idempotency.claim(now, key, &request.path)
        }
    }

    /// What the faults do to a call: how long they hold it back, and what else.
    ///
    /// # Errors
    /// If the call brings a fault of its own that cannot be read.
    fn afflict(
        &mut self,
        now: DateTime<Utc>,
        request: &ApiRequest,
        order_id: Option<&str>,
    ) -> Result<(Duration, Option<Effect>), serde_json::Error> {
        if let Some(text) = request.fault.as_deref() {
            let effect: Effect = serde_json::from_str(text)?;
            // It befalls this call, which is the next to be struck; a webhook's, the next one
            // about the call's order.
            let order_id = order_id.filter(|_| effect.is_of_webhooks());
            let target = Target {
                endpoint: None,
                order_id: order_id.map(str::to_owned),
            };
            self.faults.inject_first(Fault {
                target,
                effect,
                times: Some(1),
            });
        }
        let affliction = self.faults.strike(now, request.endpoint, order_id);
        let mut delay_ms = 0_u64;
        for (min, max) in affliction.delays {
            delay_ms = delay_ms.saturating_add(self.random.between(min, max));
        }
        for (min, max) in affliction.tails {
            delay_ms = delay_ms.saturating_add(self.faults.tail(min, max));
        }
        Ok((Duration::from_millis(delay_ms), affliction.effect))
    }

    fn order_id(
        &self,
        request: &ApiRequest,
        confirm: Option<&Result<ConfirmBody, ApiError>>,
    ) -> Option<String> {
        match request.endpoint {
            Endpoint::Confirm => confirm
                .and_then(|body| body.as_ref().ok())
                .map(|body| body.order_id.clone()),
            Endpoint::GetByOrder => Some(request.subject.clone()),
            Endpoint::Get | Endpoint::Cancel => {
                self.bank.order_of(&request.subject).map(str::to_owned)
            }
            _ => order_id_of(&request.body),
        }
    }

    fn note(
        &mut self,
        now: DateTime<Utc>,
        request: &ApiRequest,
        confirm: Option<&Result<ConfirmBody, ApiError>>,
        order_id: Option<String>,
    ) -> u64 {
        let payment_key = match request.endpoint {
            Endpoint::Confirm => confirm
                .and_then(|body| body.as_ref().ok())
                .map(|body| body.payment_key.clone()),
            Endpoint::Get | Endpoint::Cancel => Some(request.subject.clone()),
            _ => None,
        };
        let number = self.calls.arrive(Call {
            at: now,
            method: request.endpoint.method(),
            endpoint: request.endpoint,
            order_id,
            payment_key,
            idempotency_key: request.idempotency_key.clone(),
            status: None,
            code: None,
        });
        self.exchanges.arrive(number, request);
        number
    }

    /// Toss reads `Basic base64(secretKey + ":")`; the colon is mandatory, the password empty.
    /// Returns whether the key is the widget's.
    fn authorise(&self, request: &ApiRequest) -> Result<bool, ApiError> {
        let unauthorised = || ApiError::new("UNAUTHORIZED_KEY");
        let header = request.authorization.as_deref().ok_or_else(unauthorised)?;
        let (scheme, encoded) = header.split_once(' ').ok_or_else(unauthorised)?;
        if takes_token(request.endpoint) {
            let bearer = scheme.eq_ignore_ascii_case("bearer");
            let known = bearer && self.brandpay.knows(encoded.trim());
            return if known {
                Ok(false)
            } else {
                Err(unauthorised())
            };
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(unauthorised());
        }
        let decoded = STANDARD
            .decode(encoded.trim())
            .map_err(|_| ApiError::new("INCORRECT_BASIC_AUTH_FORMAT"))?;
        let Some(colon) = decoded.iter().position(|byte| *byte == b':') else {
            return Err(ApiError::new("INCORRECT_BASIC_AUTH_FORMAT"));
        };
        // The keys of a sandbox guard no money, so the comparison need not take constant time.
        match &decoded[..colon] {
            key if key == self.secret_key.as_bytes() => Ok(false),
            key if key == self.widget_secret_key.as_bytes() => Ok(true),
            _ => Err(unauthorised()),
        }
    }

    /// The delivery of a call that a fault keeps from ever reaching Toss.
    fn unreached(
        &mut self,
        request: &ApiRequest,
        number: u64,
        effect: Option<&Effect>,
    ) -> Option<Delivery> {
        match effect? {
            Effect::SilenceWithoutApproval => Some(Delivery::Silence),
            Effect::ResetWithoutApproval => Some(Delivery::Reset),
            Effect::Html502 { executed: false } => {
                let answer = self.answer(request, 200, String::new());
                Some(self.carry(number, answer, effect))
            }
            Effect::RateLimit { .. } => {
                let error = ApiError::with_fallback(&self.unknowns.rate_limit, 429);
                let answer = self.error_answer(request, &error);
                Some(self.carry(number, answer, None))
            }
            Effect::Delay { .. }
            | Effect::HeavyTailedDelay { .. }
            | Effect::HalfBody
            | Effect::SlowBody { .. }
            | Effect::LoseWebhook
            | Effect::RepeatWebhook { .. }
            | Effect::DelayWebhook { .. }
            | Effect::Error { .. }
            | Effect::ApproveThenSilence
            | Effect::ApproveThenReset
            | Effect::Html502 { executed: true }
            | Effect::ApproveThenError { .. }
            | Effect::WrongAmount => None,
        }
    }
}

/// The order that a body names, for calls whose bodies have one.
fn order_id_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        order_id: String,
    }
    let body: Body = parse(body).ok()?;
    Some(body.order_id)
}
