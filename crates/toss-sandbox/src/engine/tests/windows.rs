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

pub(super) fn pay() -> Choice {
    Choice::Pay {
        method: Method::card(),
        card: None,
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
        .unwrap()
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
        .unwrap()
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
        .unwrap()
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
        card: None,
        decline_at_confirm: Some("REJECT_CARD_PAYMENT".to_owned()),
    };
    bench
        .engine
        .finish_window(bench.now, &opened.window_id, choice, Language::Korean)
        .unwrap()
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
    assert_eq!(attempt("amount", amount("EUR", 1_000)), "INVALID_CURRENCY");
    assert_eq!(attempt("amount", json!(1_000)), "INVALID_REQUEST");
    assert_eq!(attempt("taxFreeAmount", json!(1_001)), "INVALID_REQUEST");
    for (months, expected) in [
        (1, "INVALID_CARD_INSTALLMENT_PLAN"),
        (13, "INVALID_CARD_INSTALLMENT_PLAN"),
        (3, "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN_BELOW_AMOUNT"),
    ] {
        assert_eq!(
            attempt("card", json!({ "cardInstallmentPlan": months })),
            expected
        );
    }
}

pub(super) fn open(bench: &mut Bench, change: &Value) -> Result<String, String> {
    let mut body = window_body();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    let opened = bench
        .engine
        .open_window(bench.now, body.to_string().as_bytes());
    opened
        .map(|opened| opened.window_id)
        .map_err(|error| error.code)
}

#[test]
fn a_page_without_return_addresses_is_told_the_result() {
    let mut bench = Bench::new();
    let promised = json!({ "successUrl": null, "failUrl": null });
    let id = open(&mut bench, &promised).unwrap();
    let told = |bench: &mut Bench, id: &str| -> Value {
        let outcome = bench.engine.window_outcome(bench.now, id).unwrap();
        serde_json::from_str(&outcome).unwrap()
    };
    assert_eq!(told(&mut bench, &id), json!({ "state": "open" }));
    let now = bench.now;
    let address = bench
        .engine
        .finish_window(now, &id, pay(), Language::Korean)
        .unwrap();
    assert_eq!(address, None);
    let paid = told(&mut bench, &id);
    assert_eq!(
        (&paid["state"], &paid["paymentType"]),
        (&json!("paid"), &json!("NORMAL"))
    );
    assert_eq!(paid["amount"], json!({ "currency": "KRW", "value": 1_000 }));
    let key = paid["paymentKey"].as_str().unwrap();
    assert_eq!(bench.confirm(key, ORDER, 1_000).0, 200);
    let id = open(&mut bench, &promised).unwrap();
    let decline = Choice::Decline {
        code: "REJECT_CARD_COMPANY".to_owned(),
    };
    bench
        .engine
        .finish_window(now, &id, decline, Language::English)
        .unwrap();
    assert_eq!(told(&mut bench, &id)["code"], "REJECT_CARD_COMPANY");
    let id = open(&mut bench, &promised).unwrap();
    bench.now += TimeDelta::minutes(30);
    assert_eq!(told(&mut bench, &id)["code"], "PAY_PROCESS_CANCELED");
    assert_eq!(
        open(&mut bench, &json!({ "failUrl": null })),
        Err("INVALID_REQUEST".to_owned())
    );
}

#[test]
fn a_widget_needs_its_own_keys_from_window_to_confirm() {
    let mut bench = Bench::new();
    let mut widget = json!({ "product": "widgets", "sandbox": { "paymentResult": "SUCCESS" } });
    assert_eq!(
        open(&mut bench, &widget),
        Err("INVALID_CLIENT_KEY".to_owned())
    );
    let key = json!({ "clientKey": crate::DEFAULT_WIDGET_CLIENT_KEY });
    assert_eq!(
        open(&mut bench, &key),
        Err("NOT_SUPPORTED_WIDGET_KEY".to_owned())
    );
    let secret = json!({ "clientKey": crate::DEFAULT_SECRET_KEY });
    assert_eq!(
        open(&mut bench, &secret),
        Err("INSECURE_KEY_USAGE".to_owned())
    );
    widget["clientKey"] = key["clientKey"].clone();
    let mut body = window_body();
    for (name, value) in widget.as_object().unwrap() {
        body[name] = value.clone();
    }
    let opened = bench
        .engine
        .open_window(bench.now, body.to_string().as_bytes())
        .unwrap();
    assert!(opened.redirect.unwrap().contains("paymentType=NORMAL"));
    let payment_key = bench.get_by_order(ORDER).1["paymentKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = bench.confirm(&payment_key, ORDER, 1_000);
    assert_eq!(code(&answer), (400, "INVALID_API_KEY"));
    let right = crate::engine::ApiRequest::confirm(
        crate::DEFAULT_WIDGET_SECRET_KEY,
        &payment_key,
        ORDER,
        1_000,
    );
    assert_eq!(bench.send(right).status, 200);
}

#[test]
fn the_options_of_a_method_reach_the_payment() {
    let mut bench = Bench::new();
    let account = json!({
        "method": "VIRTUAL_ACCOUNT", "metadata": { "a": "b" }, "customerKey": "buyer-1",
        "virtualAccount": { "validHours": 2, "useEscrow": true, "cashReceipt": { "type": "소득공제" } },
    });
    let id = open(&mut bench, &account).unwrap();
    let key = bench.get_by_order(ORDER).1["paymentKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let choice = Choice::Pay {
        method: Method::VirtualAccount {
            bank_code: "88".to_owned(),
            customer_name: "김".to_owned(),
        },
        card: None,
        decline_at_confirm: None,
    };
    let now = bench.now;
    bench
        .engine
        .finish_window(now, &id, choice, Language::Korean)
        .unwrap();
    let (_, issued) = bench.confirm(&key, ORDER, 1_000);
    assert_eq!(
        issued["virtualAccount"]["dueDate"],
        "2026-01-01T11:00:00+09:00"
    );
    assert_eq!(
        (&issued["useEscrow"], &issued["metadata"]["a"]),
        (&json!(true), &json!("b"))
    );
    bench.engine.deposit(now, &key).unwrap();
    assert_eq!(bench.get(&key).1["cashReceipt"]["type"], "소득공제");
    for (method, field) in [
        ("TRANSFER", "transfer"),
        ("MOBILE_PHONE", "mobilePhone"),
        ("GAME_GIFT_CERTIFICATE", "giftCertificate"),
    ] {
        let order = format!("order-{field}");
        let request = json!({
            "method": method, "orderId": order, "sandbox": { "paymentResult": "SUCCESS" },
        });
        open(&mut bench, &request).unwrap();
        let key = bench.get_by_order(&order).1["paymentKey"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            bench.confirm(&key, &order, 1_000).1[field].is_object(),
            "{method}"
        );
    }
}
