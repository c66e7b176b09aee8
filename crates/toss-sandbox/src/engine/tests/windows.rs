//! The payment window: who may open one, and how it ends.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Bench, ORDER, code};
use crate::{
    DEFAULT_CLIENT_KEY,
    engine::{Choice, Language, Method},
};

fn window_body() -> Value {
    json!({
        "clientKey": DEFAULT_CLIENT_KEY,
        "customerKey": "@@ANONYMOUS",
        "method": "CARD",
        "amount": { "currency": "KRW", "value": 1_000 },
        "orderId": ORDER,
        "orderName": "티셔츠 & 양말",
        "successUrl": "http://shop.test/success?a=1",
        "failUrl": "http://shop.test/fail",
        "card": { "flowMode": "DEFAULT" },
    })
}

fn pay() -> Choice {
    Choice::Pay {
        method: Method::card(),
        decline_at_confirm: None,
    }
}

#[test]
fn a_window_leads_from_ready_to_a_confirmable_payment() {
    let mut bench = Bench::new();
    let opened = bench
        .engine
        .open_window(bench.now, window_body().to_string().as_bytes())
        .unwrap();
    assert_eq!(bench.get_by_order(ORDER).1["status"], "READY");
    let key = bench.get_by_order(ORDER).1["paymentKey"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        code(&bench.confirm(&key, ORDER, 1_000)),
        (404, "NOT_FOUND_PAYMENT_SESSION")
    );
    let id = &opened.window_id;
    let address = bench
        .engine
        .finish_window(bench.now, id, pay(), Language::Korean)
        .unwrap();
    assert_eq!(
        address,
        format!(
            "http://shop.test/success?a=1&paymentType=NORMAL&orderId={ORDER}&paymentKey={key}&amount=1000"
        )
    );
    assert!(
        bench
            .engine
            .finish_window(bench.now, id, pay(), Language::Korean)
            .is_err()
    );
    assert_eq!(bench.confirm(&key, ORDER, 1_000).0, 200);
}

#[test]
fn a_closed_window_names_no_order_and_a_declined_one_does() {
    let mut bench = Bench::new();
    let body = window_body().to_string();
    let opened = bench
        .engine
        .open_window(bench.now, body.as_bytes())
        .unwrap();
    let close = Choice::Close;
    let address = bench
        .engine
        .finish_window(bench.now, &opened.window_id, close, Language::Korean)
        .unwrap();
    assert!(address.starts_with("http://shop.test/fail?code=PAY_PROCESS_CANCELED&message=%EC"));
    assert!(!address.contains("orderId"));
    assert_eq!(bench.get_by_order(ORDER).1["status"], "READY");
    let opened = bench
        .engine
        .open_window(bench.now, body.as_bytes())
        .unwrap();
    let decline = Choice::Decline {
        code: "REJECT_CARD_COMPANY".to_owned(),
    };
    let address = bench
        .engine
        .finish_window(bench.now, &opened.window_id, decline, Language::Korean)
        .unwrap();
    assert!(address.contains("code=REJECT_CARD_COMPANY&message="));
    assert!(address.ends_with(&format!("&orderId={ORDER}")));
    assert_eq!(bench.get_by_order(ORDER).1["status"], "ABORTED");
}

#[test]
fn a_decline_can_be_kept_for_the_confirm() {
    let mut bench = Bench::new();
    let opened = bench
        .engine
        .open_window(bench.now, window_body().to_string().as_bytes())
        .unwrap();
    let choice = Choice::Pay {
        method: Method::card(),
        decline_at_confirm: Some("REJECT_CARD_PAYMENT".to_owned()),
    };
    bench
        .engine
        .finish_window(bench.now, &opened.window_id, choice, Language::Korean)
        .unwrap();
    let key = bench.get_by_order(ORDER).1["paymentKey"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        code(&bench.confirm(&key, ORDER, 1_000)),
        (403, "REJECT_CARD_PAYMENT")
    );
    assert_eq!(bench.get(&key).1["status"], "ABORTED");
}

#[test]
fn a_window_lapses_after_thirty_minutes() {
    let mut bench = Bench::new();
    let opened = bench
        .engine
        .open_window(bench.now, window_body().to_string().as_bytes())
        .unwrap();
    bench.now += TimeDelta::minutes(30);
    assert!(
        !bench
            .engine
            .window(bench.now, &opened.window_id)
            .unwrap()
            .open
    );
    let late = bench
        .engine
        .finish_window(bench.now, &opened.window_id, pay(), Language::Korean);
    assert!(late.is_err());
    assert_eq!(bench.get_by_order(ORDER).1["status"], "EXPIRED");
}

#[test]
fn a_window_is_refused_for_what_toss_refuses() {
    let mut bench = Bench::new();
    let mut attempt = |field: &str, value: Value| {
        let mut body = window_body();
        body[field] = value;
        bench
            .engine
            .open_window(bench.now, body.to_string().as_bytes())
            .unwrap_err()
            .code
    };
    assert_eq!(
        attempt("clientKey", json!("test_ck_other")),
        "UNAUTHORIZED_KEY"
    );
    assert_eq!(attempt("orderId", json!("short")), "INVALID_ORDER_ID");
    assert_eq!(attempt("method", json!("CASH")), "NOT_SUPPORTED_METHOD");
    assert_eq!(
        attempt("successUrl", json!("javascript:alert(1)")),
        "INVALID_REQUEST"
    );
    assert_eq!(attempt("failUrl", json!("/fail")), "INVALID_REQUEST");
    assert_eq!(attempt("orderName", json!("")), "INVALID_REQUEST");
    let amount = |currency: &str, value: u64| json!({ "currency": currency, "value": value });
    assert_eq!(attempt("amount", amount("KRW", 99)), "BELOW_MINIMUM_AMOUNT");
    assert_eq!(attempt("amount", amount("USD", 1_000)), "INVALID_CURRENCY");
    assert_eq!(attempt("amount", json!(1_000)), "INVALID_REQUEST");
}
