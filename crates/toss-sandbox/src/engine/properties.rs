//! Random sequences of calls, cancels, faults and time: the books stay right whatever comes.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ApiRequest, Change, Delivery, Engine, Findings, Method};
use crate::{
    DEFAULT_SECRET_KEY, SandboxConfig,
    endpoint::Endpoint,
    fault::{Effect, Fault, Target},
};

const ORDERS: [&str; 3] = ["order-0001", "order-0002", "order-0003"];
const AMOUNT: u64 = 1_000;

#[derive(Debug, Clone)]
enum Action {
    Authenticate {
        order: usize,
        account: bool,
    },
    Confirm {
        payment: usize,
        order: usize,
        amount: u64,
        key: Option<u8>,
    },
    Cancel {
        payment: usize,
        amount: Option<u64>,
        key: Option<u8>,
    },
    Deposit {
        payment: usize,
    },
    Reverse {
        payment: usize,
    },
    Inject(Effect),
    Wait {
        seconds: i64,
    },
    Garbage {
        endpoint: u8,
        subject: String,
        body: Vec<u8>,
        key: String,
    },
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        Just(Effect::ApproveThenSilence),
        Just(Effect::ApproveThenReset),
        Just(Effect::SilenceWithoutApproval),
        Just(Effect::ResetWithoutApproval),
        Just(Effect::WrongAmount),
        Just(Effect::HalfBody),
        Just(Effect::LoseWebhook),
        Just(Effect::RateLimit { per_minute: 1 }),
        any::<bool>().prop_map(|executed| Effect::Html502 { executed }),
        Just(Effect::Error {
            code: "REJECT_CARD_PAYMENT".to_owned()
        }),
        Just(Effect::Error {
            code: "PROVIDER_ERROR".to_owned()
        }),
        Just(Effect::ApproveThenError {
            code: "COMMON_ERROR".to_owned()
        }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let key = || proptest::option::of(0..4_u8);
    prop_oneof![
        3 => (0..ORDERS.len(), proptest::bool::weighted(0.2))
            .prop_map(|(order, account)| Action::Authenticate { order, account }),
        6 => (0..8_usize, 0..ORDERS.len(), prop_oneof![9 => Just(AMOUNT), 1 => Just(1)], key())
            .prop_map(|(payment, order, amount, key)| {
                Action::Confirm { payment, order, amount, key }
            }),
        3 => (0..8_usize, proptest::option::of(0..=AMOUNT), key())
            .prop_map(|(payment, amount, key)| Action::Cancel { payment, amount, key }),
        1 => (0..8_usize).prop_map(|payment| Action::Deposit { payment }),
        1 => (0..8_usize).prop_map(|payment| Action::Reverse { payment }),
        1 => effect().prop_map(Action::Inject),
        1 => (0..2_000_i64).prop_map(|seconds| Action::Wait { seconds }),
        1 => (0..40_u8, ".{0,20}", proptest::collection::vec(any::<u8>(), 0..60), ".{0,5}")
            .prop_map(|(endpoint, subject, body, key)| {
                Action::Garbage { endpoint, subject, body, key }
            }),
    ]
}

fn with_key(mut request: ApiRequest, key: Option<u8>) -> ApiRequest {
    request.idempotency_key = key.map(|key| format!("key-{key}"));
    request
}

/// Does one action; returns the status answered, if any.
fn act(
    engine: &mut Engine,
    now: &mut DateTime<Utc>,
    keys: &mut Vec<String>,
    action: Action,
) -> Option<u16> {
    let key_of = |payment: usize| {
        keys.get(payment % keys.len().max(1))
            .map(String::as_str)
            .unwrap_or_default()
    };
    let request = match action {
        Action::Authenticate { order, account } => {
            keys.push(engine.authenticate(*now, ORDERS[order], "name", AMOUNT, method(account)));
            return None;
        }
        Action::Confirm {
            payment,
            order,
            amount,
            key,
        } => {
            let request =
                ApiRequest::confirm(DEFAULT_SECRET_KEY, key_of(payment), ORDERS[order], amount);
            with_key(request, key)
        }
        Action::Cancel {
            payment,
            amount,
            key,
        } => with_key(cancel(key_of(payment), amount), key),
        Action::Deposit { payment } => {
            // Refused more often than not, which is as good a step as any.
            let _deposited = engine.deposit(*now, key_of(payment));
            return None;
        }
        Action::Reverse { payment } => {
            let _reversed = engine.reverse_deposit(*now, key_of(payment));
            return None;
        }
        Action::Inject(effect) => {
            engine.inject(Fault {
                target: Target::default(),
                effect,
                times: Some(1),
            });
            return None;
        }
        Action::Wait { seconds } => {
            *now += TimeDelta::seconds(seconds);
            return None;
        }
        Action::Garbage {
            endpoint,
            subject,
            body,
            key,
        } => {
            let endpoint = Endpoint::ALL[usize::from(endpoint) % Endpoint::ALL.len()];
            let mut request =
                ApiRequest::new(endpoint, DEFAULT_SECRET_KEY, &subject, String::new());
            request.body = body;
            request.idempotency_key = Some(key);
            request
        }
    };
    match engine.call(*now, request) {
        Delivery::Answer(answer) => Some(answer.status),
        Delivery::Silence | Delivery::Reset => None,
    }
}

fn method(account: bool) -> Method {
    if account {
        Method::VirtualAccount {
            bank_code: "20".to_owned(),
            customer_name: "김".to_owned(),
        }
    } else {
        Method::card()
    }
}

fn cancel(key: &str, amount: Option<u64>) -> ApiRequest {
    let account = json!({ "bank": "20", "accountNumber": "1", "holderName": "김" });
    let body =
        json!({ "cancelReason": "r", "cancelAmount": amount, "refundReceiveAccount": account });
    ApiRequest::new(Endpoint::Cancel, DEFAULT_SECRET_KEY, key, body.to_string())
}

proptest! {
    #[test]
    fn no_sequence_charges_an_order_twice_or_loses_a_won(
        actions in proptest::collection::vec(action(), 1..80),
    ) {
        let mut engine = Engine::new(&SandboxConfig::default());
        let mut now = DateTime::UNIX_EPOCH;
        let mut keys = Vec::new();
        for action in actions {
            act(&mut engine, &mut now, &mut keys, action);
        }
        for row in engine.ledger(0, usize::MAX) {
            prop_assert!(row.approvals <= 1, "{row:?}");
            prop_assert_eq!(row.net, row.approved - row.canceled);
        }
        for key in keys {
            let shown = engine.payment(now, &key, |_, view| serde_json::to_value(view).unwrap());
            let shown = shown.unwrap();
            let won = |field: &str| shown[field].as_u64().unwrap();
            let no_cancels = Vec::new();
            let cancels = shown["cancels"].as_array().unwrap_or(&no_cancels);
            let canceled: u64 =
                cancels.iter().map(|cancel| cancel["cancelAmount"].as_u64().unwrap()).sum();
            prop_assert_eq!(won("totalAmount"), won("balanceAmount") + canceled);
            prop_assert_eq!(won("suppliedAmount") + won("vat"), won("balanceAmount"));
            let paid = shown["approvedAt"] != Value::Null;
            prop_assert!(!paid || ["DONE", "CANCELED", "PARTIAL_CANCELED"]
                .contains(&shown["status"].as_str().unwrap()));
        }
    }

    #[test]
    fn the_changes_alone_rebuild_the_books(
        actions in proptest::collection::vec(action(), 1..80),
        idempotency_records_max in 1..5_usize,
    ) {
        let config = SandboxConfig { idempotency_records_max, ..SandboxConfig::default() };
        let (mut engine, mut rebuilt) = (Engine::new(&config), Engine::new(&config));
        engine.record_changes();
        let mut now = DateTime::UNIX_EPOCH;
        let mut keys = Vec::new();
        for action in actions {
            act(&mut engine, &mut now, &mut keys, action);
            // By way of text, as through a journal.
            let text = serde_json::to_string(&engine.take_changes()).unwrap();
            for change in serde_json::from_str::<Vec<Change>>(&text).unwrap() {
                prop_assert_eq!(rebuilt.apply(change), Ok(()));
            }
        }
        prop_assert_eq!(engine.audit(), Findings::default());
        let differences = engine.fingerprint().differences(&rebuilt.fingerprint());
        prop_assert_eq!(differences, Findings::default());
        prop_assert_eq!(engine.ledger(0, usize::MAX), rebuilt.ledger(0, usize::MAX));
        prop_assert_eq!(engine.payments(now, 0, 100), rebuilt.payments(now, 0, 100));
    }

    #[test]
    fn without_a_fault_nothing_is_a_server_error(
        actions in proptest::collection::vec(action(), 1..80),
    ) {
        let mut engine = Engine::new(&SandboxConfig::default());
        let mut now = DateTime::UNIX_EPOCH;
        let mut keys = Vec::new();
        for action in actions {
            if !matches!(action, Action::Inject(_)) {
                let status = act(&mut engine, &mut now, &mut keys, action);
                prop_assert!(status.is_none_or(|status| status < 500), "{status:?}");
            }
        }
    }
}
