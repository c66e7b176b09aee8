//! The list of transactions follows from the approvals and cancels made.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Bench, ORDER, reason, request};
use crate::{SandboxConfig, endpoint::Endpoint, engine::ApiRequest};

const DAY: &str = "startDate=2026-01-01T09:00:00&endDate=2026-01-02T08:59:59";

fn list(bench: &mut Bench, query: &str) -> (u16, Value) {
    let request = ApiRequest {
        subject: query.to_owned(),
        ..request(Endpoint::Transactions, "", &Value::Null)
    };
    super::read(&bench.send(request))
}

fn paid(bench: &mut Bench, order_id: &str) -> String {
    let key = bench.authenticate(order_id, 1_000);
    assert_eq!(bench.confirm(&key, order_id, 1_000).0, 200);
    key
}

#[test]
fn an_approval_and_its_cancels_are_listed_in_order() {
    let mut bench = Bench::new();
    let key = paid(&mut bench, ORDER);
    bench.now += TimeDelta::seconds(1);
    bench.cancel(
        &key,
        &json!({ "cancelReason": "변심", "cancelAmount": 400 }),
    );
    bench.cancel(&key, &reason());
    let (status, rows) = list(&mut bench, DAY);
    assert_eq!(status, 200);
    let seen: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["status"].as_str().unwrap(),
                row["amount"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("DONE", 1_000),
            ("PARTIAL_CANCELED", -400),
            ("PARTIAL_CANCELED", -600)
        ]
    );
    let payment = bench.get(&key).1;
    assert_eq!(rows[2]["transactionKey"], payment["lastTransactionKey"]);
    assert_eq!(
        rows[1]["transactionKey"],
        payment["cancels"][0]["transactionKey"]
    );
    assert_eq!(rows[0]["transactionAt"], "2026-01-01T09:00:00+09:00");
    for field in ["paymentKey", "orderId", "method", "mId", "currency"] {
        assert_eq!(rows[0][field], payment[field], "{field}");
    }
}

#[test]
fn a_setting_makes_the_amounts_of_cancels_positive() {
    let config = SandboxConfig {
        cancel_amounts_negative: false,
        ..SandboxConfig::default()
    };
    let mut bench = Bench::with(&config);
    let key = paid(&mut bench, ORDER);
    bench.cancel(&key, &reason());
    let rows = list(&mut bench, DAY).1;
    assert_eq!(
        (&rows[1]["status"], &rows[1]["amount"]),
        (&json!("CANCELED"), &json!(1_000))
    );
}

#[test]
fn an_account_is_listed_when_money_arrives_and_not_when_it_is_withdrawn() {
    let mut bench = Bench::new();
    let key = bench.virtual_account(1_000);
    bench.confirm(&key, ORDER, 1_000);
    assert_eq!(list(&mut bench, DAY).1, json!([]));
    bench.engine.deposit(bench.now, &key).unwrap();
    assert_eq!(list(&mut bench, DAY).1[0]["method"], "가상계좌");
    let other = Bench::new();
    let mut bench = other;
    let key = bench.virtual_account(1_000);
    bench.confirm(&key, ORDER, 1_000);
    assert_eq!(bench.cancel(&key, &reason()).0, 200);
    assert_eq!(list(&mut bench, DAY).1, json!([]));
}

#[test]
fn pages_follow_one_another_without_gap_or_overlap() {
    let mut bench = Bench::new();
    for number in 0..250 {
        paid(&mut bench, &format!("order-{number:04}"));
        bench.now += TimeDelta::seconds(1);
    }
    let (mut seen, mut query) = (Vec::new(), DAY.to_owned());
    loop {
        let page = list(&mut bench, &query).1;
        let Some(last) = page.as_array().unwrap().last() else {
            break;
        };
        query = format!(
            "{DAY}&startingAfter={}",
            last["transactionKey"].as_str().unwrap()
        );
        seen.extend(
            page.as_array()
                .unwrap()
                .iter()
                .map(|row| row["orderId"].clone()),
        );
    }
    let all: Vec<_> = (0..250)
        .map(|number| json!(format!("order-{number:04}")))
        .collect();
    assert_eq!(seen, all);
    let five = "startDate=2026-01-01T09:00:10&endDate=2026-01-01T09:00:14";
    assert_eq!(list(&mut bench, five).1.as_array().unwrap().len(), 5);
}

#[test]
fn a_query_that_cannot_be_answered_is_refused_as_at_toss() {
    let mut bench = Bench::new();
    for (query, code) in [
        ("", "INVALID_DATE"),
        (
            "startDate=2026-01-01T00:00:00Z&endDate=2026-01-02T00:00:00Z",
            "INVALID_DATE",
        ),
        (
            &format!("{DAY}&startingAfter=none"),
            "INVALID_TRANSACTION_KEY",
        ),
        (&format!("{DAY}&limit=5001"), "EXCEED_MAX_QUERY_LIMIT"),
        (&format!("{DAY}&limit=99"), "INVALID_REQUEST"),
    ] {
        assert_eq!(
            super::code(&list(&mut bench, query)),
            (400, code),
            "{query}"
        );
    }
}
