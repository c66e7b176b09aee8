//! Payouts, sellers, balances and brandpay.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Bench, ORDER, code, request};
use crate::{
    DEFAULT_SECURITY_KEY, SandboxConfig,
    endpoint::Endpoint,
    engine::{ApiRequest, Content, Engine, Findings, PAYOUT_DELAY, Random, vault::Vault},
};

fn sealed(bench: &Bench, endpoint: Endpoint, subject: &str, body: &Value) -> ApiRequest {
    let vault = Vault::new(DEFAULT_SECURITY_KEY);
    let mut random = Random::new(9);
    let mut sealed = request(endpoint, subject, body);
    sealed.body = vault
        .seal(bench.now, &mut random, body.to_string())
        .into_bytes();
    sealed.security_mode = Some("ENCRYPTION".to_owned());
    sealed
}

impl Bench {
    /// A call in ENCRYPTION mode and what its answer holds.
    fn ask_sealed(&mut self, endpoint: Endpoint, subject: &str, body: &Value) -> (u16, Value) {
        let request = sealed(self, endpoint, subject, body);
        let answer = self.send(request);
        assert_eq!(answer.content, Content::Text);
        let opened = Vault::new(DEFAULT_SECURITY_KEY)
            .open(answer.body.as_bytes())
            .unwrap();
        (answer.status, serde_json::from_slice(&opened).unwrap())
    }

    fn ask_v2(&mut self, endpoint: Endpoint, subject: &str) -> (u16, Value) {
        super::read(&self.send(request(endpoint, subject, &Value::Null)))
    }

    fn seller(&mut self, account: (&str, &str)) -> String {
        let body = json!({
            "refSellerId": format!("seller-{}", account.1), "businessType": "INDIVIDUAL",
            "individual": { "name": "김토스", "email": "a@b.kr", "phone": "01000001234" },
            "account": { "bankCode": account.0, "accountNumber": account.1, "holderName": "김토스" },
        });
        let (status, registered) = self.ask_sealed(Endpoint::RegisterSeller, "", &body);
        assert_eq!(
            (status, &registered["entityType"]),
            (200, &json!("seller")),
            "{registered}"
        );
        registered["entityBody"]["id"].as_str().unwrap().to_owned()
    }
}

fn payout(destination: &str, reference: &str, value: u64) -> Value {
    json!({
        "refPayoutId": reference, "destination": destination, "scheduleType": "EXPRESS",
        "amount": { "currency": "KRW", "value": value }, "transactionDescription": "정산",
    })
}

#[test]
fn a_seller_is_paid_and_the_merchant_is_told() {
    let mut bench = Bench::new();
    bench.engine.want_webhooks();
    let seller = bench.seller(("092", "100012345678"));
    let body = json!([
        payout(&seller, "p-1", 30_000),
        payout(&seller, "p-2", 20_000)
    ]);
    let (status, made) = bench.ask_sealed(Endpoint::RequestPayouts, "", &body);
    assert_eq!(status, 200, "{made}");
    let id = made["entityBody"]["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, balance) = bench.ask_v2(Endpoint::Balances, "");
    assert_eq!(
        balance["entityBody"]["availableAmount"]["value"],
        999_950_000
    );
    assert_eq!(
        bench.ask_v2(Endpoint::Payout, &id).1["entityBody"]["status"],
        "IN_PROGRESS"
    );
    let late = bench.ask_v2(Endpoint::CancelPayout, &id);
    assert_eq!(late.1["error"]["code"], "NOT_CANCELABLE_PAYMENT");
    bench.now += PAYOUT_DELAY;
    bench.engine.announce(bench.now);
    let told: Vec<_> = bench
        .engine
        .due_webhooks(bench.now, 10)
        .iter()
        .map(|sent| {
            (
                sent.signed,
                serde_json::from_str::<Value>(&sent.body).unwrap(),
            )
        })
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].0);
    assert_eq!(told[0].1["eventType"], "payout.changed");
    assert_eq!(told[0].1["entityBody"]["status"], "COMPLETED");
    let (_, list) = bench.ask_v2(Endpoint::Payouts, "limit=1");
    assert_eq!(
        (&list["entityBody"]["hasNext"], &list["entityType"]),
        (&json!(true), &json!("list"))
    );
}

#[test]
fn the_merchant_s_own_ids_are_bounded() {
    let mut bench = Bench::new();
    let seller = |id: &str| {
        json!({
            "refSellerId": id, "businessType": "INDIVIDUAL", "individual": { "name": "김" },
            "account": { "bankCode": "092", "accountNumber": "1", "holderName": "김" },
        })
    };
    let (status, made) = bench.ask_sealed(Endpoint::RegisterSeller, "", &seller(&"s".repeat(20)));
    assert_eq!(status, 200, "{made}");
    let id = made["entityBody"]["id"].as_str().unwrap().to_owned();
    let payout = |length: usize| json!([payout(&id, &"p".repeat(length), 1)]);
    assert_eq!(
        bench
            .ask_sealed(Endpoint::RequestPayouts, "", &payout(40))
            .0,
        200
    );
    for (endpoint, body) in [
        (Endpoint::RegisterSeller, seller(&"s".repeat(21))),
        (Endpoint::RegisterSeller, seller("")),
        (Endpoint::RequestPayouts, payout(41)),
        (Endpoint::RequestPayouts, payout(0)),
    ] {
        let (status, answer) = bench.ask_sealed(endpoint, "", &body);
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("INVALID_REQUEST"))
        );
    }
}

#[test]
fn payouts_are_all_made_or_none() {
    let mut bench = Bench::new();
    let seller = bench.seller(("092", "100012345678"));
    let good = payout(&seller, "p-1", 30_000);
    let mut foreign = payout(&seller, "p-2", 1);
    foreign["amount"]["currency"] = json!("USD");
    let mut yesterday = payout(&seller, "p-3", 1);
    yesterday["scheduleType"] = json!("SCHEDULED");
    yesterday["payoutDate"] = json!("2025-12-31");
    let cases = [
        (payout("nobody", "p-2", 1), "NOT_FOUND"),
        (payout(&seller, "p-1", 1), "DUPLICATED_REQUEST"),
        (payout(&seller, "p-2", 0), "INVALID_REQUEST"),
        (payout(&seller, "p-2", 1_000_000_000), "INVALID_REQUEST"),
        (payout(&seller, "p-2", 999_999_999), "EXCEED_MAX_AMOUNT"),
        (foreign, "INVALID_CURRENCY"),
        (yesterday, "INVALID_DATE"),
    ];
    for (bad, expected) in cases {
        let (_, answer) =
            bench.ask_sealed(Endpoint::RequestPayouts, "", &json!([good.clone(), bad]));
        assert_eq!(answer["error"]["code"], expected, "{answer}");
    }
    let (_, list) = bench.ask_v2(Endpoint::Payouts, "");
    assert_eq!(list["entityBody"]["items"], json!([]));
    assert_eq!(
        bench
            .ask_sealed(Endpoint::RequestPayouts, "", &json!([good]))
            .0,
        200
    );
}

#[test]
fn a_payout_to_a_failing_account_fails_and_a_scheduled_one_can_be_cancelled() {
    let mut bench = Bench::new();
    let failing = bench.seller(("011", "3025353430761"));
    let mut scheduled = payout(&failing, "p-2", 10);
    scheduled["scheduleType"] = json!("SCHEDULED");
    scheduled["payoutDate"] = json!("2026-01-02");
    let body = json!([payout(&failing, "p-1", 10), scheduled]);
    let (_, made) = bench.ask_sealed(Endpoint::RequestPayouts, "", &body);
    let id = |nth: usize| made["entityBody"]["items"][nth]["id"].as_str().unwrap();
    assert_eq!(
        bench.ask_v2(Endpoint::CancelPayout, id(1)).1["entityBody"]["status"],
        "CANCELED"
    );
    bench.now += TimeDelta::days(2);
    assert_eq!(
        bench.ask_v2(Endpoint::Payout, id(0)).1["entityBody"]["status"],
        "FAILED"
    );
    assert_eq!(
        bench.ask_v2(Endpoint::Payout, id(1)).1["entityBody"]["status"],
        "CANCELED"
    );
}

#[test]
fn calls_that_must_be_encrypted_are_refused_otherwise() {
    let mut bench = Bench::new();
    let plain = bench.send(request(Endpoint::RequestPayouts, "", &json!([])));
    let (status, body) = super::read(&plain);
    assert_eq!(
        (status, &body["error"]["code"]),
        (400, &json!("INVALID_ENCRYPTION"))
    );
    assert!(body["traceId"].is_string());
    let mut garbage = sealed(&bench, Endpoint::RequestPayouts, "", &json!([]));
    garbage.body = b"a.b.c.d.e".to_vec();
    assert_eq!(bench.send(garbage).status, 400);
}

#[test]
fn a_seller_is_changed_reviewed_and_deleted() {
    let mut bench = Bench::new();
    bench.engine.want_webhooks();
    let id = bench.seller(("092", "1"));
    let change =
        json!({ "account": { "bankCode": "020", "accountNumber": "2", "holderName": "이" } });
    let (_, changed) = bench.ask_sealed(Endpoint::UpdateSeller, &id, &change);
    assert_eq!(changed["entityBody"]["account"]["bankCode"], "020");
    let bad = json!({ "account": { "bankCode": "20", "accountNumber": "2", "holderName": "이" } });
    assert_eq!(
        bench.ask_sealed(Endpoint::UpdateSeller, &id, &bad).1["error"]["code"],
        "INVALID_BANK"
    );
    let now = bench.now;
    assert!(bench.engine.review_seller(now, &id, "FAMOUS").is_err());
    bench.engine.review_seller(now, &id, "APPROVED").unwrap();
    assert_eq!(
        bench.ask_v2(Endpoint::Seller, &id).1["entityBody"]["status"],
        "APPROVED"
    );
    bench.engine.announce(now);
    assert!(
        bench.engine.due_webhooks(now, 1)[0]
            .body
            .contains("seller.changed")
    );
    assert_eq!(
        bench.ask_v2(Endpoint::RemoveSeller, &id).1["entityType"],
        "deleted-entity"
    );
    assert_eq!(bench.ask_v2(Endpoint::RemoveSeller, &id).0, 404);
    assert_eq!(
        bench.ask_v2(Endpoint::Sellers, "").1["entityBody"]["items"],
        json!([])
    );
}

#[test]
fn a_brandpay_customer_agrees_pays_and_leaves() {
    let mut bench = Bench::new();
    let ask = |bench: &mut Bench, endpoint, subject: &str, body: Value, token: Option<&str>| {
        let mut request = request(endpoint, subject, &body);
        if let Some(token) = token {
            request.authorization = Some(format!("Bearer {token}"));
        }
        super::read(&bench.send(request))
    };
    let agree = json!({ "customerKey": "buyer", "scope": ["REGISTER"], "termsId": [1, 2] });
    let (_, agreed) = ask(&mut bench, Endpoint::AgreeBrandpayTerms, "", agree, None);
    let grant = json!({
        "grantType": "AuthorizationCode", "customerKey": "buyer", "code": agreed["code"],
    });
    let (_, tokens) = ask(&mut bench, Endpoint::BrandpayToken, "", grant.clone(), None);
    let used = ask(&mut bench, Endpoint::BrandpayToken, "", grant, None);
    assert_eq!(code(&used), (401, "UNAUTHORIZED_KEY"));
    let token = tokens["accessToken"].as_str().unwrap();
    let (_, methods) = ask(
        &mut bench,
        Endpoint::BrandpayMethods,
        "",
        Value::Null,
        Some(token),
    );
    let (card, account) = (
        methods["cards"][0]["methodKey"].clone(),
        methods["accounts"][0]["methodKey"].clone(),
    );
    for (nth, key) in [&card, &account].into_iter().enumerate() {
        let pay = json!({
            "customerKey": "buyer", "methodKey": key, "amount": 1_000,
            "orderId": format!("order-000{nth}"), "orderName": "티셔츠",
        });
        let (status, paid) = ask(&mut bench, Endpoint::PayBrandpay, "", pay, None);
        assert_eq!((status, &paid["type"]), (200, &json!("BRANDPAY")), "{paid}");
    }
    let remove = json!({ "methodKey": card });
    let wrong = ask(
        &mut bench,
        Endpoint::RemoveBrandpayAccount,
        "",
        remove.clone(),
        Some(token),
    );
    assert_eq!(code(&wrong), (404, "NOT_FOUND_METHOD"));
    let (status, removed) = ask(
        &mut bench,
        Endpoint::RemoveBrandpayCard,
        "",
        remove,
        Some(token),
    );
    assert_eq!((status, &removed["status"]), (200, &json!("DISABLED")));
    let (_, left) = ask(
        &mut bench,
        Endpoint::BrandpayMethodsOf,
        "buyer",
        Value::Null,
        None,
    );
    assert_eq!(left["cards"], json!([]));
    let (_, gone) = ask(
        &mut bench,
        Endpoint::RemoveBrandpayCustomer,
        "",
        json!({}),
        Some(token),
    );
    assert_eq!(gone, json!({ "customerKey": "buyer", "success": true }));
    let late = ask(
        &mut bench,
        Endpoint::BrandpayMethods,
        "",
        Value::Null,
        Some(token),
    );
    assert_eq!(code(&late), (401, "UNAUTHORIZED_KEY"));
}

#[test]
fn a_brandpay_payment_is_confirmed_by_its_own_call() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    let body = json!({
        "paymentKey": key, "orderId": ORDER, "amount": 1_000, "customerKey": "buyer",
    });
    let answer = bench.send(request(Endpoint::ConfirmBrandpay, "", &body));
    assert_eq!(answer.status, 200);
    assert_eq!(bench.approvals(), 1);
}

#[test]
fn the_changes_rebuild_payouts_sellers_and_customers() {
    let mut bench = Bench::new();
    bench.engine.record_changes();
    bench.engine.want_webhooks();
    let seller = bench.seller(("092", "1"));
    bench.ask_sealed(
        Endpoint::RequestPayouts,
        "",
        &json!([payout(&seller, "p-1", 10)]),
    );
    bench.now += PAYOUT_DELAY;
    bench.engine.announce(bench.now);
    let agree = json!({ "customerKey": "buyer", "scope": ["REGISTER"], "termsId": [1] });
    bench.send(request(Endpoint::AgreeBrandpayTerms, "", &agree));
    let text = serde_json::to_string(&bench.engine.take_changes()).unwrap();
    let mut rebuilt = Engine::new(&SandboxConfig::default());
    for change in serde_json::from_str::<Vec<_>>(&text).unwrap() {
        rebuilt.apply(change).unwrap();
    }
    let differences = bench
        .engine
        .fingerprint()
        .differences(&rebuilt.fingerprint());
    assert_eq!(differences, Findings::default());
}

#[test]
fn express_payouts_keep_the_bank_s_hours_if_they_are_to() {
    let mut bench = Bench::with(&SandboxConfig {
        payout_hours: true,
        ..SandboxConfig::default()
    });
    let seller = bench.seller(("092", "1"));
    // It is nine in the morning in Korea.
    let early = json!([payout(&seller, "p-1", 10)]);
    assert_eq!(
        bench.ask_sealed(Endpoint::RequestPayouts, "", &early).0,
        200
    );
    bench.now += TimeDelta::hours(6);
    let late = json!([payout(&seller, "p-2", 10)]);
    let (status, answer) = bench.ask_sealed(Endpoint::RequestPayouts, "", &late);
    assert_eq!(
        (status, &answer["error"]["code"]),
        (403, &json!("NOT_AVAILABLE_BANK"))
    );
}
