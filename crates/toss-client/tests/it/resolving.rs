//! Checked confirms, and finding out what became of lost requests.

use std::pin::pin;

use chrono::NaiveDate;
use futures_util::StreamExt as _;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use toss_client::{
    CancelRequest, CancelResolution, CashReceiptQuery, ConfirmRequest, Difference, Error,
    ErrorClass, Payment, PaymentStatus, Resolution, SecretKey, TossClient, TransactionQuery,
    testing::{ManualRuntime, MockTransport, Play},
};

use crate::key;

fn at(script: impl IntoIterator<Item = Play>) -> (TossClient, MockTransport) {
    let transport = MockTransport::new(script);
    let client = TossClient::builder(SecretKey::parse("test_sk_1").unwrap())
        .build_on(transport.clone(), ManualRuntime::default())
        .unwrap();
    (client, transport)
}

/// A payment of 1,000 won with these changes.
fn payment(changes: &Value) -> Value {
    let mut payment = json!({
        "paymentKey": "pk", "orderId": "order-1", "status": "DONE", "totalAmount": 1_000,
        "balanceAmount": 1_000, "currency": "KRW",
    });
    for (name, value) in changes.as_object().unwrap() {
        payment[name] = value.clone();
    }
    payment
}

fn plays(changes: &Value) -> Play {
    Play::answer(200, payment(changes).to_string())
}

fn absent() -> Play {
    Play::rejection(404, "NOT_FOUND_PAYMENT", "없음")
}

fn request() -> ConfirmRequest {
    ConfirmRequest::new("pk", "order-1", Decimal::from(1_000))
}

#[tokio::test]
async fn a_checked_confirm_is_ok_only_for_what_was_asked() {
    for good in [
        json!({}),
        json!({"status": "WAITING_FOR_DEPOSIT"}),
        json!({"currency": null}),
        json!({"totalAmount": "1000.00"}),
    ] {
        let (client, _) = at([plays(&good)]);
        client
            .confirm_checked(&request(), "KRW", &key("k"))
            .await
            .unwrap();
    }
    let (expected, found) = (Decimal::from(1_000), Decimal::from(999));
    for (changes, difference) in [
        (json!({"paymentKey": "other"}), Difference::PaymentKey),
        (json!({"orderId": "order-2"}), Difference::OrderId),
        (
            json!({"totalAmount": 999}),
            Difference::Amount { expected, found },
        ),
        (
            json!({"currency": "USD"}),
            Difference::Currency {
                expected: "KRW".to_owned(),
                found: "USD".to_owned(),
            },
        ),
        (
            json!({"status": "ABORTED"}),
            Difference::Status(PaymentStatus::Aborted),
        ),
    ] {
        let (client, _) = at([plays(&changes)]);
        let error = client
            .confirm_checked(&request(), "KRW", &key("k"))
            .await
            .unwrap_err();
        assert_eq!(error.class(), ErrorClass::QueryFirst);
        match error {
            Error::Mismatch {
                difference: said,
                answer,
                ..
            } => {
                assert_eq!(said, difference);
                assert_eq!(answer.http_status, 200);
            }
            error => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn every_status_of_a_lost_confirm_has_its_resolution() {
    for (status, name) in [
        ("DONE", "Approved"),
        ("WAITING_FOR_DEPOSIT", "AwaitingDeposit"),
        ("READY", "Open"),
        ("IN_PROGRESS", "Open"),
        ("ABORTED", "Failed"),
        ("EXPIRED", "Failed"),
        ("CANCELED", "Returned"),
        ("PARTIAL_CANCELED", "Returned"),
        ("OF_TOMORROW", "Unclear"),
    ] {
        let (client, _) = at([plays(&json!({"status": status}))]);
        let resolution = client.resolve_confirm(&request(), "KRW").await.unwrap();
        assert!(format!("{resolution:?}").starts_with(name), "{status}");
    }
    let (client, _) = at([plays(&json!({"totalAmount": 999}))]);
    let resolution = client.resolve_confirm(&request(), "KRW").await.unwrap();
    assert!(matches!(resolution, Resolution::Different { .. }));
}

#[tokio::test]
async fn a_payment_is_absent_only_after_several_checks_by_key_and_order() {
    let (client, transport) = at((0..6).map(|_| absent()));
    let resolution = client.resolve_confirm(&request(), "KRW").await.unwrap();
    assert!(matches!(resolution, Resolution::Absent));
    assert_eq!(transport.sent().len(), 6);
    let script = [absent(), absent(), absent(), plays(&json!({}))];
    let (client, _) = at(script);
    let resolution = client.resolve_confirm(&request(), "KRW").await.unwrap();
    assert!(matches!(resolution, Resolution::Approved(_)));
}

#[tokio::test]
async fn a_question_that_fails_resolves_nothing() {
    let (client, _) = at([Play::answer(502, "")]);
    let error = client.resolve_confirm(&request(), "KRW").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::QueryFirst);
}

#[tokio::test]
async fn a_billing_charge_is_resolved_by_its_order() {
    let charge = toss_client::BillingRequest::new("c", "order-1", "구독", Decimal::from(1_000));
    let (client, transport) = at([plays(&json!({}))]);
    let resolution = client.resolve_billing(&charge).await.unwrap();
    assert!(matches!(resolution, Resolution::Approved(_)));
    assert!(
        transport.sent()[0]
            .url
            .ends_with("/v1/payments/orders/order-1")
    );
}

fn cancel(key: &str, amount: i64, status: &str) -> Value {
    json!({"transactionKey": key, "cancelAmount": amount, "cancelStatus": status})
}

#[tokio::test]
async fn a_lost_cancel_is_told_by_what_is_new_since_it_was_sent() {
    let old = cancel("t-1", 100, "DONE");
    let before = json!({"balanceAmount": 900, "cancels": [old]});
    let before: Payment = serde_json::from_value(payment(&before)).unwrap();
    let part = CancelRequest::part_of(&before, Decimal::from(100), "변심");
    let all = CancelRequest::new("변심");
    let after =
        |balance: i64, cancels: Value| json!({"balanceAmount": balance, "cancels": cancels});
    for (request, changes, name) in [
        (
            &part,
            after(800, json!([old, cancel("t-2", 100, "DONE")])),
            "Done",
        ),
        (
            &part,
            after(800, json!([old, cancel("t-2", 100, "IN_PROGRESS")])),
            "Running",
        ),
        (
            &part,
            after(900, json!([old, cancel("t-2", 100, "ABORTED")])),
            "Aborted",
        ),
        (&part, after(900, json!([old])), "NotDone"),
        (
            &part,
            after(700, json!([old, cancel("t-2", 200, "DONE")])),
            "Unclear",
        ),
        (&part, after(800, Value::Null), "Unclear"),
        (
            &part,
            after(
                700,
                json!([old, cancel("t-2", 100, "DONE"), cancel("t-3", 100, "DONE")]),
            ),
            "Unclear",
        ),
        (
            &all,
            after(0, json!([old, cancel("t-2", 900, "DONE")])),
            "Done",
        ),
        (&all, after(900, json!([old])), "NotDone"),
        (
            &all,
            after(
                0,
                json!([old, cancel("t-2", 400, "DONE"), cancel("t-3", 500, "DONE")]),
            ),
            "Done",
        ),
    ] {
        let (client, _) = at([plays(&changes)]);
        let resolution: CancelResolution = client.resolve_cancel(&before, request).await.unwrap();
        assert!(
            format!("{resolution:?}").starts_with(name),
            "{changes}: {resolution:?}"
        );
    }
}

#[test]
fn a_full_refund_is_told_by_the_balance() {
    let refunded = |changes: Value| -> bool {
        serde_json::from_value::<Payment>(payment(&changes))
            .unwrap()
            .is_wholly_refunded()
    };
    let cancels = json!([cancel("t", 1_000, "DONE")]);
    assert!(refunded(
        json!({"status": "PARTIAL_CANCELED", "balanceAmount": 0, "cancels": cancels})
    ));
    assert!(refunded(
        json!({"status": "CANCELED", "balanceAmount": null})
    ));
    assert!(!refunded(json!({"status": "CANCELED", "balanceAmount": 1})));
    assert!(!refunded(json!({"status": "ABORTED", "balanceAmount": 0})));
    assert!(!refunded(json!({})));
}

fn rows(keys: &[&str]) -> Play {
    let rows: Vec<_> = keys
        .iter()
        .map(|key| json!({"transactionKey": key}))
        .collect();
    Play::answer(200, Value::from(rows).to_string())
}

#[tokio::test]
async fn a_stream_turns_the_pages_and_ends_at_the_last() {
    let (client, transport) = at([rows(&["a", "b"]), rows(&["c"]), rows(&[])]);
    let day = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    let midnight = day.and_hms_opt(0, 0, 0).unwrap();
    let query = TransactionQuery::new(midnight, midnight);
    let keys: Vec<_> = pin!(client.all_transactions(query.clone()))
        .map(|row| row.unwrap().transaction_key)
        .collect()
        .await;
    assert_eq!(keys, ["a", "b", "c"]);
    let sent = transport.sent();
    assert!(sent[1].url.ends_with("startingAfter=b"));
    assert!(sent[2].url.ends_with("startingAfter=c"));

    let (client, _) = at([rows(&["a"]), Play::answer(502, "")]);
    let seen: Vec<_> = pin!(client.all_transactions(query)).collect().await;
    assert!(
        matches!(&seen[..], [Ok(_), Err(Error::Undecodable { .. })]),
        "{seen:?}"
    );

    let receipts = |cursor: Value, more| {
        let body = json!({"hasNext": more, "lastCursor": cursor, "data": [{"receiptKey": "r"}]});
        Play::answer(200, body.to_string())
    };
    let (client, transport) = at([receipts(json!(1), true), receipts(json!(2), false)]);
    let all: Vec<_> = pin!(client.all_cash_receipts(CashReceiptQuery::new(day)))
        .collect()
        .await;
    assert_eq!((all.len(), transport.sent().len()), (2, 2));
}

#[tokio::test]
async fn a_list_whose_cursor_stands_still_ends_in_an_error() {
    let (client, transport) = at([rows(&["a"]), rows(&["a"]), rows(&["a"])]);
    let midnight = NaiveDate::from_ymd_opt(2026, 1, 1)
        .unwrap()
        .and_hms_opt(0, 0, 0)
        .unwrap();
    let query = TransactionQuery::new(midnight, midnight);
    let seen: Vec<_> = pin!(client.all_transactions(query)).collect().await;
    assert!(matches!(&seen[..], [Ok(_), Err(_)]), "{seen:?}");
    assert_eq!(transport.sent().len(), 2);
}

#[cfg(feature = "payouts")]
#[tokio::test]
async fn payouts_and_sellers_are_streamed_from_cursor_to_cursor() {
    let page = |cursor: &str, more: bool| {
        let body = json!({"entityBody": {
            "hasNext": more, "lastCursor": cursor, "items": [{"id": cursor}],
        }});
        Play::answer(200, body.to_string())
    };
    let (client, transport) = at([page("a", true), page("b", false)]);
    let payouts: Vec<_> = pin!(client.all_payouts()).collect().await;
    assert!(matches!(&payouts[..], [Ok(a), Ok(b)] if a.id() == "a" && b.id() == "b"));
    assert!(transport.sent()[1].url.ends_with("startingAfter=a"));

    let (client, transport) = at([page("a", true), page("a", true), page("a", true)]);
    let sellers: Vec<_> = pin!(client.all_sellers()).collect().await;
    assert!(matches!(&sellers[..], [Ok(_), Err(_)]), "{sellers:?}");
    assert_eq!(transport.sent().len(), 2);
}
