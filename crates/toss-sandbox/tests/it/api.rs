//! Toss's API as clients see it.

use serde_json::{Value, json};
use toss_sandbox::Effect;

use crate::bench::{Bench, read};

#[tokio::test]
async fn a_payment_lives_from_confirm_to_cancel() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 210_000);
    let confirmed = bench
        .confirm(&key, "order-0001", 210_000)
        .send()
        .await
        .unwrap();
    assert_eq!(
        confirmed.headers()["content-type"],
        "application/json;charset=UTF-8"
    );
    assert_eq!(confirmed.headers()["x-tosspayments-trace-id"].len(), 32);
    let (status, payment) = read(confirmed).await;
    assert_eq!((status, &payment["status"]), (200, &json!("DONE")));
    for path in [
        format!("/v1/payments/{key}"),
        "/v1/payments/orders/order-0001".to_owned(),
    ] {
        assert_eq!(
            read(bench.get(&path).send().await.unwrap()).await,
            (200, payment.clone())
        );
    }
    let body = json!({ "cancelReason": "변심", "cancelAmount": 10_000 });
    let path = format!("/v1/payments/{key}/cancel");
    let (status, canceled) = read(bench.post(&path, &body).send().await.unwrap()).await;
    assert_eq!((status, &canceled["balanceAmount"]), (200, &json!(200_000)));
    let row = bench.sandbox.ledger_row("order-0001").unwrap();
    assert_eq!(bench.sandbox.ledger(), std::slice::from_ref(&row));
    assert_eq!(bench.sandbox.ledger_row("order-none"), None);
    assert_eq!((row.approvals, row.net), (1, 200_000));
    bench.server.stop().await;
}

#[tokio::test]
async fn every_answer_has_tosss_shape_and_a_trace_id() {
    let bench = Bench::start().await;
    let wrong_key = bench
        .client
        .get(bench.url("/v1/payments/x"))
        .basic_auth("nope", Some(""));
    let cases = [
        (bench.get("/v1/payments/unknown"), 404, "NOT_FOUND_PAYMENT"),
        (
            bench.get("/v1/payments/orders/unknown"),
            404,
            "NOT_FOUND_PAYMENT",
        ),
        (bench.get("/v1/nothing"), 404, "NOT_FOUND"),
        (wrong_key, 401, "UNAUTHORIZED_KEY"),
        (
            bench.client.get(bench.url("/v1/payments/x")),
            401,
            "UNAUTHORIZED_KEY",
        ),
        (
            bench.post("/v1/payments/confirm", &Value::Null),
            400,
            "INVALID_REQUEST",
        ),
        (
            bench.post("/v1/payments/confirm", &json!("x".repeat(70_000))),
            400,
            "INVALID_REQUEST",
        ),
    ];
    for (request, status, code) in cases {
        let response = request.send().await.unwrap();
        assert!(
            response.headers().contains_key("x-tosspayments-trace-id"),
            "{code}"
        );
        let (got, body) = read(response).await;
        assert_eq!((got, body["code"].as_str().unwrap()), (status, code));
        assert!(!body["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_key_replays_the_first_answer_byte_by_byte() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    let send = || {
        bench
            .confirm(&key, "order-0001", 1_000)
            .header("Idempotency-Key", "k1")
            .send()
    };
    let first = send().await.unwrap();
    assert_eq!(first.headers()["idempotency-key"], "k1");
    let first = first.bytes().await.unwrap();
    let again = send().await.unwrap();
    assert_eq!(
        again
            .headers()
            .get_all("x-tosspayments-trace-id")
            .iter()
            .count(),
        2
    );
    assert_eq!(again.bytes().await.unwrap(), first);
    assert_eq!(bench.sandbox.call_totals().confirm, 2);
}

#[tokio::test]
async fn a_duplicate_is_refused_while_the_first_runs_and_served_afterwards() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    bench.inject(
        Effect::Delay {
            min_ms: 1_000,
            max_ms: 1_000,
        },
        Some(1),
    );
    let send = || {
        bench
            .confirm(&key, "order-0001", 1_000)
            .header("Idempotency-Key", "k1")
            .send()
    };
    let second = async {
        bench
            .until("the first arrives", |sandbox| {
                sandbox.call_totals().confirm == 1
            })
            .await;
        read(send().await.unwrap()).await
    };
    let (first, second) = tokio::join!(send(), second);
    assert_eq!(
        (second.0, &second.1["code"]),
        (409, &json!("IDEMPOTENT_REQUEST_PROCESSING"))
    );
    assert_eq!(first.unwrap().status(), 200);
    assert_eq!(send().await.unwrap().status(), 200);
    assert_eq!(bench.sandbox.ledger()[0].approvals, 1);
}

#[tokio::test]
async fn many_confirms_of_one_payment_at_once_make_one_approval() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    let sends = (0..32).map(|_| bench.confirm(&key, "order-0001", 1_000).send());
    let answers = futures::future::join_all(sends).await;
    let approved = answers
        .iter()
        .filter(|answer| answer.as_ref().unwrap().status() == 200)
        .count();
    assert_eq!(approved, 1);
    assert_eq!(bench.sandbox.ledger()[0].approvals, 1);
}

#[tokio::test]
async fn a_test_code_answers_for_a_made_up_payment() {
    let bench = Bench::start().await;
    let request = bench.confirm("made-up", "order-0001", 1_000);
    let request = request.header("TossPayments-Test-Code", "REJECT_CARD_PAYMENT");
    let (status, body) = read(request.send().await.unwrap()).await;
    assert_eq!(
        (status, &body["code"]),
        (403, &json!("REJECT_CARD_PAYMENT"))
    );
}

#[tokio::test]
async fn the_clock_can_be_put_forward_past_the_ten_minutes() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    bench
        .sandbox
        .advance_clock(std::time::Duration::from_mins(10));
    let (status, body) = read(
        bench
            .confirm(&key, "order-0001", 1_000)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (status, &body["code"]),
        (404, &json!("NOT_FOUND_PAYMENT_SESSION"))
    );
    assert_eq!(bench.status(&key), "EXPIRED");
}
