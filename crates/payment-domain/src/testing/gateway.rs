use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kernel::{OrderId, PaymentKey};

use crate::port::{CancelRequest, ConfirmRequest, GatewayAnswer, LookUp, PaymentGateway};

#[derive(Default)]
struct Script {
    confirms: VecDeque<GatewayAnswer>,
    cancels: VecDeque<GatewayAnswer>,
    looks: VecDeque<LookUp>,
    order_looks: VecDeque<LookUp>,
    calls: Vec<String>,
    closed: bool,
    is_back: bool,
}

/// A gateway that answers what it was told to, in order, and notes every call. Without an answer
/// left it is silent (`Unknown`, `Unavailable`), like Toss on a bad day.
#[derive(Default)]
pub struct ScriptedGateway {
    script: Mutex<Script>,
}

impl ScriptedGateway {
    /// A gateway without answers.
    pub fn new() -> Self {
        Self::default()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the next unanswered confirm.
    pub fn on_confirm(&self, answer: GatewayAnswer) {
        self.script().confirms.push_back(answer);
    }

    /// Answers the next unanswered cancel.
    pub fn on_cancel(&self, answer: GatewayAnswer) {
        self.script().cancels.push_back(answer);
    }

    /// Answers the next unanswered look by payment key.
    pub fn on_look(&self, answer: LookUp) {
        self.script().looks.push_back(answer);
    }

    /// Answers the next unanswered look by order id.
    pub fn on_order_look(&self, answer: LookUp) {
        self.script().order_looks.push_back(answer);
    }

    /// From now on admits no confirm (`true`), or admits them again (`false`).
    pub fn set_closed(&self, closed: bool) {
        self.script().closed = closed;
    }

    /// Tells, once, that Toss answers again.
    pub fn set_back(&self) {
        self.script().is_back = true;
    }

    /// Every call so far: `confirm KEY`, `cancel KEY`, `look PAYMENT`, `look-order ORDER`.
    pub fn calls(&self) -> Vec<String> {
        self.script().calls.clone()
    }
}

const SILENCE: &str = "no answer was scripted";

#[async_trait]
impl PaymentGateway for ScriptedGateway {
    fn admits(&self) -> bool {
        !self.script().closed
    }

    async fn is_back(&self) -> bool {
        std::mem::take(&mut self.script().is_back)
    }

    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer {
        let mut script = self.script();
        script.calls.push(format!("confirm {}", request.key));
        script
            .confirms
            .pop_front()
            .unwrap_or(GatewayAnswer::Unknown {
                reason: SILENCE.into(),
            })
    }

    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer {
        let mut script = self.script();
        script.calls.push(format!("cancel {}", request.key));
        script
            .cancels
            .pop_front()
            .unwrap_or(GatewayAnswer::Unknown {
                reason: SILENCE.into(),
            })
    }

    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp {
        let mut script = self.script();
        script.calls.push(format!("look {payment_key}"));
        script.looks.pop_front().unwrap_or(LookUp::Unavailable {
            reason: SILENCE.into(),
        })
    }

    async fn look_up_order(&self, order_id: &OrderId) -> LookUp {
        let mut script = self.script();
        script.calls.push(format!("look-order {order_id}"));
        script
            .order_looks
            .pop_front()
            .unwrap_or(LookUp::Unavailable {
                reason: SILENCE.into(),
            })
    }
}
