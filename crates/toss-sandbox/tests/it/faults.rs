//! Every fault over a real socket: what the client gets, and what the bank has done.

use std::time::{Duration, Instant};

use toss_sandbox::{Effect, Endpoint, Fault, Target};

use crate::bench::{Bench, bytes_until_close, read};

const ORDER: &str = "order-0001";

#[tokio::test]
async fn a_reset_sends_not_one_byte() {
    for (effect, status) in [
        (Effect::ApproveThenReset, "DONE"),
        (Effect::ResetWithoutApproval, "IN_PROGRESS"),
    ] {
        let bench = Bench::start().await;
        let key = bench.sandbox.authenticate(ORDER, 1_000);
        bench.inject(effect, Some(1));
        let mut stream = bench.raw_confirm(&key, ORDER, 1_000).await;
        assert_eq!(bytes_until_close(&mut stream).await, b"");
        assert_eq!(bench.status(&key), status);
        assert_eq!(bench.sandbox.calls()[0].status, None);
    }
}

#[tokio::test]
async fn a_reset_reaches_an_http_client_as_a_lost_connection() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate(ORDER, 1_000);
    bench.inject(Effect::ApproveThenReset, Some(1));
    let error = bench.confirm(&key, ORDER, 1_000).send().await.unwrap_err();
    assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
    assert_eq!(bench.status(&key), "DONE");
}

#[tokio::test]
async fn a_silence_lasts_until_the_client_gives_up_and_delays_nobody_else() {
    for (effect, status) in [
        (Effect::ApproveThenSilence, "DONE"),
        (Effect::SilenceWithoutApproval, "IN_PROGRESS"),
    ] {
        let bench = Bench::start().await;
        let key = bench.sandbox.authenticate(ORDER, 1_000);
        bench.inject(effect, Some(1));
        let silenced = bench
            .confirm(&key, ORDER, 1_000)
            .timeout(Duration::from_secs(1));
        assert!(silenced.send().await.unwrap_err().is_timeout());
        assert_eq!(bench.status(&key), status);
        assert_eq!(bench.sandbox.calls()[0].status, None);
        let other = bench.sandbox.authenticate("order-0002", 1_000);
        let answer = bench
            .confirm(&other, "order-0002", 1_000)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        bench.server.stop().await;
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_silenced_calls() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate(ORDER, 1_000);
    bench.inject(Effect::ApproveThenSilence, None);
    let mut stream = bench.raw_confirm(&key, ORDER, 1_000).await;
    bench
        .until("the call arrives", |sandbox| {
            sandbox.call_totals().confirm == 1
        })
        .await;
    let before = Instant::now();
    bench.server.stop().await;
    assert!(before.elapsed() < Duration::from_secs(5));
    assert_eq!(bytes_until_close(&mut stream).await, b"");
}

#[tokio::test]
async fn a_proxy_error_is_html_whether_or_not_the_work_was_done() {
    for (executed, status) in [(true, "DONE"), (false, "IN_PROGRESS")] {
        let bench = Bench::start().await;
        let key = bench.sandbox.authenticate(ORDER, 1_000);
        bench.inject(Effect::Html502 { executed }, Some(1));
        let response = bench.confirm(&key, ORDER, 1_000).send().await.unwrap();
        assert_eq!(response.status(), 502);
        assert_eq!(response.headers()["content-type"], "text/html");
        assert!(response.text().await.unwrap().starts_with("<html>"));
        assert_eq!(bench.status(&key), status);
    }
}

#[tokio::test]
async fn an_error_comes_with_its_own_status_and_no_approval() {
    for (code, status) in [
        ("PROVIDER_ERROR", 400),
        ("UNKNOWN_PAYMENT_ERROR", 500),
        ("BRAND_NEW_CODE", 400),
    ] {
        let bench = Bench::start().await;
        let key = bench.sandbox.authenticate(ORDER, 1_000);
        bench.inject(
            Effect::Error {
                code: code.to_owned(),
            },
            Some(1),
        );
        let (got, body) = read(bench.confirm(&key, ORDER, 1_000).send().await.unwrap()).await;
        assert_eq!((got, body["code"].as_str().unwrap()), (status, code));
        assert_eq!(bench.status(&key), "IN_PROGRESS");
        assert_eq!(
            bench
                .confirm(&key, ORDER, 1_000)
                .send()
                .await
                .unwrap()
                .status(),
            200
        );
    }
}

#[tokio::test]
async fn an_error_may_hide_an_approval() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate(ORDER, 1_000);
    let code = "FAILED_INTERNAL_SYSTEM_PROCESSING".to_owned();
    bench.inject(Effect::ApproveThenError { code }, Some(1));
    let (status, body) = read(bench.confirm(&key, ORDER, 1_000).send().await.unwrap()).await;
    assert_eq!(
        (status, &body["code"]),
        (500, &"FAILED_INTERNAL_SYSTEM_PROCESSING".into())
    );
    assert_eq!(bench.status(&key), "DONE");
}

#[tokio::test]
async fn a_wrong_amount_is_shown_once_and_never_booked() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate(ORDER, 1_000);
    bench.inject(Effect::WrongAmount, Some(1));
    let (_, body) = read(bench.confirm(&key, ORDER, 1_000).send().await.unwrap()).await;
    assert_eq!(body["totalAmount"], 1_001);
    let (_, body) = read(
        bench
            .get(&format!("/v1/payments/{key}"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(body["totalAmount"], 1_000);
}

#[tokio::test]
async fn a_fault_hits_its_target_only_and_ends_when_cleared() {
    let bench = Bench::start().await;
    let target = Target {
        endpoint: Some(Endpoint::Confirm),
        order_id: Some(ORDER.to_owned()),
    };
    let effect = Effect::Error {
        code: "COMMON_ERROR".to_owned(),
    };
    bench.sandbox.inject(Fault {
        target,
        effect,
        times: None,
    });
    let key = bench.sandbox.authenticate(ORDER, 1_000);
    let other = bench.sandbox.authenticate("order-0002", 1_000);
    assert_eq!(
        bench
            .confirm(&other, "order-0002", 1_000)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        bench
            .confirm(&key, ORDER, 1_000)
            .send()
            .await
            .unwrap()
            .status(),
        500
    );
    assert_eq!(
        bench
            .get("/v1/payments/orders/order-0001")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    bench.sandbox.clear_faults();
    assert_eq!(
        bench
            .confirm(&key, ORDER, 1_000)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_foreign_server_without_the_socket_hook_cuts_the_answer_off() {
    let sandbox = toss_sandbox::Sandbox::new(toss_sandbox::SandboxConfig::default());
    let key = sandbox.authenticate(ORDER, 1_000);
    sandbox.inject(Fault {
        target: Target::default(),
        effect: Effect::ApproveThenReset,
        times: None,
    });
    let routes = sandbox.routes();
    let server =
        actix_web::HttpServer::new(move || actix_web::App::new().configure(routes.clone()))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let task = tokio::spawn(server);
    let request = crate::bench::plain_http().build().unwrap();
    let request = request
        .post(format!("http://{address}/v1/payments/confirm"))
        .basic_auth(sandbox.secret_key(), Some(""))
        .json(&serde_json::json!({ "paymentKey": key, "orderId": ORDER, "amount": 1_000 }));
    let body = match request.send().await {
        Ok(response) => response.bytes().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(body.is_err());
    assert_eq!(sandbox.ledger()[0].approvals, 1);
    handle.stop(false).await;
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn half_a_body_breaks_off_and_a_slow_one_takes_its_time() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    bench.inject(Effect::HalfBody, Some(1));
    let response = bench
        .confirm(&key, "order-0001", 1_000)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.text().await.is_err(), "the body ends early");
    assert_eq!(bench.status(&key), "DONE");
    let key = bench.sandbox.authenticate("order-0002", 1_000);
    bench.inject(Effect::SlowBody { over_ms: 300 }, Some(1));
    let started = std::time::Instant::now();
    let response = bench
        .confirm(&key, "order-0002", 1_000)
        .send()
        .await
        .unwrap();
    let paid: serde_json::Value = response.json().await.unwrap();
    assert_eq!(paid["status"], "DONE");
    assert!(started.elapsed() >= std::time::Duration::from_millis(250));
}

#[tokio::test]
async fn a_request_brings_its_own_fault() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    let with = |fault: &'static str| {
        bench
            .confirm(&key, "order-0001", 1_000)
            .header("sandbox-fault", fault)
    };
    let answer = with("{").send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let answer = with(r#"{"type":"error","code":"PROVIDER_ERROR"}"#)
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer["code"], "PROVIDER_ERROR");
    assert!(with(r#"{"type":"approveThenReset"}"#).send().await.is_err());
    assert_eq!(bench.status(&key), "DONE");
    assert!(bench.sandbox.faults().is_empty());
}

#[tokio::test]
async fn a_scenario_is_put_in_force_whole_or_not_at_all_and_each_fault_ends_by_itself() {
    let bench = Bench::start().await;
    let post = |body: serde_json::Value| bench.post("/sandbox/faults", &body).send();
    let bad = serde_json::json!([{ "effect": { "type": "wrongAmount" } }, { "effect": 1 }]);
    assert_eq!(post(bad).await.unwrap().status(), 400);
    assert!(bench.sandbox.faults().is_empty());
    let good = serde_json::json!([
        { "effect": { "type": "rateLimit", "perMinute": 0 }, "target": { "endpoint": "get" } },
        { "effect": { "type": "wrongAmount" }, "chancePercent": 50.0, "forMs": 60_000 },
    ]);
    let made: serde_json::Value = post(good).await.unwrap().json().await.unwrap();
    assert_eq!(made["ids"].as_array().unwrap().len(), 2);
    assert_eq!(
        bench.get("/v1/payments/x").send().await.unwrap().status(),
        429
    );
    let path = format!("/sandbox/faults/{}", made["ids"][0]);
    for status in [204, 404] {
        let delete = bench.client.delete(bench.url(&path)).send().await.unwrap();
        assert_eq!(delete.status(), status);
    }
    assert_eq!(
        bench.get("/v1/payments/x").send().await.unwrap().status(),
        404
    );
}
