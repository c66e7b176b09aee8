//! Receipts, settlements and promotions.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Bench, ORDER, code, reason};
use crate::{endpoint::Endpoint, engine::RECEIPT_DELAY};

#[test]
fn a_cash_receipt_is_decided_later_cancelled_in_parts_and_listed() {
    let mut bench = Bench::new();
    let body = |number: &str| {
        json!({
            "amount": 1_000, "orderId": ORDER, "orderName": "티셔츠", "type": "소득공제",
            "customerIdentityNumber": number,
        })
    };
    let (_, issued) = bench.ask(Endpoint::IssueCashReceipt, "", &body("010-000-1234"));
    assert_eq!(issued["issueStatus"], "IN_PROGRESS");
    assert_eq!(
        bench.ask(Endpoint::IssueCashReceipt, "", &body("01")).0,
        200
    );
    let key = issued["receiptKey"].as_str().unwrap().to_owned();
    let part = json!({ "amount": 400 });
    let (_, canceled) = bench.ask(Endpoint::CancelCashReceipt, &key, &part);
    assert_eq!(canceled["receiptKey"], format!("c_{key}"));
    assert_eq!(canceled["transactionType"], "CANCEL");
    assert_eq!(
        bench.ask(Endpoint::CancelCashReceipt, &key, &json!({})).1["amount"],
        600
    );
    assert_eq!(bench.ask(Endpoint::CancelCashReceipt, &key, &part).0, 400);
    let none = bench.ask(Endpoint::CancelCashReceipt, "none", &part);
    assert_eq!(code(&none), (404, "NOT_FOUND_RECEIPT"));
    bench.now += RECEIPT_DELAY;
    let (_, page) = bench.ask(
        Endpoint::CashReceipts,
        "requestDate=2026-01-01",
        &Value::Null,
    );
    let statuses: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["issueStatus"].clone())
        .collect();
    assert_eq!(statuses, ["COMPLETED", "FAILED", "COMPLETED", "COMPLETED"]);
    assert_eq!(page["data"][1]["failure"]["code"], "NTS_ERROR");
    assert_eq!(
        (&page["hasNext"], &page["lastCursor"]),
        (&json!(false), &json!(4))
    );
    for query in ["", "requestDate=today"] {
        assert_eq!(
            code(&bench.ask(Endpoint::CashReceipts, query, &Value::Null)).1,
            "INVALID_DATE"
        );
    }
}

#[test]
fn settlements_follow_from_what_was_paid_from_the_next_day_on() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 10_000);
    bench.confirm(&key, ORDER, 10_000);
    let mut part = reason();
    part["cancelAmount"] = json!(4_000);
    bench.cancel(&key, &part);
    let query = "startDate=2026-01-01&endDate=2026-01-31";
    assert_eq!(
        bench.ask(Endpoint::Settlements, query, &Value::Null).1,
        json!([])
    );
    bench.now += TimeDelta::days(1);
    let (_, rows) = bench.ask(Endpoint::Settlements, query, &Value::Null);
    assert_eq!(rows[0]["payOutAmount"], 10_000 - 300 - 30);
    assert_eq!(rows[1]["payOutAmount"], -(4_000 - 120 - 12));
    // The fee is with its tax; Toss says what each comes to.
    for (row, (fee, supply, vat)) in [(0, (330, 300, 30)), (1, (-132, -120, -12))] {
        let row = &rows[row];
        assert_eq!(
            (&row["fee"], &row["fees"][0]["fee"]),
            (&json!(fee), &json!(fee))
        );
        assert_eq!(
            (&row["supplyAmount"], &row["vat"]),
            (&json!(supply), &json!(vat))
        );
        assert_eq!(row["card"]["amount"], 10_000);
        assert!(
            row["transfer"].is_null() && row["easyPay"].is_null(),
            "{row}"
        );
    }
    assert_eq!(rows[0]["cancel"], Value::Null);
    assert_eq!(rows[1]["cancel"]["cancelAmount"], 4_000);
    assert_eq!(rows[1]["cancel"]["refundableAmount"], 6_000);
    assert_eq!(
        (&rows[0]["soldDate"], &rows[0]["paidOutDate"]),
        (&json!("2026-01-01"), &json!("2026-01-05"))
    );
    let by_payout = "startDate=2026-01-02&endDate=2026-01-31&dateType=paidOutDate";
    assert_eq!(
        bench
            .ask(Endpoint::Settlements, by_payout, &Value::Null)
            .1
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let past = format!("{query}&page=2");
    assert_eq!(
        bench.ask(Endpoint::Settlements, &past, &Value::Null).1,
        json!([])
    );
    for (query, expected) in [
        ("startDate=2026-01-01", "INVALID_DATE"),
        ("startDate=2026-01-02&endDate=2026-01-01", "INVALID_DATE"),
        (
            "startDate=2026-01-01&endDate=2026-01-02&page=0",
            "INVALID_REQUEST",
        ),
        (
            "startDate=2026-01-01&endDate=2026-01-02&size=5001",
            "EXCEED_MAX_QUERY_LIMIT",
        ),
    ] {
        let answer = bench.ask(Endpoint::Settlements, query, &Value::Null);
        assert_eq!(code(&answer), (400, expected), "{query}");
    }
    let body = json!({ "paymentKey": key });
    assert_eq!(
        bench.ask(Endpoint::RequestSettlement, "", &body).1,
        json!({ "result": true })
    );
    let body = json!({ "paymentKey": "none" });
    assert_eq!(bench.ask(Endpoint::RequestSettlement, "", &body).0, 404);
}

#[test]
fn lists_that_nobody_changes_have_tosss_fields() {
    let mut bench = Bench::new();
    for (endpoint, banks) in [
        (Endpoint::Promotions, true),
        (Endpoint::CardPromotions, false),
        (Endpoint::BrandpayCardPromotions, false),
        (Endpoint::BrandpayBankPromotions, true),
    ] {
        let (status, offers) = bench.ask(endpoint, "", &Value::Null);
        assert_eq!(status, 200);
        assert_eq!(offers["discountBanks"].is_array(), banks, "{endpoint:?}");
        assert!(offers["discountCards"][0]["issuerCode"].is_string());
        assert!(offers["interestFreeCards"][0]["installmentFreeMonths"].is_array());
    }
    let (_, terms) = bench.ask(Endpoint::BrandpayTerms, "customerKey=buyer", &Value::Null);
    assert_eq!(
        (&terms[0]["required"], &terms[0]["agreed"]),
        (&json!(true), &json!(false))
    );
}
