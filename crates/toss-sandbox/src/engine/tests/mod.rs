//! One test per rule of Toss's that the engine keeps.

mod benefits;
mod books;
mod direct;
mod everything;
mod faults;
mod foreign;
mod payments;
mod protocol;
mod rebuild;
mod transactions;
mod unknowns;
mod v2;
mod webhooks;
mod window_billing;
mod windows;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Answer, ApiRequest, Delivery, Engine, Method};
use crate::{
    DEFAULT_SECRET_KEY, SandboxConfig,
    endpoint::Endpoint,
    fault::{Effect, Fault, Target},
};

const ORDER: &str = "order-0001";

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

struct Bench {
    engine: Engine,
    now: DateTime<Utc>,
}

impl Bench {
    fn new() -> Self {
        Self::with(&SandboxConfig::default())
    }

    fn with(config: &SandboxConfig) -> Self {
        Self {
            engine: Engine::new(config),
            now: start(),
        }
    }

    fn authenticate(&mut self, order_id: &str, amount: u64) -> String {
        self.engine
            .authenticate(self.now, order_id, "티셔츠", amount, Method::card())
    }

    fn virtual_account(&mut self, amount: u64) -> String {
        let method = Method::VirtualAccount {
            bank_code: "20".to_owned(),
            customer_name: "김토스".to_owned(),
        };
        self.engine
            .authenticate(self.now, ORDER, "티셔츠", amount, method)
    }

    fn deliver(&mut self, request: ApiRequest) -> Delivery {
        self.engine.call(self.now, request)
    }

    fn send(&mut self, request: ApiRequest) -> Answer {
        match self.deliver(request) {
            Delivery::Answer(answer) => answer,
            other => panic!("no answer: {other:?}"),
        }
    }

    fn confirm(&mut self, key: &str, order_id: &str, amount: u64) -> (u16, Value) {
        read(&self.send(confirm(key, order_id, amount)))
    }

    fn cancel(&mut self, key: &str, body: &Value) -> (u16, Value) {
        read(&self.send(request(Endpoint::Cancel, key, body)))
    }

    fn get(&mut self, key: &str) -> (u16, Value) {
        read(&self.send(request(Endpoint::Get, key, &Value::Null)))
    }

    fn get_by_order(&mut self, order_id: &str) -> (u16, Value) {
        read(&self.send(request(Endpoint::GetByOrder, order_id, &Value::Null)))
    }

    fn inject(&mut self, effect: Effect) {
        self.engine.inject(Fault {
            target: Target::default(),
            effect,
            times: Some(1),
        });
    }

    fn approvals(&self) -> u32 {
        self.engine
            .ledger(0, usize::MAX)
            .iter()
            .map(|row| row.approvals)
            .sum()
    }
}

fn confirm(key: &str, order_id: &str, amount: u64) -> ApiRequest {
    ApiRequest::confirm(DEFAULT_SECRET_KEY, key, order_id, amount)
}

fn request(endpoint: Endpoint, subject: &str, body: &Value) -> ApiRequest {
    ApiRequest::new(endpoint, DEFAULT_SECRET_KEY, subject, body.to_string())
}

fn keyed(mut request: ApiRequest, key: &str) -> ApiRequest {
    request.idempotency_key = Some(key.to_owned());
    request
}

fn read(answer: &Answer) -> (u16, Value) {
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

fn reason() -> Value {
    json!({ "cancelReason": "변심" })
}
