//! The payment window for a billing card: no payment is made, a card is registered.

use chrono::TimeDelta;
use serde_json::json;

use super::{
    Bench, ORDER, code, read,
    windows::{open, pay},
};
use crate::{
    endpoint::Endpoint,
    engine::{Card, Choice, Language, Method},
};

#[test]
fn a_card_is_registered_for_billing_in_the_window() {
    let mut bench = Bench::new();
    let billing = json!({
        "product": "billing", "customerKey": "buyer-1", "amount": null, "orderId": null,
        "orderName": null,
    });
    let id = open(&mut bench, &billing).unwrap();
    assert!(bench.engine.window(bench.now, &id).unwrap().open);
    let now = bench.now;
    let address = bench
        .engine
        .finish_window(now, &id, pay(), Language::Korean)
        .unwrap()
        .unwrap();
    let auth_key = address
        .strip_prefix("http://shop.test/success?a=1&customerKey=buyer-1&authKey=")
        .unwrap();
    let body = json!({ "authKey": auth_key, "customerKey": "buyer-1" });
    let issue = super::request(Endpoint::IssueBilling, "", &body);
    assert_eq!(bench.send(issue).status, 200);
    assert!(
        bench
            .engine
            .finish_window(now, &id, pay(), Language::Korean)
            .is_err()
    );
    let mut guest = billing;
    guest["customerKey"] = json!("@@ANONYMOUS");
    assert_eq!(
        open(&mut bench, &guest),
        Err("INVALID_CUSTOMER_KEY".to_owned())
    );
}

#[test]
fn the_card_typed_in_the_window_is_the_one_that_is_registered() {
    let mut bench = Bench::new();
    let billing = json!({ "product": "billing", "customerKey": "buyer-1" });
    let id = open(&mut bench, &billing).unwrap();
    let now = bench.now;
    let typed = Choice::Pay {
        method: Method::card(),
        card: Some(Card::typed(now, "4330 1211 2222 3333", "01/26").unwrap()),
        decline_at_confirm: None,
    };
    let address = bench
        .engine
        .finish_window(now, &id, typed, Language::Korean)
        .unwrap()
        .unwrap();
    let auth_key = address.split("authKey=").nth(1).unwrap();
    let body = json!({ "authKey": auth_key, "customerKey": "buyer-1" });
    let issue = super::request(Endpoint::IssueBilling, "", &body);
    let (_, issued) = read(&bench.send(issue));
    assert_eq!(
        (&issued["card"]["number"], &issued["card"]["issuerCode"]),
        (&json!("43301211****333*"), &json!("41"))
    );
    let key = issued["billingKey"].as_str().unwrap();
    let charge = json!({
        "customerKey": "buyer-1", "orderId": ORDER, "orderName": "양말", "amount": 1_000,
    });
    let charge = super::request(Endpoint::ChargeBilling, key, &charge);
    assert_eq!(
        code(&read(&bench.send(charge))),
        (400, "NOT_SUPPORTED_CARD_TYPE")
    );
}

#[test]
fn a_window_for_a_billing_card_lapses_as_well() {
    let mut bench = Bench::new();
    let billing = json!({ "product": "billing", "customerKey": "buyer-1" });
    let id = open(&mut bench, &billing).unwrap();
    let sight = |bench: &mut Bench| bench.engine.window(bench.now, &id).unwrap();
    let lapses_at = bench.now + TimeDelta::minutes(30);
    assert_eq!(sight(&mut bench).lapses_at, Some(lapses_at));
    bench.now = lapses_at - TimeDelta::milliseconds(1);
    assert!(sight(&mut bench).open);
    bench.now = lapses_at;
    assert!(!sight(&mut bench).open);
    let late = bench
        .engine
        .finish_window(bench.now, &id, pay(), Language::Korean);
    assert!(late.is_err());
}
