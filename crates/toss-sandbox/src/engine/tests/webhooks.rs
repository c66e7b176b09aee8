//! Which events are owed, when, and how often.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Bench, ORDER, reason, request};
use crate::{
    SandboxConfig,
    endpoint::Endpoint,
    engine::{Change, Engine, Findings, RETRY_AFTER_MINUTES, Transmission, WebhookState},
    fault::{Effect, Fault, Rule, Target},
};

fn listening() -> Bench {
    let mut bench = Bench::new();
    bench.engine.want_webhooks();
    bench
}

impl Bench {
    /// The events that are due now, all taken with 200.
    fn told(&mut self) -> Vec<Value> {
        self.transmissions()
            .into_iter()
            .map(|sent| {
                self.engine.webhook_tried(self.now, &sent.id, Some(200));
                serde_json::from_str(&sent.body).unwrap()
            })
            .collect()
    }

    fn transmissions(&mut self) -> Vec<Transmission> {
        self.engine.announce(self.now);
        self.engine.due_webhooks(self.now, 100)
    }
}

fn statuses(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let status = event["data"]["status"]
                .as_str()
                .or(event["status"].as_str());
            let kind = event["eventType"].as_str().unwrap_or("DEPOSIT_CALLBACK");
            format!("{kind} {}", status.unwrap_or_default())
        })
        .collect()
}

#[test]
fn a_call_brings_a_fault_for_its_own_order_s_webhook() {
    let mut bench = listening();
    let (key, other) = (
        bench.authenticate(ORDER, 1_000),
        bench.authenticate("order-0002", 1_000),
    );
    // A call that causes no event: the fault waits for its order's next one.
    let mut look = request(Endpoint::Get, &key, &Value::Null);
    look.fault = Some(r#"{"type":"loseWebhook"}"#.to_owned());
    bench.send(look);
    bench.confirm(&other, "order-0002", 1_000);
    assert_eq!(bench.told()[0]["data"]["orderId"], "order-0002");
    bench.confirm(&key, ORDER, 1_000);
    assert!(bench.told().is_empty());
    bench.cancel(&key, &reason());
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn a_payment_s_ends_are_told_and_its_beginnings_are_not() {
    let mut bench = listening();
    let key = bench.authenticate(ORDER, 1_000);
    assert!(bench.told().is_empty());
    bench.confirm(&key, ORDER, 1_000);
    let told = bench.told();
    assert_eq!(statuses(&told), ["PAYMENT_STATUS_CHANGED DONE"]);
    assert_eq!(told[0]["createdAt"], "2026-01-01T09:00:00.000000");
    assert_eq!(told[0]["data"]["paymentKey"], key);
    assert_eq!(told[0]["data"]["secret"], bench.get(&key).1["secret"]);
    let mut part = reason();
    part["cancelAmount"] = json!(400);
    bench.cancel(&key, &part);
    bench.cancel(&key, &reason());
    assert_eq!(
        statuses(&bench.told()),
        [
            "PAYMENT_STATUS_CHANGED PARTIAL_CANCELED",
            "PAYMENT_STATUS_CHANGED PARTIAL_CANCELED"
        ]
    );
    assert!(bench.told().is_empty());
}

#[test]
fn a_payment_lapses_in_its_time_and_that_is_told_without_anybody_looking() {
    let mut bench = Bench::new();
    bench.authenticate("order-0001", 1_000);
    bench.engine.want_webhooks();
    bench.now += TimeDelta::minutes(5);
    bench.authenticate("order-0002", 1_000);
    assert!(bench.told().is_empty());
    bench.now += TimeDelta::minutes(5);
    assert!(
        bench
            .engine
            .next_webhook_at()
            .is_some_and(|at| at <= bench.now)
    );
    let told = bench.told();
    assert_eq!(statuses(&told), ["PAYMENT_STATUS_CHANGED EXPIRED"]);
    assert_eq!(told[0]["data"]["orderId"], "order-0001");
    bench.now += TimeDelta::minutes(5);
    assert_eq!(bench.told()[0]["data"]["orderId"], "order-0002");
}

#[test]
fn an_account_s_deposit_is_told_twice_with_its_secret_and_its_expiry_never() {
    let mut bench = listening();
    let key = bench.virtual_account(1_000);
    let (_, issued) = bench.confirm(&key, ORDER, 1_000);
    assert!(bench.told().is_empty(), "the issue is answered, not told");
    let now = bench.now;
    bench.engine.deposit(now, &key).unwrap();
    let told = bench.told();
    assert_eq!(
        statuses(&told),
        ["PAYMENT_STATUS_CHANGED DONE", "DEPOSIT_CALLBACK DONE"]
    );
    let callback = &told[1];
    assert_eq!(
        (&callback["secret"], &callback["orderId"]),
        (&issued["secret"], &json!(ORDER))
    );
    assert!(callback.get("paymentKey").is_none() && callback.get("eventType").is_none());
    bench.engine.reverse_deposit(now, &key).unwrap();
    assert_eq!(
        statuses(&bench.told()),
        ["DEPOSIT_CALLBACK WAITING_FOR_DEPOSIT"]
    );
    bench.now += TimeDelta::days(8);
    assert!(bench.told().is_empty());
    assert_eq!(bench.get(&key).1["virtualAccount"]["expired"], true);
    bench.cancel(&key, &reason());
    assert_eq!(
        statuses(&bench.told()),
        [
            "PAYMENT_STATUS_CHANGED CANCELED",
            "DEPOSIT_CALLBACK CANCELED"
        ]
    );
}

#[test]
fn billing_tells_of_a_deleted_key_and_of_no_payment() {
    let mut bench = listening();
    let body = json!({
        "cardNumber": "9410001234567890", "cardExpirationYear": "30", "cardExpirationMonth": "12",
        "customerIdentityNumber": "900101", "customerKey": "buyer-1", "amount": 1_000,
        "orderId": ORDER, "orderName": "티셔츠",
    });
    let issued = bench.send(request(Endpoint::IssueBillingByCard, "", &body));
    let issued: Value = serde_json::from_str(&issued.body).unwrap();
    let key = issued["billingKey"].as_str().unwrap();
    assert_eq!(
        bench
            .send(request(Endpoint::ChargeBilling, key, &body))
            .status,
        200
    );
    assert!(bench.told().is_empty());
    bench.send(request(Endpoint::RemoveBilling, key, &Value::Null));
    let told = bench.told();
    assert_eq!(told[0]["eventType"], "BILLING_DELETED");
    assert_eq!(told[0]["data"]["billingKey"], key);
}

#[test]
fn an_event_is_sent_again_at_tosss_times_with_the_same_id_and_then_given_up() {
    let mut bench = listening();
    let key = bench.authenticate(ORDER, 1_000);
    bench.confirm(&key, ORDER, 1_000);
    let first = bench.transmissions().remove(0);
    bench.engine.webhook_tried(bench.now, &first.id, Some(500));
    for (nth, minutes) in (1..).zip(RETRY_AFTER_MINUTES) {
        bench.now += TimeDelta::minutes(minutes) - TimeDelta::milliseconds(1);
        assert!(bench.transmissions().is_empty());
        bench.now += TimeDelta::milliseconds(1);
        let again = bench.transmissions().remove(0);
        assert_eq!((again.id.as_str(), again.retried), (first.id.as_str(), nth));
        assert!(bench.transmissions().is_empty(), "it is on its way");
        bench.engine.webhook_tried(bench.now, &again.id, None);
    }
    bench.now += TimeDelta::days(30);
    assert!(bench.transmissions().is_empty());
    let row = &bench.engine.webhooks(10)[0];
    assert_eq!(
        (row.state, row.status, row.retried),
        (WebhookState::GivenUp, Some(500), 7)
    );
}

#[test]
fn the_times_between_attempts_can_be_scaled() {
    let mut bench = Bench::with(&SandboxConfig {
        webhook_time_scale: 60,
        ..SandboxConfig::default()
    });
    bench.engine.want_webhooks();
    let key = bench.authenticate(ORDER, 1_000);
    bench.confirm(&key, ORDER, 1_000);
    let first = bench.transmissions().remove(0);
    bench.engine.webhook_tried(bench.now, &first.id, Some(201));
    bench.now += TimeDelta::seconds(1);
    assert_eq!(bench.told().len(), 1, "anything but 200 is sent again");
}

#[test]
fn events_are_lost_doubled_and_overtaken_on_demand() {
    let mut bench = listening();
    let rule = |order: &str, effect: Effect| Rule {
        target: Target {
            endpoint: None,
            order_id: Some(order.to_owned()),
        },
        ..Rule::from(Fault {
            target: Target::default(),
            effect,
            times: Some(1),
        })
    };
    let late = Effect::DelayWebhook {
        min_ms: 2_000,
        max_ms: 3_000,
    };
    let now = bench.now;
    bench.engine.inject_rule(now, rule("order-0001", late));
    bench
        .engine
        .inject_rule(now, rule("order-0002", Effect::RepeatWebhook { copies: 1 }));
    bench
        .engine
        .inject_rule(now, rule("order-0003", Effect::LoseWebhook));
    for order in ["order-0001", "order-0002", "order-0003"] {
        let key = bench.authenticate(order, 1_000);
        bench.confirm(&key, order, 1_000);
        bench.engine.announce(now);
    }
    let sent = bench.transmissions();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].id, sent[1].id);
    assert_eq!(sent[0].body, sent[1].body);
    assert!(sent[0].body.contains("order-0002"));
    bench.now += TimeDelta::seconds(3);
    let told = bench.told();
    assert_eq!(
        (told.len(), &told[0]["data"]["orderId"]),
        (1, &json!("order-0001"))
    );
    let lost = bench.engine.webhooks(10);
    assert!(lost.iter().any(|row| row.state == WebhookState::Lost));
}

#[test]
fn what_is_owed_outlives_the_process_and_what_was_delivered_is_not_sent_again() {
    let mut bench = listening();
    bench.engine.record_changes();
    for order in ["order-0001", "order-0002", "order-0003"] {
        let key = bench.authenticate(order, 1_000);
        bench.confirm(&key, order, 1_000);
        bench.engine.announce(bench.now);
    }
    let sent = bench.transmissions();
    bench
        .engine
        .webhook_tried(bench.now, &sent[0].id, Some(200));
    bench.engine.webhook_tried(bench.now, &sent[1].id, None);
    // The third is on its way when the process dies.
    let text = serde_json::to_string(&bench.engine.take_changes()).unwrap();
    let mut rebuilt = Engine::new(&SandboxConfig::default());
    for change in serde_json::from_str::<Vec<Change>>(&text).unwrap() {
        rebuilt.apply(change).unwrap();
    }
    let differences = bench
        .engine
        .fingerprint()
        .differences(&rebuilt.fingerprint());
    assert_eq!(differences, Findings::default());
    let due = rebuilt.due_webhooks(bench.now + TimeDelta::minutes(1), 10);
    let due: Vec<_> = due
        .iter()
        .map(|sent| (sent.id.as_str(), sent.retried))
        .collect();
    assert_eq!(due, [(sent[2].id.as_str(), 0), (sent[1].id.as_str(), 1)]);
}

#[test]
fn webhooks_change_no_key_of_anything_else() {
    let keys = |listen: bool| {
        let mut bench = Bench::new();
        if listen {
            bench.engine.want_webhooks();
        }
        (0..3)
            .map(|nth| {
                let order = format!("order-{nth:04}");
                let key = bench.authenticate(&order, 1_000);
                bench.confirm(&key, &order, 1_000);
                bench.engine.announce(bench.now);
                key
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(true), keys(false));
}
