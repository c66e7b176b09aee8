//! The controls under `/sandbox`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, read};

async fn post(bench: &Bench, path: &str, body: Value) -> (u16, Value) {
    read(
        bench
            .client
            .post(bench.url(path))
            .json(&body)
            .send()
            .await
            .unwrap(),
    )
    .await
}

async fn get(bench: &Bench, path: &str) -> (u16, Value) {
    read(bench.client.get(bench.url(path)).send().await.unwrap()).await
}

#[tokio::test]
async fn a_payment_is_made_confirmed_and_listed_without_a_browser() {
    let bench = Bench::start().await;
    let body = json!({ "orderId": "order-0001", "amount": 1_000, "orderName": "양말" });
    let (status, made) = post(&bench, "/sandbox/payments", body).await;
    assert_eq!((status, &made["status"]), (201, &json!("IN_PROGRESS")));
    let key = made["paymentKey"].as_str().unwrap();
    assert_eq!(
        bench
            .confirm(key, "order-0001", 1_000)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let (_, ledger) = get(&bench, "/sandbox/ledger").await;
    let row = json!({
        "orderId": "order-0001", "approvals": 1, "approved": 1_000, "canceled": 0, "net": 1_000,
    });
    assert_eq!(ledger, json!({ "total": 1, "rows": [row] }));
    let (_, payments) = get(&bench, "/sandbox/payments?limit=1").await;
    assert_eq!(payments["rows"][0]["orderName"], "양말");
    let (_, calls) = get(&bench, "/sandbox/calls").await;
    assert_eq!(
        (&calls["total"]["confirm"], &calls["rows"][0]["status"]),
        (&json!(1), &json!(200))
    );
    assert_eq!(calls["rows"][0]["endpoint"], "confirm");
    assert_eq!(calls["rows"][0].get("code"), None);
    bench.get("/v1/payments/none").send().await.unwrap();
    bench.get("/v2/payouts/none").send().await.unwrap();
    let (_, calls) = get(&bench, "/sandbox/calls?limit=2").await;
    let codes = [0, 1].map(|row| calls["rows"][row]["code"].clone());
    assert_eq!(codes, [json!("NOT_FOUND_PAYMENT"), json!("NOT_FOUND")]);
    assert_eq!(
        get(&bench, "/sandbox/ledger?offset=1").await.1["rows"],
        json!([])
    );
    assert_eq!(get(&bench, "/sandbox/ledger?limit=x").await.0, 400);
}

#[tokio::test]
async fn a_virtual_account_receives_its_deposit() {
    let bench = Bench::start().await;
    let body = json!({ "orderId": "order-0001", "amount": 1_000, "method": "VIRTUAL_ACCOUNT" });
    let (_, made) = post(&bench, "/sandbox/payments", body).await;
    let key = made["paymentKey"].as_str().unwrap();
    bench
        .confirm(key, "order-0001", 1_000)
        .send()
        .await
        .unwrap();
    assert_eq!(bench.status(key), "WAITING_FOR_DEPOSIT");
    let path = format!("/sandbox/payments/{key}/deposit");
    assert_eq!(post(&bench, &path, Value::Null).await.1["status"], "DONE");
    assert_eq!(post(&bench, &path, Value::Null).await.0, 400);
    assert_eq!(
        post(&bench, "/sandbox/payments/none/deposit", Value::Null)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn faults_are_injected_shown_and_cleared() {
    let bench = Bench::start().await;
    let fault = json!({
        "target": { "endpoint": "confirm" },
        "effect": { "type": "error", "code": "PROVIDER_ERROR" },
        "times": 2,
    });
    assert_eq!(post(&bench, "/sandbox/faults", fault.clone()).await.0, 201);
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    assert_eq!(
        bench
            .confirm(&key, "order-0001", 1_000)
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
    let (_, faults) = get(&bench, "/sandbox/faults").await;
    assert_eq!(
        (&faults["rows"][0]["hits"], &faults["rows"][0]["times"]),
        (&json!(1), &json!(1))
    );
    let delete = bench
        .client
        .request(Method::DELETE, bench.url("/sandbox/faults"));
    assert_eq!(delete.send().await.unwrap().status(), 204);
    assert_eq!(get(&bench, "/sandbox/faults").await.1["total"], 0);
    let (status, answer) = post(&bench, "/sandbox/faults", json!({ "effect": "boom" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("INVALID_REQUEST")));
}

#[tokio::test]
async fn the_clock_moves_forward_within_bounds() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    assert_eq!(
        post(&bench, "/sandbox/clock", json!({ "advanceSeconds": 600 }))
            .await
            .0,
        200
    );
    assert_eq!(bench.status(&key), "EXPIRED");
    for _ in 0..12 {
        let jump = json!({ "advanceSeconds": 315_360_000 });
        assert_eq!(post(&bench, "/sandbox/clock", jump).await.0, 200);
    }
    assert_eq!(
        post(&bench, "/sandbox/clock", json!({ "advanceSeconds": -1 }))
            .await
            .0,
        400
    );
    assert_eq!(
        post(
            &bench,
            "/sandbox/clock",
            json!({ "advanceSeconds": u64::MAX })
        )
        .await
        .0,
        400
    );
}

#[tokio::test]
async fn a_payment_that_toss_would_refuse_is_refused() {
    let bench = Bench::start().await;
    let cases = [
        (
            json!({ "orderId": "x", "amount": 1_000 }),
            "INVALID_ORDER_ID",
        ),
        (
            json!({ "orderId": "order-0001", "amount": 99 }),
            "BELOW_MINIMUM_AMOUNT",
        ),
        (
            json!({ "orderId": "order-0001", "amount": u64::MAX }),
            "INVALID_REQUEST",
        ),
        (
            json!({ "orderId": "order-0001", "amount": 100.5 }),
            "INVALID_REQUEST",
        ),
        (
            json!({ "orderId": "order-0001", "amount": 100, "method": "FOREIGN_EASY_PAY" }),
            "INVALID_CURRENCY",
        ),
        (json!({ "orderId": "order-0001" }), "INVALID_REQUEST"),
        (
            json!({ "orderId": "order-0001", "amount": 100, "method": "CASH" }),
            "NOT_SUPPORTED_METHOD",
        ),
    ];
    for (body, code) in cases {
        let (status, answer) = post(&bench, "/sandbox/payments", body).await;
        assert_eq!((status, answer["code"].as_str().unwrap()), (400, code));
    }
}

#[tokio::test]
async fn a_wallet_abroad_refuses_a_cancel_by_call_or_carries_it_out_when_the_clock_says_so() {
    let bench = Bench::start().await;
    let body = json!({
        "orderId": "order-0001", "amount": 10, "currency": "USD",
        "method": "FOREIGN_EASY_PAY", "provider": "ALIPAY",
    });
    let (_, made) = post(&bench, "/sandbox/payments", body).await;
    let key = made["paymentKey"].as_str().unwrap();
    let confirm = bench.confirm(key, "order-0001", 10).send().await.unwrap();
    assert_eq!(confirm.status(), 200);
    let cancel = format!("/v1/payments/{key}/cancel");
    let cancel = bench.post(&cancel, &json!({ "cancelReason": "변심" }));
    let cancel = || cancel.try_clone().unwrap().send();
    assert_eq!(cancel().await.unwrap().status(), 200);
    let abort = format!("/sandbox/payments/{key}/abort-cancel");
    let (status, aborted) = post(&bench, &abort, Value::Null).await;
    assert_eq!(
        (status, &aborted["cancels"][0]["cancelStatus"]),
        (200, &json!("ABORTED"))
    );
    assert_eq!(post(&bench, &abort, Value::Null).await.0, 400);
    assert_eq!(cancel().await.unwrap().status(), 200);
    assert_eq!(bench.status(key), "DONE");
    post(&bench, "/sandbox/clock", json!({ "advanceSeconds": 10 })).await;
    let (_, ledger) = get(&bench, "/sandbox/ledger").await;
    assert_eq!(ledger["rows"][0]["net"], 0);
    assert_eq!(bench.status(key), "CANCELED");
}

#[tokio::test]
async fn a_call_s_bodies_are_shown_masked_with_what_befell_it_and_forgotten_in_time() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    let sent = bench.confirm(&key, "order-0001", 1_000);
    let sent = || sent.try_clone().unwrap().header("idempotency-key", "k");
    let answer = sent().send().await.unwrap().text().await.unwrap();
    sent().send().await.unwrap();
    let (_, first) = get(&bench, "/sandbox/calls/0").await;
    let (_, second) = get(&bench, "/sandbox/calls/1").await;
    let request: Value = serde_json::from_str(first["request"].as_str().unwrap()).unwrap();
    assert_eq!(request["orderId"], "order-0001");
    let mut told: Value = serde_json::from_str(&answer).unwrap();
    told["secret"] = json!("***");
    let shown: Value = serde_json::from_str(first["answer"].as_str().unwrap()).unwrap();
    assert_eq!(shown, told);
    assert_eq!(first["answer"], second["answer"]);
    assert_eq!(
        (&first["replayed"], &second["replayed"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(second["idempotencyKey"], "k");

    let silent = bench.confirm(&key, "order-0001", 1_000);
    let silent = silent.header("sandbox-fault", r#"{"type":"approveThenReset"}"#);
    assert!(silent.send().await.is_err());
    let (_, withheld) = get(&bench, "/sandbox/calls/2").await;
    assert_eq!(
        (&withheld["answer"], &withheld["fault"]["type"]),
        (&Value::Null, &json!("approveThenReset"))
    );
    assert_eq!(get(&bench, "/sandbox/calls/3").await.0, 404);
    assert_eq!(get(&bench, "/sandbox/calls/x").await.0, 404);

    let long = json!({ "orderName": "가".repeat(20_000) });
    bench
        .post("/v1/payments/key-in", &long)
        .send()
        .await
        .unwrap();
    let (_, cut) = get(&bench, "/sandbox/calls/3").await;
    assert_eq!(cut["requestCut"], true);
    assert!(cut["request"].as_str().unwrap().len() <= toss_sandbox::engine::EXCHANGE_BODY_MAX + 8);
    for _ in 0..toss_sandbox::engine::EXCHANGES_MAX {
        bench.get("/v1/payments/none").send().await.unwrap();
    }
    assert_eq!(get(&bench, "/sandbox/calls/3").await.0, 404);
    let (_, latest) = get(&bench, "/sandbox/calls?limit=1").await;
    let path = format!("/sandbox/calls/{}", latest["rows"][0]["number"]);
    assert_eq!(get(&bench, &path).await.1["status"], 404);
}

#[tokio::test]
async fn a_shop_can_serve_the_browser_part_alone() {
    let sandbox = toss_sandbox::Sandbox::new(toss_sandbox::SandboxConfig::default());
    let app = actix_web::App::new().configure(sandbox.browser_routes());
    let app = actix_web::test::init_service(app).await;
    for (path, status) in [
        ("/v2/standard", 200),
        ("/sandbox/ledger", 200),
        ("/v1/payments/x", 404),
    ] {
        let request = actix_web::test::TestRequest::get().uri(path).to_request();
        let response = actix_web::test::call_service(&app, request).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn the_console_is_a_page_of_its_own_with_buttons_for_expiry_and_deposit_errors() {
    let bench = Bench::start().await;
    let page = bench
        .client
        .get(bench.url("/sandbox"))
        .send()
        .await
        .unwrap();
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.contains("script-src 'self'") && policy.starts_with("default-src 'none'"));
    let page = page.text().await.unwrap();
    assert!(page.contains("/sandbox/console.js") && !page.contains("http:"));
    let script = bench
        .client
        .get(bench.url("/sandbox/console.js"))
        .send()
        .await
        .unwrap();
    let script = script.text().await.unwrap();
    assert!(
        !script.contains("innerHTML"),
        "what buyers send is shown as text alone"
    );
    let body = json!({ "orderId": "order-0001", "amount": 1_000, "method": "VIRTUAL_ACCOUNT" });
    let (_, made) = post(&bench, "/sandbox/payments", body).await;
    let key = made["paymentKey"].as_str().unwrap();
    bench
        .confirm(key, "order-0001", 1_000)
        .send()
        .await
        .unwrap();
    let at = |what: &str| format!("/sandbox/payments/{key}/{what}");
    assert_eq!(
        post(&bench, &at("deposit"), Value::Null).await.1["status"],
        "DONE"
    );
    let (status, reversed) = post(&bench, &at("deposit-error"), Value::Null).await;
    assert_eq!(
        (status, &reversed["status"]),
        (200, &json!("WAITING_FOR_DEPOSIT"))
    );
    let (status, expired) = post(&bench, &at("expire"), Value::Null).await;
    assert_eq!(
        (status, &expired["virtualAccount"]["expired"]),
        (200, &json!(true))
    );
    assert_eq!(expired["status"], "WAITING_FOR_DEPOSIT");
    assert_eq!(post(&bench, &at("deposit"), Value::Null).await.0, 400);
    let other = bench.sandbox.authenticate("order-0002", 1_000);
    let path = format!("/sandbox/payments/{other}/expire");
    assert_eq!(
        post(&bench, &path, Value::Null).await.1["status"],
        "EXPIRED"
    );
    assert_eq!(post(&bench, &path, Value::Null).await.0, 400);
    let review = json!({ "status": "APPROVED" });
    assert_eq!(
        post(&bench, "/sandbox/sellers/none/review", review).await.0,
        404
    );
}
