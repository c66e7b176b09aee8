//! The objects that Toss answers beside the Payment object, as a running sandbox answers them: which
//! fields they have, on what evidence, and which documented ones stay empty.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use toss_client::{
    BusinessType, IdempotencyKey, PayoutRequest, SecretKey, SecurityKey, SellerRequest, TossClient,
};
use toss_sandbox::{DEFAULT_SECURITY_KEY, Effect, Fault, Target};

use super::{
    facts::DOCUMENTED,
    fields::{BEYOND, EVENTS, OBJECTS},
    walk,
};
use crate::{
    bench::{Bench, read},
    webhooks::Merchant,
};

/// What lies inside an object of the Payment's, whose own table has it.
fn is_of_payment(object: &str, path: &str) -> bool {
    let inside = ["card.", "cancel.", "virtualAccount.", "transfer."];
    let told = path.starts_with("data.") && object == "PAYMENT_STATUS_CHANGED";
    let entity = path.starts_with("entityBody.") || object == "Envelope of v2";
    let settled = object == "Settlement" && inside.iter().any(|name| path.starts_with(name));
    settled || told || (entity && path.contains('.'))
}

type Seen = BTreeMap<&'static str, BTreeSet<String>>;

fn note(seen: &mut Seen, name: &'static str, value: &Value) {
    walk(value, "", &mut |path| {
        seen.entry(name).or_default().insert(path);
    });
}

/// A call's answer, which must be a 200 unless an error is what is wanted.
async fn ask(request: RequestBuilder) -> Value {
    read(request.send().await.unwrap()).await.1
}

async fn v1(bench: &Bench, seen: &mut Seen) {
    let card = json!({
        "customerKey": "buyer-1", "cardNumber": "9410001234567890", "cardExpirationYear": "99",
        "cardExpirationMonth": "12", "customerIdentityNumber": "900101",
    });
    let billing = ask(bench.post("/v1/billing/authorizations/card", &card)).await;
    note(seen, "Billing", &billing);
    let path = format!("/v1/billing/{}", billing["billingKey"].as_str().unwrap());
    let removed = bench.client.delete(bench.url(&path));
    let removed = removed.basic_auth(bench.sandbox.secret_key(), Some(""));
    assert_eq!(removed.send().await.unwrap().status(), 200);

    let key = bench.sandbox.authenticate("order-0001", 10_000);
    ask(bench.confirm(&key, "order-0001", 10_000)).await;
    let cancel = json!({ "cancelReason": "변심", "cancelAmount": 4_000 });
    ask(bench.post(&format!("/v1/payments/{key}/cancel"), &cancel)).await;
    let account = json!({
        "orderId": "order-0002", "orderName": "a", "amount": 1_000, "customerName": "김",
        "bank": "20",
    });
    let issued = ask(bench.post("/v1/virtual-accounts", &account)).await;
    bench
        .sandbox
        .deposit(issued["paymentKey"].as_str().unwrap())
        .unwrap();
    let receipt = json!({
        "amount": 1_000, "orderId": "order-0001", "orderName": "a", "type": "소득공제",
        "customerIdentityNumber": "01000001234",
    });
    note(
        seen,
        "CashReceipt",
        &ask(bench.post("/v1/cash-receipts", &receipt)).await,
    );
    let mut failing = receipt.clone();
    failing["customerIdentityNumber"] = json!("01");
    ask(bench.post("/v1/cash-receipts", &failing)).await;
    note(seen, "Promotion", &ask(bench.get("/v1/promotions")).await);
    note(
        seen,
        "Error of v1",
        &ask(bench.get("/v1/payments/none")).await,
    );
    let day = |days: i64| {
        let at = bench.sandbox.now() + chrono::TimeDelta::days(days);
        at.format("%Y-%m-%d").to_string()
    };
    let dates = format!("startDate={}&endDate={}", day(-9), day(9));
    bench.sandbox.advance_clock(Duration::from_hours(48));
    let settled = ask(bench.get(&format!("/v1/settlements?{dates}"))).await;
    for row in settled.as_array().unwrap() {
        note(seen, "Settlement", row);
    }
    for date in [day(-2), day(-1)] {
        let page = ask(bench.get(&format!("/v1/cash-receipts?requestDate={date}"))).await;
        for row in page["data"].as_array().unwrap() {
            note(seen, "CashReceipt", row);
        }
    }
    let times = format!("startDate={}T00:00:00&endDate={}T00:00:00", day(-9), day(9));
    let rows = ask(bench.get(&format!("/v1/transactions?{times}"))).await;
    note(seen, "Transaction", &rows[0]);
}

async fn v2(bench: &Bench, seen: &mut Seen) {
    let secret = SecretKey::parse(bench.sandbox.secret_key()).unwrap();
    let client = TossClient::builder(secret)
        .base_url(bench.server.base_url())
        .unwrap()
        .build()
        .unwrap();
    let sealed = SecurityKey::parse(DEFAULT_SECURITY_KEY).unwrap();
    let key = |text: &str| IdempotencyKey::parse(text).unwrap();
    // A test account, to which every payout fails.
    let seller = SellerRequest::new("s-1", BusinessType::Individual, "295", "77701777777", "김")
        .individual("김토스", "a@b.kr", "01000001234");
    client
        .register_seller(&seller, &sealed, &key("seller:1"))
        .await
        .unwrap();
    let envelope = ask(bench.get("/v2/sellers")).await;
    note(seen, "Envelope of v2", &envelope);
    let listed = &envelope["entityBody"]["items"][0];
    note(seen, "Seller", listed);
    let id = listed["id"].as_str().unwrap();
    let payout = PayoutRequest::express("p-1", id, 1_000.into())
        .description("정산")
        .metadata("a", "b");
    client
        .request_payouts(&[payout], &sealed, &key("payout:1"))
        .await
        .unwrap();
    let review = bench
        .client
        .post(bench.url(&format!("/sandbox/sellers/{id}/review")))
        .json(&json!({ "status": "APPROVED" }));
    assert_eq!(review.send().await.unwrap().status(), 200);
    bench.sandbox.advance_clock(Duration::from_mins(2));
    let payouts = ask(bench.get("/v2/payouts")).await;
    note(seen, "Payout", &payouts["entityBody"]["items"][0]);
    let balance = ask(bench.get("/v2/balances")).await;
    note(seen, "Balance", &balance["entityBody"]);
    note(
        seen,
        "Error of v2",
        &ask(bench.get("/v2/payouts/none")).await,
    );
}

async fn brandpay(bench: &Bench, seen: &mut Seen) {
    let terms = ask(bench.get("/v1/brandpay/terms?customerKey=buyer-2&scope=REGISTER")).await;
    note(seen, "Terms of brandpay", &terms[0]);
    let agree = json!({ "customerKey": "buyer-2", "scope": ["REGISTER"], "termsId": [1, 2] });
    let agreed = ask(bench.post("/v1/brandpay/terms/agree", &agree)).await;
    note(seen, "Code of brandpay", &agreed);
    let grant = json!({
        "grantType": "AuthorizationCode", "customerKey": "buyer-2", "code": agreed["code"],
    });
    let token = ask(bench.post("/v1/brandpay/authorizations/access-token", &grant)).await;
    note(seen, "Token of brandpay", &token);
    let methods = ask(bench.get("/v1/brandpay/payments/methods/buyer-2")).await;
    note(seen, "Methods of brandpay", &methods);
    let remove = json!({ "methodKey": methods["cards"][0]["methodKey"] });
    let removed = bench
        .client
        .request(
            Method::POST,
            bench.url("/v1/brandpay/payments/methods/card/remove"),
        )
        .bearer_auth(token["accessToken"].as_str().unwrap())
        .json(&remove);
    assert_eq!(removed.send().await.unwrap().status(), 200);
}

/// The name of an event's row: the flat one has no type.
fn event_name(body: &Value) -> &'static str {
    let told = body["eventType"].as_str().unwrap_or("DEPOSIT_CALLBACK");
    let known = OBJECTS.iter().find(|object| object.name == told);
    known.map_or_else(
        || panic!("an event without a row: {told}"),
        |event| event.name,
    )
}

/// Everything that is answered and told, by object.
async fn observed() -> Seen {
    let bench = Bench::start().await;
    let merchant = Merchant::start(&[]);
    bench.sandbox.send_webhooks_to(Some(merchant.url.clone()));
    let mut seen = Seen::new();
    v1(&bench, &mut seen).await;
    v2(&bench, &mut seen).await;
    brandpay(&bench, &mut seen).await;
    // A call that fails by a fault tells of it in the same shape.
    bench.sandbox.inject(Fault {
        target: Target::default(),
        effect: Effect::Error {
            code: "PROVIDER_ERROR".to_owned(),
        },
        times: Some(1),
    });
    note(
        &mut seen,
        "Error of v1",
        &ask(bench.get("/v1/promotions")).await,
    );
    let mut count = 1;
    let mut told = BTreeSet::new();
    while told.len() < EVENTS {
        let events = merchant.events(count).await;
        for (_, body) in &events {
            let body: Value = serde_json::from_str(body).unwrap();
            let name = event_name(&body);
            told.insert(name);
            note(&mut seen, name, &body);
        }
        count = events.len() + 1;
    }
    seen
}

/// A row per field: object, field, what is here, evidence, test.
pub(super) async fn rows() -> Vec<Vec<String>> {
    let seen = observed().await;
    let none = BTreeSet::new();
    let mut rows = Vec::new();
    for object in OBJECTS {
        let (name, test) = (object.name, object.test);
        let documented: Vec<_> = object.documented.split_whitespace().collect();
        let shown = seen.get(name).unwrap_or(&none);
        assert!(!shown.is_empty(), "{name} was never seen");
        let listed = documented.iter().map(|path| (*path).to_owned());
        let all: BTreeSet<String> = listed.chain(shown.iter().cloned()).collect();
        for path in all.iter().filter(|path| !is_of_payment(name, path)) {
            let beyond = BEYOND.iter().find(|row| (row.0, row.1) == (name, path));
            let evidence = beyond.map_or(DOCUMENTED, |row| row.2);
            // What lies in a listed object is of that object.
            let parent = path.split(['.', '[']).next().unwrap_or_default();
            assert!(
                documented.is_empty()
                    || documented.contains(&path.as_str())
                    || (documented.contains(&parent) && parent != path)
                    || beyond.is_some(),
                "{name} shows {path}, for which there is no evidence"
            );
            let here = if shown.contains(path) {
                "filled"
            } else {
                "null or absent"
            };
            rows.push(vec![
                name.to_owned(),
                format!("`{path}`"),
                here.to_owned(),
                evidence.to_owned(),
                format!("`{test}`"),
            ]);
        }
    }
    rows
}

/// The tests that the rows name.
pub(super) fn tests() -> impl Iterator<Item = &'static str> {
    OBJECTS.iter().map(|object| object.test)
}
