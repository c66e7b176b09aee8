//! What cards give, and accounts that a customer keeps.

use serde_json::{Value, json};

use super::{Bench, ORDER, code, read, reason, request, windows::open};
use crate::{
    endpoint::Endpoint,
    engine::{Card, Choice, Language, Method},
};

/// A card of the company that has offers.
const HYUNDAI: &str = "6210001234567890";

/// A card of one that has none.
const KOOKMIN: &str = "9410001234567890";

fn keyed_in(bench: &mut Bench, number: &str, change: &Value) -> (u16, Value) {
    let mut body = json!({
        "orderId": ORDER, "orderName": "냉장고", "amount": 60_000, "cardNumber": number,
        "cardExpirationYear": "99", "cardExpirationMonth": "12",
        "customerIdentityNumber": "900101",
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    read(&bench.send(request(Endpoint::KeyIn, "", &body)))
}

/// Pays in a window and confirms.
fn paid(bench: &mut Bench, issuer: &str, card: &Value, points: bool) -> (u16, Value) {
    let change = json!({
        "amount": { "currency": "KRW", "value": 60_000 }, "card": card,
    });
    let id = open(bench, &change).unwrap();
    let now = bench.now;
    let typed = Card::typed(now, HYUNDAI, "12/99").unwrap();
    let choice = Choice::Pay {
        method: Method::Card {
            issuer_code: issuer.to_owned(),
        },
        card: Some(typed.with_points(points)),
        decline_at_confirm: None,
    };
    let finished = bench
        .engine
        .finish_window(now, &id, choice, Language::Korean);
    assert!(finished.is_ok());
    let key = bench.get_by_order(ORDER).1["paymentKey"].clone();
    bench.confirm(key.as_str().unwrap(), ORDER, 60_000)
}

#[test]
fn installments_say_who_pays_their_interest() {
    for (number, change, payer) in [
        (KOOKMIN, json!({}), Value::Null),
        (KOOKMIN, json!({ "cardInstallmentPlan": 3 }), json!("BUYER")),
        (
            HYUNDAI,
            json!({ "cardInstallmentPlan": 3 }),
            json!("CARD_COMPANY"),
        ),
        (
            HYUNDAI,
            json!({ "cardInstallmentPlan": 12 }),
            json!("BUYER"),
        ),
        (
            KOOKMIN,
            json!({ "cardInstallmentPlan": 12, "useFreeInstallmentPlan": true }),
            json!("MERCHANT"),
        ),
    ] {
        let mut bench = Bench::new();
        let (status, paid) = keyed_in(&mut bench, number, &change);
        assert_eq!((status, &paid["card"]["interestPayer"]), (200, &payer));
        let free = payer == "CARD_COMPANY" || payer == "MERCHANT";
        assert_eq!(paid["card"]["isInterestFree"], free);
    }
    for (company, payer) in [
        ("삼성", "MERCHANT"),
        ("SAMSUNG", "MERCHANT"),
        ("51", "MERCHANT"),
        ("nobody", "BUYER"),
    ] {
        let mut bench = Bench::new();
        let plans = json!({
            "cardInstallmentPlan": 5,
            "freeInstallmentPlans": [{ "company": company, "months": [4, 5] }],
        });
        let (_, paid) = paid(&mut bench, "51", &plans, false);
        assert_eq!(paid["card"]["interestPayer"], payer, "{company}");
    }
}

#[test]
fn points_are_used_where_the_card_has_them_and_the_page_allows_it() {
    let points = json!({ "useCardPoint": true });
    let mut bench = Bench::new();
    let refused = keyed_in(&mut bench, KOOKMIN, &points);
    assert_eq!(code(&refused), (400, "NOT_ALLOWED_POINT_USE"));
    let (status, with) = keyed_in(&mut bench, HYUNDAI, &points);
    assert_eq!((status, &with["card"]["useCardPoint"]), (200, &json!(true)));
    assert_eq!(with["totalAmount"], 60_000);
    for (wanted, used) in [
        (json!({}), true),
        (json!({ "useCardPoint": true }), true),
        (json!({ "useCardPoint": false }), false),
    ] {
        let mut bench = Bench::new();
        let (status, paid) = paid(&mut bench, "61", &wanted, true);
        assert_eq!((status, &paid["card"]["useCardPoint"]), (200, &json!(used)));
    }
    let mut bench = Bench::new();
    let refused = paid(&mut bench, "11", &json!({}), true);
    assert_eq!(code(&refused), (400, "NOT_ALLOWED_POINT_USE"));
    assert_eq!(bench.get_by_order(ORDER).1["status"], "ABORTED");
}

#[test]
fn an_instant_discount_is_the_card_company_s_and_goes_back_with_the_first_cancel() {
    let discount = json!({ "discountCode": "sandbox-61-1000" });
    let mut bench = Bench::new();
    let (_, got) = paid(&mut bench, "61", &discount, false);
    assert_eq!(got["discount"], json!({ "amount": 1_000 }));
    assert_eq!(
        (&got["totalAmount"], &got["card"]["amount"]),
        (&json!(60_000), &json!(60_000))
    );
    let key = got["paymentKey"].as_str().unwrap();
    let part = |amount: u64| json!({ "cancelReason": "변심", "cancelAmount": amount });
    assert_eq!(
        code(&bench.cancel(key, &part(999))),
        (400, "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT")
    );
    assert_eq!(bench.cancel(key, &part(1_000)).0, 200);
    let (_, left) = bench.cancel(key, &part(1));
    let returned = [0, 1].map(|at| left["cancels"][at]["cardDiscountAmount"].clone());
    assert_eq!(returned, [json!(1_000), json!(0)]);
    assert_eq!(left["balanceAmount"], 58_999);
    for (issuer, code) in [("11", "sandbox-61-1000"), ("61", "nobody-offers-it")] {
        let mut bench = Bench::new();
        let (_, got) = paid(&mut bench, issuer, &json!({ "discountCode": code }), false);
        assert_eq!(got["discount"], Value::Null);
        let key = got["paymentKey"].as_str().unwrap();
        assert_eq!(bench.cancel(key, &reason()).0, 200);
    }
}

#[test]
fn a_fixed_account_keeps_its_number_for_every_order_of_its_key() {
    let mut bench = Bench::new();
    let mut issue = |order: &str, bank: &str, key: Value| {
        let body = json!({
            "orderId": order, "orderName": "회비", "amount": 15_000, "customerName": "김토스",
            "bank": bank, "accountKey": key,
        });
        read(&bench.send(request(Endpoint::IssueAccount, "", &body)))
    };
    let number = |answer: &(u16, Value)| answer.1["virtualAccount"]["accountNumber"].clone();
    let first = issue("order-0001", "20", json!("558"));
    assert_eq!(first.1["virtualAccount"]["accountType"], "고정");
    let again = issue("order-0002", "20", json!(558));
    assert_eq!(number(&first), number(&again));
    for (order, bank, key) in [("order-0003", "20", "559"), ("order-0004", "88", "558")] {
        assert_ne!(number(&first), number(&issue(order, bank, json!(key))));
    }
    let plain = issue("order-0005", "20", Value::Null);
    assert_eq!(plain.1["virtualAccount"]["accountType"], "일반");
    for bad in [json!(""), json!("k".repeat(301)), json!([]), json!(-1)] {
        assert_eq!(
            code(&issue("order-0006", "20", bad)),
            (400, "INVALID_REQUEST")
        );
    }
    let key = again.1["paymentKey"].as_str().unwrap().to_owned();
    assert!(bench.engine.deposit(bench.now, &key).is_ok());
    let first = first.1["paymentKey"].as_str().unwrap();
    assert_eq!(bench.get(first).1["status"], "WAITING_FOR_DEPOSIT");
}
