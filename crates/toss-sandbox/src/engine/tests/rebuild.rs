//! An engine rebuilt from another one's changes goes on as that one would have.

use chrono::TimeDelta;
use serde_json::json;

use super::{Bench, ORDER, confirm, keyed, read, reason, request};
use crate::{
    DEFAULT_CLIENT_KEY, SandboxConfig,
    endpoint::Endpoint,
    engine::{Card, Change, Choice, Engine, Language, Method, WINDOW_LIFE},
};

fn recording() -> Bench {
    let mut bench = Bench::new();
    bench.engine.record_changes();
    bench
}

/// The engine as a restart would leave it.
fn restart(bench: &mut Bench, life: &mut Vec<Change>) {
    life.extend(bench.engine.take_changes());
    let mut rebuilt = Engine::new(&SandboxConfig::default());
    for change in life.clone() {
        rebuilt.apply(change).unwrap();
    }
    let differences = bench
        .engine
        .fingerprint()
        .differences(&rebuilt.fingerprint());
    assert!(differences.is_empty(), "{differences:?}");
    rebuilt.resume_after(life.len() as u64);
    rebuilt.record_changes();
    bench.engine = rebuilt;
}

#[test]
fn a_replayed_answer_is_the_same_after_a_restart_and_nothing_is_approved_twice() {
    let (mut bench, mut life) = (recording(), Vec::new());
    let key = bench.authenticate(ORDER, 1_000);
    restart(&mut bench, &mut life);
    let send = |bench: &mut Bench| bench.send(keyed(confirm(&key, ORDER, 1_000), "k1"));
    let first = send(&mut bench);
    restart(&mut bench, &mut life);
    let again = send(&mut bench);
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(
        again.first_trace_id.as_deref(),
        Some(first.trace_id.as_str())
    );
    assert_eq!(bench.approvals(), 1);
    bench.cancel(
        &key,
        &json!({ "cancelReason": "변심", "cancelAmount": 400 }),
    );
    restart(&mut bench, &mut life);
    assert_eq!(bench.cancel(&key, &reason()).1["balanceAmount"], 0);
    restart(&mut bench, &mut life);
    assert_eq!(bench.get(&key).1["status"], "PARTIAL_CANCELED");
}

#[test]
fn an_expiry_once_seen_stays_even_if_the_clock_goes_back() {
    let (mut bench, mut life) = (recording(), Vec::new());
    let key = bench.authenticate(ORDER, 1_000);
    bench.now += TimeDelta::minutes(10);
    assert_eq!(bench.get(&key).1["status"], "EXPIRED");
    restart(&mut bench, &mut life);
    bench.now -= TimeDelta::minutes(10);
    assert_eq!(bench.get(&key).1["status"], "EXPIRED");
}

#[test]
fn a_window_and_a_decline_chosen_in_it_survive() {
    let (mut bench, mut life) = (recording(), Vec::new());
    let body = json!({
        "clientKey": crate::DEFAULT_CLIENT_KEY, "method": "CARD",
        "amount": { "currency": "KRW", "value": 1_000 }, "orderId": ORDER, "orderName": "티셔츠",
        "successUrl": "http://shop.example/s", "failUrl": "http://shop.example/f",
    });
    let opened = bench
        .engine
        .open_window(bench.now, body.to_string().as_bytes())
        .unwrap();
    restart(&mut bench, &mut life);
    assert!(
        bench
            .engine
            .window(bench.now, &opened.window_id)
            .unwrap()
            .open
    );
    let choice = Choice::Pay {
        method: Method::card(),
        card: Some(Card::typed(bench.now, "9410001234567890", "12/99").unwrap()),
        decline_at_confirm: Some("REJECT_CARD_PAYMENT".to_owned()),
    };
    let address = bench
        .engine
        .finish_window(
            bench.now,
            &opened.window_id,
            choice.clone(),
            Language::Korean,
        )
        .unwrap()
        .unwrap();
    restart(&mut bench, &mut life);
    let again = bench
        .engine
        .finish_window(bench.now, &opened.window_id, choice, Language::Korean);
    assert!(again.is_err());
    let key = address
        .split("paymentKey=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    assert_eq!(bench.confirm(key, ORDER, 1_000).0, 403);
    restart(&mut bench, &mut life);
    assert_eq!(bench.get(key).1["status"], "ABORTED");
}

#[test]
fn a_card_typed_for_billing_survives_with_the_time_of_its_window() {
    let (mut bench, mut life) = (recording(), Vec::new());
    let body = json!({
        "clientKey": DEFAULT_CLIENT_KEY, "product": "billing", "customerKey": "buyer-1",
        "successUrl": "http://shop.test/success", "failUrl": "http://shop.test/fail",
    });
    let opened = bench
        .engine
        .open_window(bench.now, body.to_string().as_bytes())
        .unwrap();
    let lapses_at = bench.now + WINDOW_LIFE;
    restart(&mut bench, &mut life);
    let sight = bench.engine.window(bench.now, &opened.window_id).unwrap();
    assert_eq!(sight.lapses_at, Some(lapses_at));
    let choice = Choice::Pay {
        method: Method::card(),
        card: Some(Card::typed(bench.now, "4330121234567890", "12/99").unwrap()),
        decline_at_confirm: None,
    };
    let address = bench
        .engine
        .finish_window(bench.now, &opened.window_id, choice, Language::Korean)
        .unwrap()
        .unwrap();
    restart(&mut bench, &mut life);
    let auth_key = address.split("authKey=").nth(1).unwrap();
    let body = json!({ "authKey": auth_key, "customerKey": "buyer-1" });
    let issued = read(&bench.send(request(Endpoint::IssueBilling, "", &body)));
    assert_eq!(issued.1["card"]["number"], "43301212****789*");
}

#[test]
fn a_journal_of_before_windows_had_a_time_and_a_card_is_still_read() {
    let old = [
        json!({
            "type": "windowOpened", "windowId": "w", "paymentKey": "", "method": "BILLING",
            "customerName": "김", "successUrl": "http://a/s", "failUrl": "http://a/f",
            "customerKey": "buyer-1",
        }),
        json!({ "type": "billingAuthorised", "authKey": "bln_1", "customerKey": "buyer-1" }),
    ];
    let mut bench = Bench::new();
    for change in old {
        let change = serde_json::from_value(change).unwrap();
        bench.engine.apply(change).unwrap();
    }
    bench.now += TimeDelta::days(1);
    let sight = bench.engine.window(bench.now, "w").unwrap();
    assert_eq!((sight.open, sight.lapses_at), (true, None));
    let body = json!({ "authKey": "bln_1", "customerKey": "buyer-1" });
    let issued = read(&bench.send(request(Endpoint::IssueBilling, "", &body)));
    assert_eq!(issued.1["card"]["number"], "94100012****789*");
}

#[test]
fn a_deposit_and_the_clock_survive() {
    let (mut bench, mut life) = (recording(), Vec::new());
    let key = bench.virtual_account(1_000);
    bench.confirm(&key, ORDER, 1_000);
    restart(&mut bench, &mut life);
    bench.engine.deposit(bench.now, &key).unwrap();
    bench.engine.advance_clock(5_000);
    restart(&mut bench, &mut life);
    assert_eq!(bench.get(&key).1["status"], "DONE");
    assert_eq!(bench.engine.clock_offset_ms(), 5_000);
}

#[test]
fn a_restarted_engine_does_not_hand_out_old_keys_again() {
    let (mut bench, mut life) = (recording(), Vec::new());
    let mut keys = std::collections::HashSet::new();
    for number in 0..20 {
        let order_id = format!("order-{number:04}");
        assert!(keys.insert(bench.authenticate(&order_id, 1_000)));
        restart(&mut bench, &mut life);
    }
}

#[test]
fn without_a_wish_for_them_no_changes_are_kept() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    bench.send(keyed(confirm(&key, ORDER, 1_000), "k1"));
    assert_eq!(bench.engine.take_changes(), []);
}

#[test]
fn a_change_that_cannot_follow_is_refused() {
    let mut bench = recording();
    let key = bench.authenticate(ORDER, 1_000);
    bench.confirm(&key, ORDER, 1_000);
    let life = bench.engine.take_changes();
    let mut rebuilt = Engine::new(&SandboxConfig::default());
    let approval = life.last().unwrap().clone();
    assert!(rebuilt.apply(approval.clone()).is_err());
    for change in life {
        rebuilt.apply(change).unwrap();
    }
    let before = rebuilt.fingerprint();
    assert!(rebuilt.apply(approval).is_err());
    assert_eq!(rebuilt.fingerprint(), before);
    let list = bench.send(request(Endpoint::Get, &key, &json!(null)));
    assert_eq!(read(&list).0, 200);
}
