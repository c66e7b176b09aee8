//! The life of a payment: confirm, expiry, cancels, virtual accounts.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Bench, ORDER, code, read, reason, request, start};
use crate::{SandboxConfig, endpoint::Endpoint};

#[test]
fn a_confirmed_card_payment_is_done_and_shows_tosss_fields() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 210_000);
    let (status, payment) = bench.confirm(&key, ORDER, 210_000);
    assert_eq!(status, 200);
    assert_eq!(payment["status"], "DONE");
    assert_eq!(payment["totalAmount"], 210_000);
    assert_eq!(payment["balanceAmount"], 210_000);
    assert_eq!(payment["vat"], 19_091);
    assert_eq!(payment["suppliedAmount"], 190_909);
    assert_eq!(payment["method"], "카드");
    assert_eq!(payment["version"], "2022-11-16");
    assert_eq!(payment["type"], "NORMAL");
    assert_eq!(payment["approvedAt"], "2026-01-01T09:00:00+09:00");
    assert!(payment["card"]["number"].as_str().unwrap().contains("****"));
    assert_eq!(payment["cancels"], Value::Null);
    assert_eq!(payment["isPartialCancelable"], true);
    assert_eq!(bench.get(&key).1, payment);
    assert_eq!(bench.get_by_order(ORDER).1, payment);
}

#[test]
fn confirm_refuses_what_does_not_match_and_leaves_the_payment_confirmable() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    assert_eq!(
        code(&bench.confirm("nothing", ORDER, 1_000)),
        (404, "NOT_FOUND_PAYMENT")
    );
    assert_eq!(
        code(&bench.confirm(&key, "order-0002", 1_000)),
        (403, "FORBIDDEN_REQUEST")
    );
    assert_eq!(
        code(&bench.confirm(&key, ORDER, 999)),
        (400, "INVALID_REQUEST")
    );
    assert_eq!(bench.approvals(), 0);
    assert_eq!(bench.confirm(&key, ORDER, 1_000).0, 200);
}

#[test]
fn the_codes_of_a_mismatch_are_settings() {
    let mut bench = Bench::with(&SandboxConfig {
        amount_mismatch_code: "FORBIDDEN_REQUEST".to_owned(),
        order_mismatch_code: "INVALID_REQUEST".to_owned(),
        ..SandboxConfig::default()
    });
    let key = bench.authenticate(ORDER, 1_000);
    assert_eq!(
        code(&bench.confirm(&key, "order-0002", 1_000)),
        (400, "INVALID_REQUEST")
    );
    assert_eq!(
        code(&bench.confirm(&key, ORDER, 999)),
        (403, "FORBIDDEN_REQUEST")
    );
}

#[test]
fn a_second_confirm_of_one_payment_is_already_processed() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    bench.confirm(&key, ORDER, 1_000);
    assert_eq!(
        code(&bench.confirm(&key, ORDER, 1_000)),
        (400, "ALREADY_PROCESSED_PAYMENT")
    );
    assert_eq!(bench.approvals(), 1);
}

#[test]
fn a_second_payment_of_an_approved_order_is_a_duplicate_even_after_a_cancel() {
    let mut bench = Bench::new();
    let (first, second) = (
        bench.authenticate(ORDER, 1_000),
        bench.authenticate(ORDER, 1_000),
    );
    bench.confirm(&first, ORDER, 1_000);
    assert_eq!(
        code(&bench.confirm(&second, ORDER, 1_000)),
        (400, "DUPLICATED_ORDER_ID")
    );
    bench.cancel(&first, &reason());
    assert_eq!(
        code(&bench.confirm(&second, ORDER, 1_000)),
        (400, "DUPLICATED_ORDER_ID")
    );
    assert_eq!(bench.get_by_order(ORDER).1["paymentKey"], first.as_str());
    assert_eq!(bench.approvals(), 1);
}

#[test]
fn a_lookup_by_order_finds_the_latest_payment_while_none_is_approved() {
    let mut bench = Bench::new();
    bench.authenticate(ORDER, 1_000);
    let latest = bench.authenticate(ORDER, 1_000);
    assert_eq!(bench.get_by_order(ORDER).1["paymentKey"], latest.as_str());
    assert_eq!(
        code(&bench.get_by_order("order-none")),
        (404, "NOT_FOUND_PAYMENT")
    );
}

#[test]
fn an_authenticated_payment_expires_after_ten_minutes() {
    let mut bench = Bench::new();
    let (late, in_time) = (
        bench.authenticate(ORDER, 1_000),
        bench.authenticate("order-0002", 500),
    );
    bench.now = start() + TimeDelta::seconds(599);
    assert_eq!(bench.confirm(&in_time, "order-0002", 500).0, 200);
    bench.now = start() + TimeDelta::seconds(600);
    assert_eq!(
        code(&bench.confirm(&late, ORDER, 1_000)),
        (404, "NOT_FOUND_PAYMENT_SESSION")
    );
    let (_, payment) = bench.get(&late);
    assert_eq!(payment["status"], "EXPIRED");
    assert_eq!(payment["failure"]["code"], "EXPIRED_PAYMENT");
}

#[test]
fn cancels_reach_tosss_states_and_refusals() {
    let mut bench = Bench::new();
    let whole = bench.authenticate(ORDER, 1_100);
    assert_eq!(
        code(&bench.cancel(&whole, &reason())),
        (403, "NOT_CANCELABLE_PAYMENT")
    );
    bench.confirm(&whole, ORDER, 1_100);
    let (_, canceled) = bench.cancel(&whole, &reason());
    assert_eq!(
        (&canceled["status"], &canceled["balanceAmount"]),
        (&json!("CANCELED"), &json!(0))
    );
    assert_eq!(canceled["cancels"][0]["cancelAmount"], 1_100);
    assert_eq!(
        code(&bench.cancel(&whole, &reason())),
        (400, "ALREADY_CANCELED_PAYMENT")
    );

    let parts = bench.authenticate("order-0002", 1_100);
    bench.confirm(&parts, "order-0002", 1_100);
    let part = |amount: u64| json!({ "cancelReason": "변심", "cancelAmount": amount });
    assert_eq!(
        code(&bench.cancel(&parts, &part(1_101))),
        (403, "NOT_CANCELABLE_AMOUNT")
    );
    assert_eq!(
        code(&bench.cancel(&parts, &part(0))),
        (400, "INVALID_REQUEST")
    );
    let (_, partial) = bench.cancel(&parts, &part(100));
    assert_eq!(partial["status"], "PARTIAL_CANCELED");
    assert_eq!(
        (&partial["vat"], &partial["suppliedAmount"]),
        (&json!(91), &json!(909))
    );
    let stale = json!({ "cancelReason": "변심", "refundableAmount": 1_100 });
    assert_eq!(
        code(&bench.cancel(&parts, &stale)),
        (400, "NOT_MATCHES_REFUNDABLE_AMOUNT")
    );
    let (_, rest) = bench.cancel(&parts, &reason());
    assert_eq!(
        (&rest["status"], &rest["balanceAmount"]),
        (&json!("PARTIAL_CANCELED"), &json!(0))
    );
    assert_eq!(
        code(&bench.cancel(&parts, &reason())),
        (403, "NOT_CANCELABLE_AMOUNT")
    );
    let ledger = bench.engine.ledger(1, 1);
    assert_eq!(
        (ledger[0].approved, ledger[0].canceled, ledger[0].net),
        (1_100, 1_100, 0)
    );
}

#[test]
fn a_virtual_account_waits_for_its_deposit_and_needs_an_account_to_refund() {
    let mut bench = Bench::new();
    let key = bench.virtual_account(5_000);
    let (_, waiting) = bench.confirm(&key, ORDER, 5_000);
    assert_eq!(waiting["status"], "WAITING_FOR_DEPOSIT");
    assert_eq!(waiting["approvedAt"], Value::Null);
    assert!(
        waiting["virtualAccount"]["accountNumber"]
            .as_str()
            .unwrap()
            .starts_with('X')
    );
    assert_eq!(bench.approvals(), 0);
    let part = json!({ "cancelReason": "변심", "cancelAmount": 1 });
    let early = bench.cancel(&key, &part);
    assert_eq!(
        code(&early),
        (403, "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT")
    );
    bench.engine.deposit(bench.now, &key).unwrap();
    assert_eq!(
        bench.engine.deposit(bench.now, &key).unwrap_err().code,
        "INVALID_REQUEST"
    );
    assert_eq!(bench.get(&key).1["status"], "DONE");
    assert_eq!(bench.approvals(), 1);
    assert_eq!(
        code(&bench.cancel(&key, &reason())),
        (400, "INVALID_REFUND_ACCOUNT_INFO")
    );
    let account = json!({ "bank": "20", "accountNumber": "123456", "holderName": "김토스" });
    let refund = json!({ "cancelReason": "변심", "refundReceiveAccount": account });
    assert_eq!(bench.cancel(&key, &refund).1["status"], "CANCELED");
}

#[test]
fn an_overdue_virtual_account_keeps_waiting_and_says_that_it_expired() {
    let mut bench = Bench::new();
    let key = bench.virtual_account(5_000);
    bench.confirm(&key, ORDER, 5_000);
    bench.now += TimeDelta::days(8);
    let (_, payment) = bench.get(&key);
    assert_eq!(payment["status"], "WAITING_FOR_DEPOSIT");
    assert_eq!(payment["virtualAccount"]["expired"], true);
    assert!(bench.engine.deposit(bench.now, &key).is_err());
}

#[test]
fn a_virtual_account_withdrawn_before_its_deposit_moves_no_money() {
    let mut bench = Bench::new();
    let key = bench.virtual_account(5_000);
    bench.confirm(&key, ORDER, 5_000);
    assert_eq!(bench.cancel(&key, &reason()).1["status"], "CANCELED");
    let row = &bench.engine.ledger(0, 1)[0];
    assert_eq!((row.approvals, row.canceled, row.net), (0, 0, 0));
}

#[test]
fn an_amount_may_be_sent_as_text() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 9_026);
    let body = |amount: &str| json!({ "paymentKey": key, "orderId": ORDER, "amount": amount });
    let wrong = read(&bench.send(request(Endpoint::Confirm, "", &body("9026원"))));
    assert_eq!(code(&wrong), (400, "INVALID_REQUEST"));
    let (status, paid) = read(&bench.send(request(Endpoint::Confirm, "", &body("9026"))));
    assert_eq!((status, &paid["totalAmount"]), (200, &json!(9_026)));
}

#[test]
fn what_is_no_sale_is_untaxed_and_goes_back_with_the_rest() {
    let mut bench = Bench::new();
    let body = json!({
        "customerKey": "buyer-1", "cardNumber": "9410001234567890", "cardExpirationYear": "30",
        "cardExpirationMonth": "12", "customerIdentityNumber": "900101",
    });
    let (_, billing) = bench.ask(Endpoint::IssueBillingByCard, "", &body);
    let key = billing["billingKey"].as_str().unwrap().to_owned();
    let charge = |exempt: u64, order: &str| {
        json!({
            "customerKey": "buyer-1", "orderId": order, "orderName": "a", "amount": 12_300,
            "taxFreeAmount": 1_000, "taxExemptionAmount": exempt,
        })
    };
    let too_much = bench.ask(Endpoint::ChargeBilling, &key, &charge(11_301, ORDER));
    assert_eq!(code(&too_much), (400, "INVALID_REQUEST"));
    let (_, paid) = bench.ask(Endpoint::ChargeBilling, &key, &charge(300, ORDER));
    let fields = [
        "taxExemptionAmount",
        "taxFreeAmount",
        "vat",
        "suppliedAmount",
    ];
    let amounts = |payment: &Value| fields.map(|field| payment[field].as_u64().unwrap());
    assert_eq!(amounts(&paid), [300, 1_000, 1_000, 10_000]);

    let payment = paid["paymentKey"].as_str().unwrap();
    let cancel = |amount: u64, exempt: u64| json!({ "cancelReason": "r", "cancelAmount": amount, "taxExemptionAmount": exempt });
    let refused = bench.cancel(payment, &cancel(500, 301));
    assert_eq!(code(&refused), (400, "INVALID_REFUND_AMOUNT"));
    let (_, part) = bench.cancel(payment, &cancel(1_200, 100));
    assert_eq!(part["cancels"][0]["taxExemptionAmount"], 100);
    assert_eq!(amounts(&part), [200, 1_000, 900, 9_000]);
    let (_, rest) = bench.cancel(payment, &reason());
    assert_eq!(rest["cancels"][1]["taxExemptionAmount"], 200);
    assert_eq!(rest["cancels"][1]["taxFreeAmount"], 1_000);
    assert_eq!(amounts(&rest), [0, 0, 0, 0]);
}
