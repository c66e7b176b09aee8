//! Payments without a window, and billing keys.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Bench, ORDER, code, keyed, reason, request};
use crate::{endpoint::Endpoint, engine::Method};

impl Bench {
    pub(super) fn ask(&mut self, endpoint: Endpoint, subject: &str, body: &Value) -> (u16, Value) {
        super::read(&self.send(request(endpoint, subject, body)))
    }
}

pub(super) fn account(change: (&str, Value)) -> Value {
    let mut body = json!({
        "amount": 15_000, "orderId": ORDER, "orderName": "티셔츠",
        "customerName": "김토스", "bank": "20",
    });
    body[change.0] = change.1;
    body
}

pub(super) fn card(change: (&str, Value)) -> Value {
    let mut body = json!({
        "cardNumber": "9410001234567890", "cardExpirationYear": "30", "cardExpirationMonth": "12",
        "customerIdentityNumber": "900101", "cardPassword": "12", "customerKey": "buyer-1",
        "amount": 60_000, "orderId": ORDER, "orderName": "티셔츠",
    });
    body[change.0] = change.1;
    body
}

#[test]
fn an_account_is_issued_by_call_paid_into_reversed_and_refunded() {
    let mut bench = Bench::new();
    let (status, issued) = bench.ask(
        Endpoint::IssueAccount,
        "",
        &account(("validHours", json!(24))),
    );
    assert_eq!(
        (status, &issued["status"]),
        (200, &json!("WAITING_FOR_DEPOSIT"))
    );
    let account_view = &issued["virtualAccount"];
    assert_eq!(account_view["dueDate"], "2026-01-02T09:00:00+09:00");
    assert!(
        account_view["accountNumber"]
            .as_str()
            .unwrap()
            .starts_with('X')
    );
    let key = issued["paymentKey"].as_str().unwrap().to_owned();
    let now = bench.now;
    bench.engine.deposit(now, &key).unwrap();
    let reversed = bench.engine.reverse_deposit(now, &key).unwrap();
    let reversed: Value = serde_json::from_str(&reversed).unwrap();
    assert_eq!(reversed["status"], "WAITING_FOR_DEPOSIT");
    assert_eq!(reversed["approvedAt"], Value::Null);
    assert_eq!(bench.approvals(), 0);
    assert!(bench.engine.reverse_deposit(now, &key).is_err());
    bench.engine.deposit(now, &key).unwrap();
    assert_eq!(bench.approvals(), 1);
    assert!(bench.engine.audit().is_empty());

    let listed = bench.ask(
        Endpoint::Transactions,
        "startDate=2026-01-01T00:00:00&endDate=2026-01-02T00:00:00",
        &Value::Null,
    );
    let amounts: Vec<_> = listed
        .1
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["amount"])
        .collect();
    assert_eq!(amounts, [15_000, -15_000, 15_000]);
    assert_eq!(listed.1[1]["status"], "WAITING_FOR_DEPOSIT");

    let mut body = reason();
    body["refundReceiveAccount"] =
        json!({ "bank": "99", "accountNumber": "1", "holderName": "김" });
    assert_eq!(code(&bench.cancel(&key, &body)), (400, "INVALID_BANK"));
    body["refundReceiveAccount"]["bank"] = json!("신한");
    let (status, refunded) = bench.cancel(&key, &body);
    assert_eq!((status, &refunded["status"]), (200, &json!("CANCELED")));
    let shown = &refunded["virtualAccount"]["refundReceiveAccount"];
    assert_eq!(
        shown,
        &json!({ "bankCode": "88", "accountNumber": "1", "holderName": "김" })
    );
    bench.now += TimeDelta::minutes(30);
    assert_eq!(
        bench.get(&key).1["virtualAccount"]["refundReceiveAccount"],
        Value::Null
    );
}

#[test]
fn an_account_is_refused_for_tosss_reasons() {
    let cases = [
        (("bank", json!("99")), "INVALID_BANK"),
        (("amount", json!(199)), "BELOW_MINIMUM_AMOUNT"),
        (("orderId", json!("주문")), "INVALID_ORDER_ID"),
        (("customerName", json!("")), "INVALID_REQUEST"),
        (("validHours", json!(2_161)), "EXCEED_MAX_VALID_HOURS"),
        (
            ("dueDate", json!("2026-05-01T00:00:00")),
            "EXCEED_MAX_DUE_DATE",
        ),
        (("dueDate", json!("2025-05-01T00:00:00")), "INVALID_DATE"),
        (("dueDate", json!("tomorrow")), "INVALID_DATE"),
        (("customerEmail", json!("nobody")), "INVALID_EMAIL"),
        (
            (
                "cashReceipt",
                json!({ "type": "소득공제", "registrationNumber": "x" }),
            ),
            "INVALID_REGISTRATION_NUMBER_TYPE",
        ),
    ];
    for (change, expected) in cases {
        let mut bench = Bench::new();
        let answer = bench.ask(Endpoint::IssueAccount, "", &account(change.clone()));
        assert_eq!(code(&answer), (400, expected), "{change:?}");
    }
    let mut bench = Bench::new();
    let mut both = account(("validHours", json!(1)));
    both["dueDate"] = json!("2026-01-02T00:00:00");
    let answer = bench.ask(Endpoint::IssueAccount, "", &both);
    assert_eq!(
        code(&answer),
        (400, "INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE")
    );
    assert_eq!(
        bench
            .ask(Endpoint::IssueAccount, "", &account(("x", json!(1))))
            .0,
        200
    );
    let again = bench.ask(Endpoint::IssueAccount, "", &account(("x", json!(1))));
    assert_eq!(code(&again), (400, "DUPLICATED_ORDER_ID"));
}

#[test]
fn a_card_is_charged_by_number_or_refused_for_tosss_reasons() {
    let mut bench = Bench::new();
    let (status, paid) = bench.ask(
        Endpoint::KeyIn,
        "",
        &card(("cardInstallmentPlan", json!(3))),
    );
    assert_eq!((status, &paid["status"]), (200, &json!("DONE")));
    assert_eq!(paid["card"]["number"], "94100012****789*");
    assert_eq!(paid["card"]["installmentPlanMonths"], 3);
    let cases = [
        (("cardNumber", json!("941000")), "INVALID_CARD_NUMBER"),
        (
            ("cardNumber", json!("4330121234567890")),
            "NOT_SUPPORTED_CARD_TYPE",
        ),
        (
            ("cardExpirationMonth", json!("13")),
            "INVALID_CARD_EXPIRATION",
        ),
        (
            ("cardExpirationYear", json!("25")),
            "INVALID_CARD_EXPIRATION",
        ),
        (
            ("customerIdentityNumber", json!("901301")),
            "INVALID_BIRTH_DAY_FORMAT",
        ),
        (("cardPassword", json!("1234")), "INVALID_CARD_PASSWORD"),
        (
            ("cardInstallmentPlan", json!(13)),
            "INVALID_CARD_INSTALLMENT_PLAN",
        ),
        (("orderId", json!("x")), "INVALID_ORDER_ID"),
        (("amount", json!(99)), "BELOW_MINIMUM_AMOUNT"),
        (("amount", json!(-1)), "INVALID_REQUEST"),
        (("orderId", json!(ORDER)), "DUPLICATED_ORDER_ID"),
    ];
    for (change, expected) in cases {
        let answer = bench.ask(Endpoint::KeyIn, "", &card(change.clone()));
        assert_eq!(code(&answer), (400, expected), "{change:?}");
    }
    let mut small = card(("amount", json!(49_999)));
    small["cardInstallmentPlan"] = json!(2);
    let answer = bench.ask(Endpoint::KeyIn, "", &small);
    assert_eq!(
        code(&answer),
        (400, "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN_BELOW_AMOUNT")
    );
}

#[test]
fn the_authentication_of_a_card_abroad_has_three_texts() {
    let mut bench = Bench::new();
    let whole = json!({ "cavv": "c", "xid": "x", "eci": "05" });
    let answer = bench.ask(Endpoint::KeyIn, "", &card(("vbv", whole.clone())));
    assert_eq!(answer.0, 200, "{}", answer.1);
    for missing in ["cavv", "xid", "eci"] {
        let mut part = whole.clone();
        part[missing] = Value::Null;
        for endpoint in [Endpoint::KeyIn, Endpoint::IssueBillingByCard] {
            let answer = bench.ask(endpoint, "", &card(("vbv", part.clone())));
            assert_eq!(code(&answer), (400, "INVALID_REQUEST"), "{missing}");
        }
    }
}

#[test]
fn a_billing_key_is_issued_charged_and_deleted() {
    let mut bench = Bench::new();
    let (status, issued) = bench.ask(Endpoint::IssueBillingByCard, "", &card(("x", json!(1))));
    assert_eq!((status, &issued["customerKey"]), (200, &json!("buyer-1")));
    assert_eq!(issued["cardNumber"], issued["card"]["number"]);
    let key = issued["billingKey"].as_str().unwrap().to_owned();
    let other = bench.ask(
        Endpoint::ChargeBilling,
        &key,
        &card(("customerKey", json!("b"))),
    );
    assert_eq!(code(&other), (400, "NOT_MATCHES_CUSTOMER_KEY"));
    let (status, paid) = bench.ask(Endpoint::ChargeBilling, &key, &card(("x", json!(1))));
    assert_eq!((status, &paid["type"]), (200, &json!("BILLING")));
    assert_eq!(bench.approvals(), 1);
    let none = bench.ask(Endpoint::ChargeBilling, "none", &card(("x", json!(1))));
    assert_eq!(code(&none), (400, "INVALID_BILL_KEY_REQUEST"));
    let removed = bench.send(request(Endpoint::RemoveBilling, &key, &Value::Null));
    assert_eq!((removed.status, &*removed.body), (200, ""));
    let late = bench.ask(Endpoint::ChargeBilling, &key, &card(("x", json!(1))));
    assert_eq!(code(&late), (400, "ALREADY_REMOVED_BILLING_KEY"));
    let again = bench.ask(Endpoint::RemoveBilling, &key, &Value::Null);
    assert_eq!(code(&again), (400, "ALREADY_REMOVED_BILLING_KEY"));
}

#[test]
fn a_card_that_only_registers_is_refused_when_charged() {
    let mut bench = Bench::new();
    let odd = card(("cardNumber", json!("4330121234567890")));
    let (_, issued) = bench.ask(Endpoint::IssueBillingByCard, "", &odd);
    let key = issued["billingKey"].as_str().unwrap().to_owned();
    let answer = bench.ask(Endpoint::ChargeBilling, &key, &card(("x", json!(1))));
    assert_eq!(code(&answer), (400, "NOT_SUPPORTED_CARD_TYPE"));
}

#[test]
fn an_auth_key_issues_one_billing_key_to_its_customer() {
    let mut bench = Bench::new();
    let auth_key = bench.engine.authorise_billing("buyer-1", None);
    let body = |key: &str, customer: &str| json!({ "authKey": key, "customerKey": customer });
    let foreign = bench.ask(Endpoint::IssueBilling, "", &body(&auth_key, "buyer-2"));
    assert_eq!(code(&foreign), (400, "NOT_MATCHES_CUSTOMER_KEY"));
    assert_eq!(
        bench
            .ask(Endpoint::IssueBilling, "", &body(&auth_key, "buyer-1"))
            .0,
        200
    );
    let used = bench.ask(Endpoint::IssueBilling, "", &body(&auth_key, "buyer-1"));
    assert_eq!(code(&used), (404, "NOT_FOUND_BILLING"));
}

#[test]
fn a_phone_bill_can_be_cancelled_in_its_month_and_a_transfer_for_half_a_year() {
    let phone = Method::MobilePhone {
        customer_mobile_phone: "01000001234".to_owned(),
    };
    let transfer = Method::Transfer {
        bank_code: "20".to_owned(),
    };
    for (method, days, field) in [(phone, 30, "mobilePhone"), (transfer, 180, "transfer")] {
        let mut bench = Bench::new();
        let key = bench
            .engine
            .authenticate(bench.now, ORDER, "티셔츠", 1_000, method);
        let (_, paid) = bench.confirm(&key, ORDER, 1_000);
        assert_eq!(paid[field]["settlementStatus"], "INCOMPLETED");
        bench.now += TimeDelta::days(days);
        let mut part = reason();
        part["cancelAmount"] = json!(1);
        assert_eq!(bench.cancel(&key, &part).0, 200);
        bench.now += TimeDelta::days(1);
        assert_eq!(
            code(&bench.cancel(&key, &part)),
            (403, "EXCEED_MAX_REFUND_DUE")
        );
    }
}

#[test]
fn the_widget_s_payments_need_the_widget_s_key() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    let mut widget = super::confirm(&key, ORDER, 1_000);
    widget.authorization = Some(format!(
        "Basic {}",
        base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("{}:", crate::DEFAULT_WIDGET_SECRET_KEY)
        )
    ));
    let answer = super::read(&bench.send(widget.clone()));
    assert_eq!(code(&answer), (400, "INVALID_API_KEY"));
    widget.endpoint = Endpoint::KeyIn;
    let answer = super::read(&bench.send(widget));
    assert_eq!(code(&answer), (400, "NOT_SUPPORTED_WIDGET_KEY"));
}

#[test]
fn a_charge_is_replayed_under_its_idempotency_key() {
    let mut bench = Bench::new();
    let charge = keyed(request(Endpoint::KeyIn, "", &card(("x", json!(1)))), "k");
    let first = bench.send(charge.clone());
    let second = bench.send(charge);
    assert_eq!((first.status, first.body), (second.status, second.body));
    assert_eq!(bench.approvals(), 1);
}

#[test]
fn a_refund_to_no_number_or_of_too_much_tax_free_is_refused() {
    let mut bench = Bench::new();
    let mut free = account(("taxFreeAmount", json!(5_000)));
    free["useEscrow"] = json!(true);
    let (_, issued) = bench.ask(Endpoint::IssueAccount, "", &free);
    let key = issued["paymentKey"].as_str().unwrap().to_owned();
    let now = bench.now;
    bench.engine.deposit(now, &key).unwrap();
    let mut body = reason();
    body["refundReceiveAccount"] =
        json!({ "bank": "88", "accountNumber": "1-2", "holderName": "김" });
    let answer = bench.cancel(&key, &body);
    assert_eq!(code(&answer), (400, "INVALID_REFUND_ACCOUNT_NUMBER"));
    body["refundReceiveAccount"]["accountNumber"] = json!("12");
    body["taxFreeAmount"] = json!(5_001);
    assert_eq!(
        code(&bench.cancel(&key, &body)),
        (400, "INVALID_REFUND_AMOUNT")
    );
    body["cancelAmount"] = json!(1_000);
    let answer = bench.cancel(&key, &body);
    assert_eq!(code(&answer), (403, "NOT_ALLOWED_PARTIAL_REFUND"));
}
