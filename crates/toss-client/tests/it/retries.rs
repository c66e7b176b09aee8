//! Attempts: which are repeated, how far apart, and what they add up to. No sockets, no waiting.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rust_decimal::Decimal;
use serde_json::Value;
use toss_client::{
    Attempt, CancelRequest, ConfirmRequest, Error, ErrorClass, Observer, RateLimit, RetryPolicy,
    SecretKey, TossClient, UnknownReason,
    testing::{ManualRuntime, MockTransport, Play},
};

use crate::{CARD, confirm_request, key};

const STILL_RUNNING: &str = "IDEMPOTENT_REQUEST_PROCESSING";

/// A client that tries three times, its transport, and its time.
fn persistent(
    script: impl IntoIterator<Item = Play>,
) -> (TossClient, MockTransport, ManualRuntime) {
    let transport = MockTransport::new(script);
    let runtime = ManualRuntime::with_random(u8::MAX);
    let client = TossClient::builder(SecretKey::parse("test_sk_1").unwrap())
        .retry(RetryPolicy::standard())
        .build_on(transport.clone(), runtime.clone())
        .unwrap();
    (client, transport, runtime)
}

async fn confirm(client: &TossClient) -> Result<(), Error> {
    client
        .confirm(&confirm_request(), &key("k"))
        .await
        .map(drop)
}

#[tokio::test]
async fn a_confirm_without_an_answer_is_repeated_unchanged() {
    let script = [Play::reset(), Play::timeout(), Play::answer(200, CARD)];
    let (client, transport, runtime) = persistent(script);
    confirm(&client).await.unwrap();
    let sent = transport.sent();
    assert_eq!(sent.len(), 3);
    for request in &sent {
        assert_eq!(request.headers["idempotency-key"], "k");
        assert_eq!(request.body, sent[0].body);
    }
    let sleeps = runtime.sleeps();
    assert_eq!(sleeps.len(), 2);
    assert!(sleeps[0] <= Duration::from_millis(500), "{sleeps:?}");
    assert!(sleeps[1] <= Duration::from_secs(1), "{sleeps:?}");
}

#[tokio::test]
async fn a_request_that_is_still_running_is_asked_for_again() {
    let script = [
        Play::rejection(409, STILL_RUNNING, "처리중"),
        Play::answer(200, CARD),
    ];
    let (client, transport, _) = persistent(script);
    confirm(&client).await.unwrap();
    assert_eq!(transport.sent().len(), 2);
}

#[tokio::test]
async fn an_explained_error_of_a_post_is_never_repeated() {
    for (status, code) in [
        (400, "PROVIDER_ERROR"),
        (403, "REJECT_CARD_PAYMENT"),
        (403, "FORBIDDEN_CONSECUTIVE_REQUEST"),
        (429, "TOO_MANY_REQUESTS"),
        (500, "COMMON_ERROR"),
        (500, "A_CODE_OF_TOMORROW"),
    ] {
        let (client, transport, _) = persistent([Play::rejection(status, code, "")]);
        let error = confirm(&client).await.unwrap_err();
        assert!(matches!(error, Error::Rejected(_)), "{error:?}");
        assert_eq!(transport.sent().len(), 1, "{code}");
    }
    let (client, transport, _) = persistent([Play::answer(502, "<html>")]);
    confirm(&client).await.unwrap_err();
    assert_eq!(transport.sent().len(), 1);
}

#[tokio::test]
async fn reads_are_repeated_after_overload_and_wait_as_long_as_toss_asks() {
    let script = [
        Play::rejection(429, "TOO_MANY_REQUESTS", "").with_header("retry-after", "7"),
        Play::answer(503, ""),
        Play::answer(200, CARD),
    ];
    let (client, transport, runtime) = persistent(script);
    client.payment("pk").await.unwrap();
    assert_eq!(transport.sent().len(), 3);
    assert_eq!(runtime.sleeps()[0], Duration::from_secs(7));
    let (client, transport, _) = persistent([Play::rejection(404, "NOT_FOUND_PAYMENT", "")]);
    client.payment("pk").await.unwrap_err();
    assert_eq!(transport.sent().len(), 1);
}

#[tokio::test]
async fn a_rejection_says_how_long_toss_asks_to_wait() {
    let play = Play::rejection(429, "TOO_MANY_REQUESTS", "").with_header("retry-after", "7");
    let (client, _, _) = persistent([play]);
    match confirm(&client).await.unwrap_err() {
        Error::Rejected(rejection) => {
            assert_eq!(rejection.retry_after, Some(Duration::from_secs(7)));
            assert_eq!(rejection.class, ErrorClass::RetryWait);
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_delete_is_repeated_only_if_nothing_was_sent() {
    let (client, transport, _) = persistent([Play::reset()]);
    let error = client.delete_billing_key("b").await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    assert_eq!(transport.sent().len(), 1);
    let (client, transport, _) = persistent([Play::refused(), Play::answer(200, "")]);
    client.delete_billing_key("b").await.unwrap();
    assert_eq!(transport.sent().len(), 2);
}

#[tokio::test]
async fn once_an_answer_was_lost_a_failure_on_the_way_does_not_end_the_doubt() {
    for last in [
        Play::refused(),
        Play::answer(502, "<html>"),
        Play::rejection(401, "UNAUTHORIZED_KEY", ""),
        Play::rejection(429, "TOO_MANY_REQUESTS", ""),
    ] {
        let (client, _, _) = persistent([Play::timeout(), last]);
        let error = confirm(&client).await.unwrap_err();
        match &error {
            Error::Unknown { reason, source, .. } => {
                assert_eq!(reason, &UnknownReason::Timeout);
                assert!(source.is_some());
            }
            error => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn once_an_answer_was_lost_a_decision_under_the_same_key_is_the_outcome() {
    let script = [
        Play::timeout(),
        Play::rejection(403, "REJECT_CARD_PAYMENT", ""),
    ];
    let (client, _, _) = persistent(script);
    let error = confirm(&client).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::UserFixable);
}

#[tokio::test]
async fn without_a_policy_nothing_is_repeated() {
    let (client, transport, runtime) = persistent([Play::refused()]);
    let client = client.with_retry(RetryPolicy::never());
    let error = confirm(&client).await.unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
    assert_eq!((transport.sent().len(), runtime.sleeps().len()), (1, 0));
}

#[tokio::test]
async fn the_deadline_ends_attempts_and_cuts_the_last_one() {
    let (client, transport, runtime) = persistent([Play::timeout(), Play::timeout()]);
    let second = Duration::from_secs(1);
    let policy = RetryPolicy::standard()
        .attempts_max(100)
        .deadline(10 * second)
        .pauses(4 * second, 4 * second);
    let start = tokio::time::Instant::now();
    confirm(&client.with_retry(policy)).await.unwrap_err();
    let sent = transport.sent();
    assert!((2..100).contains(&sent.len()), "{}", sent.len());
    assert_eq!(sent[0].timeout, 10 * second);
    assert!(sent[sent.len() - 1].timeout < 10 * second);
    let slept: Duration = runtime.sleeps().iter().sum();
    assert!(slept < 10 * second, "{slept:?}");
    assert!(start.elapsed() < second, "no real time may pass");
}

#[tokio::test]
async fn the_budget_of_all_clones_runs_out_and_ends_repetitions() {
    let (client, transport, _) = persistent([]);
    for _ in 0..25 {
        confirm(&client.clone()).await.unwrap_err();
    }
    assert_eq!(transport.sent().len(), 75);
    confirm(&client).await.unwrap_err();
    assert_eq!(transport.sent().len(), 76);
}

#[tokio::test]
async fn the_limiter_delays_and_then_refuses_before_sending() {
    let transport = MockTransport::new((0..3).map(|_| Play::answer(200, CARD)));
    let runtime = ManualRuntime::default();
    let client = TossClient::builder(SecretKey::parse("test_sk_1").unwrap())
        .rate_limit(RateLimit::new(1, Duration::from_secs(10)))
        .build_on(transport.clone(), runtime.clone())
        .unwrap();
    client.payment("pk").await.unwrap();
    client.payment("pk").await.unwrap();
    assert_eq!(runtime.sleeps(), [Duration::from_secs(10)]);
    let hurried = client.with_attempt_timeout(Duration::from_secs(5));
    let error = hurried.payment("pk").await.unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
    assert_eq!(transport.sent().len(), 2);
}

#[derive(Debug, Clone, Default)]
struct Metrics(Arc<Mutex<Vec<Attempt>>>);

impl Observer for Metrics {
    fn attempt(&self, attempt: &Attempt) {
        self.0.lock().unwrap().push(*attempt);
    }
}

#[tokio::test]
async fn the_observer_hears_of_every_attempt() {
    let metrics = Metrics::default();
    let script = [
        Play::reset(),
        Play::rejection(409, STILL_RUNNING, ""),
        Play::answer(200, CARD),
    ];
    let client = TossClient::builder(SecretKey::parse("test_sk_1").unwrap())
        .retry(RetryPolicy::standard())
        .observer(metrics.clone())
        .build_on(MockTransport::new(script), ManualRuntime::default())
        .unwrap();
    confirm(&client).await.unwrap();
    let heard = metrics.0.lock().unwrap();
    let seen: Vec<_> = heard
        .iter()
        .map(|attempt| {
            (
                attempt.number,
                attempt.status,
                attempt.class,
                attempt.repeats,
            )
        })
        .collect();
    let same = Some(ErrorClass::RetrySameKey);
    assert_eq!(
        seen,
        [
            (1, None, same, true),
            (2, Some(409), same, true),
            (3, Some(200), None, false),
        ]
    );
}

#[tokio::test]
async fn a_key_refuses_another_request_before_it_is_sent() {
    let (client, transport, _) = persistent([Play::answer(200, CARD), Play::answer(200, CARD)]);
    let key = key("k");
    client.confirm(&confirm_request(), &key).await.unwrap();
    assert_eq!(key.fingerprint(), Some(confirm_request().fingerprint()));
    client.confirm(&confirm_request(), &key).await.unwrap();
    let other = ConfirmRequest::new("pay/key 1", "order-1", Decimal::from(999));
    for error in [
        client.confirm(&other, &key).await.unwrap_err(),
        client
            .cancel("pk", &CancelRequest::new("변심"), &key)
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
    }
    assert_eq!(transport.sent().len(), 2);
}

#[tokio::test]
async fn a_partial_cancel_sends_the_balance_it_read_and_keeps_its_key_over_a_change() {
    let other_balance = CARD.replace("\"balanceAmount\": 600", "\"balanceAmount\": 500");
    let script = [
        Play::answer(200, CARD),
        Play::answer(200, CARD),
        Play::answer(200, other_balance),
        Play::answer(200, CARD),
    ];
    let (client, transport, _) = persistent(script);
    let request = CancelRequest::new("변심").amount(Decimal::from(400));
    let key = key("k");
    client.cancel("pk", &request, &key).await.unwrap();
    client.cancel("pk", &request, &key).await.unwrap();
    assert_eq!(key.fingerprint(), request.fingerprint("pk"));
    let sent = transport.sent();
    let body = |number: usize| -> Value {
        serde_json::from_slice(sent[number].body.as_ref().unwrap()).unwrap()
    };
    assert_eq!(body(1)["refundableAmount"], 600);
    assert_eq!(body(3)["refundableAmount"], 500);
}

#[tokio::test]
async fn a_partial_cancel_whose_balance_cannot_be_read_is_not_sent() {
    let (client, transport, _) = persistent([Play::rejection(404, "NOT_FOUND_PAYMENT", "")]);
    let request = CancelRequest::new("변심").amount(Decimal::from(400));
    let error = client.cancel("pk", &request, &key("k")).await.unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
    assert_eq!(transport.sent().len(), 1);
    assert_eq!(transport.sent()[0].method, "GET");
}

#[tokio::test]
async fn a_widget_key_is_refused_for_api_products_before_sending() {
    let transport = MockTransport::default();
    let client = TossClient::builder(SecretKey::parse("test_gsk_1").unwrap())
        .build_on(transport.clone(), ManualRuntime::default())
        .unwrap();
    let error = client.delete_billing_key("b").await.unwrap_err();
    assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
    assert!(transport.sent().is_empty());
}

#[tokio::test]
async fn a_dropped_call_leaves_nothing_behind() {
    let (client, transport, _) = persistent([]);
    drop(client.payment("pk"));
    assert!(transport.sent().is_empty());
    transport.then(Play::answer(200, CARD));
    client.payment("pk").await.unwrap();
}

#[tokio::test]
async fn raw_calls_need_an_escaped_path_and_a_key() {
    let (client, transport, _) =
        persistent([Play::answer(200, "{\"new\":1}"), Play::answer(200, "[]")]);
    let body = serde_json::json!({"a": 1});
    let answer = client
        .send("POST".parse().unwrap(), "/v9/new", &body, &key("k"))
        .await
        .unwrap();
    assert_eq!(answer.value["new"], 1);
    client.fetch("/v9/new?a=b").await.unwrap();
    for path in ["v9", "//evil \n", "/a b", "/한", "@evil/", "/a#b"] {
        let error = client.fetch(path).await.unwrap_err();
        assert!(matches!(error, Error::InvalidRequest { .. }), "{path}");
    }
    let put = client
        .send("PUT".parse().unwrap(), "/v9/new", &body, &key("p"))
        .await
        .unwrap_err();
    assert!(matches!(put, Error::InvalidRequest { .. }), "{put:?}");
    assert_eq!(transport.sent().len(), 2);
    assert!(transport.sent()[0].url.ends_with(".com/v9/new"));
}
