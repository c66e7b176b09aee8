//! What Toss leaves open is a setting.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    Bench, ORDER, code,
    direct::{account, card},
    keyed, read, reason, request,
};
use crate::{ApiVersion, SandboxConfig, Unknowns, endpoint::Endpoint, fault::Effect};

#[test]
fn what_toss_leaves_open_is_a_setting() {
    let unknowns = Unknowns {
        long_customer_key: "FAILED_DB_PROCESSING".to_owned(),
        repeated_billing_removal: None,
        expired_confirm: "NOT_FOUND_PAYMENT".to_owned(),
        escrow_partial_cancel: "FAILED_INTERNAL_SYSTEM_PROCESSING".to_owned(),
        ..Unknowns::default()
    };
    let mut bench = Bench::with(&SandboxConfig {
        unknowns,
        api_version: ApiVersion::V2024_06_01,
        ..SandboxConfig::default()
    });
    let long = card(("customerKey", json!("가".repeat(301))));
    let answer = bench.ask(Endpoint::IssueBillingByCard, "", &long);
    assert_eq!(code(&answer), (500, "FAILED_DB_PROCESSING"));
    let fits = card(("customerKey", json!("가".repeat(300))));
    let (status, issued) = bench.ask(Endpoint::IssueBillingByCard, "", &fits);
    assert_eq!((status, issued.get("cardNumber")), (200, None));
    let key = issued["billingKey"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        assert_eq!(
            bench
                .send(request(Endpoint::RemoveBilling, &key, &Value::Null))
                .status,
            200
        );
    }
    let escrow = bench.ask(
        Endpoint::IssueAccount,
        "",
        &account(("useEscrow", json!(true))),
    );
    assert_eq!(escrow.1["version"], "2024-06-01");
    let key = escrow.1["paymentKey"].as_str().unwrap().to_owned();
    let now = bench.now;
    bench.engine.deposit(now, &key).unwrap();
    let mut part = reason();
    part["cancelAmount"] = json!(1_000);
    let answer = bench.cancel(&key, &part);
    assert_eq!(code(&answer), (500, "FAILED_INTERNAL_SYSTEM_PROCESSING"));
    let lapsed = bench.authenticate("order-0002", 1_000);
    bench.now += TimeDelta::minutes(10);
    let answer = bench.confirm(&lapsed, "order-0002", 1_000);
    assert_eq!(code(&answer), (404, "NOT_FOUND_PAYMENT"));
}

#[test]
fn what_toss_says_nothing_of_is_a_setting() {
    let texts = [
        ("IDEMPOTENT_REQUEST_PROCESSING", "처리중"),
        ("BUSY", "later"),
    ];
    let unknowns = Unknowns {
        foreign_confirm: "FORBIDDEN_REQUEST".to_owned(),
        rate_limit: "BUSY".to_owned(),
        texts: texts
            .map(|(code, text)| (code.to_owned(), text.to_owned()))
            .into(),
        idempotent_deletes: true,
        ..Unknowns::default()
    };
    let mut bench = Bench::with(&SandboxConfig {
        unknowns,
        ..SandboxConfig::default()
    });
    let foreign = bench.confirm("nobody-s", ORDER, 1_000);
    assert_eq!(code(&foreign), (403, "FORBIDDEN_REQUEST"));
    bench.inject(Effect::RateLimit { per_minute: 0 });
    let limited = bench.confirm("nobody-s", ORDER, 1_000);
    assert_eq!(code(&limited), (429, "BUSY"));
    assert_eq!(limited.1["message"], "later");
    let key = bench.authenticate(ORDER, 1_000);
    let confirm = || keyed(super::confirm(&key, ORDER, 1_000), "k");
    let running = bench.engine.receive(bench.now, confirm());
    let twin = read(&bench.send(confirm()));
    assert_eq!(code(&twin), (409, "IDEMPOTENT_REQUEST_PROCESSING"));
    assert_eq!(twin.1["message"], "처리중");
    drop(running);
    let (_, issued) = bench.ask(
        Endpoint::IssueBillingByCard,
        "",
        &card(("customerKey", json!("b"))),
    );
    let key = issued["billingKey"].as_str().unwrap();
    let remove = || keyed(request(Endpoint::RemoveBilling, key, &Value::Null), "k");
    for _ in 0..2 {
        let removed = bench.send(remove());
        assert_eq!(
            (removed.status, removed.idempotency_key.as_deref()),
            (200, Some("k"))
        );
    }
    let plain = request(Endpoint::RemoveBilling, key, &Value::Null);
    assert_eq!(bench.send(plain).status, 400);
}
