//! What holds for every call: credentials, idempotency, test codes, languages, the call log.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Bench, ORDER, code, confirm, keyed, read, reason, request};
use crate::{
    DEFAULT_SECRET_KEY, SandboxConfig,
    endpoint::Endpoint,
    engine::{ApiRequest, Delivery, Step},
    fault::Effect,
};

#[test]
fn credentials_are_refused_as_toss_refuses_them() {
    let mut bench = Bench::new();
    let mut attempt = |authorization: Option<&str>| {
        let mut request = request(Endpoint::Get, "key", &Value::Null);
        request.authorization = authorization.map(str::to_owned);
        let (status, body) = read(&bench.send(request));
        (status, body["code"].as_str().unwrap().to_owned())
    };
    let unauthorised = (401, "UNAUTHORIZED_KEY".to_owned());
    let malformed = (403, "INCORRECT_BASIC_AUTH_FORMAT".to_owned());
    assert_eq!(attempt(None), unauthorised);
    assert_eq!(attempt(Some("Bearer abc")), unauthorised);
    assert_eq!(attempt(Some("Basic")), unauthorised);
    // base64 of "test_sk_wrong:" and of "test_sk_wrong".
    assert_eq!(attempt(Some("Basic dGVzdF9za193cm9uZzo=")), unauthorised);
    assert_eq!(attempt(Some("Basic dGVzdF9za193cm9uZw==")), malformed);
    assert_eq!(attempt(Some("Basic §§")), malformed);
}

#[test]
fn an_idempotency_key_replays_success_byte_by_byte_and_names_both_traces() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    let first = bench.send(keyed(confirm(&key, ORDER, 1_000), "k1"));
    bench.cancel(&key, &reason());
    let again = bench.send(keyed(confirm(&key, ORDER, 1_000), "k1"));
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.first_trace_id.as_ref(), Some(&first.trace_id));
    assert_eq!(again.idempotency_key.as_deref(), Some("k1"));
}

#[test]
fn an_idempotency_key_is_blind_to_the_body_and_bound_to_the_path() {
    let mut bench = Bench::new();
    let (first, second) = (
        bench.authenticate(ORDER, 1_000),
        bench.authenticate("order-0002", 500),
    );
    bench.send(keyed(confirm(&first, ORDER, 1_000), "k1"));
    let other = read(&bench.send(keyed(confirm(&second, "order-0002", 500), "k1")));
    assert_eq!(other.1["orderId"], ORDER);
    let cancel = keyed(request(Endpoint::Cancel, &first, &reason()), "k1");
    assert_eq!(read(&bench.send(cancel)).1["status"], "CANCELED");
    let get = keyed(request(Endpoint::Get, &second, &Value::Null), "k1");
    assert_eq!(read(&bench.send(get)).1["status"], "IN_PROGRESS");
}

#[test]
fn a_refusal_is_replayed_for_fifteen_days_even_with_a_mended_body() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    let refused = bench.send(keyed(confirm(&key, ORDER, 999), "k1"));
    let mended = bench.send(keyed(confirm(&key, ORDER, 1_000), "k1"));
    assert_eq!(
        (refused.status, &refused.body),
        (mended.status, &mended.body)
    );
    bench.now += TimeDelta::days(15);
    let late = read(&bench.send(keyed(confirm(&key, ORDER, 1_000), "k1")));
    assert_eq!(code(&late), (404, "NOT_FOUND_PAYMENT_SESSION"));
}

#[test]
fn a_duplicate_is_refused_while_the_first_runs() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    let Step::Work(ticket) = bench
        .engine
        .receive(bench.now, keyed(confirm(&key, ORDER, 1_000), "k1"))
        .step
    else {
        panic!("the first has work to do");
    };
    let second = read(&bench.send(keyed(confirm(&key, ORDER, 1_000), "k1")));
    assert_eq!(code(&second), (409, "IDEMPOTENT_REQUEST_PROCESSING"));
    assert!(matches!(
        bench.engine.perform(bench.now, *ticket),
        Delivery::Answer(_)
    ));
    assert_eq!(
        bench.send(keyed(confirm(&key, ORDER, 1_000), "k1")).status,
        200
    );
}

#[test]
fn an_idempotency_key_may_have_three_hundred_characters() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    let long = read(&bench.send(keyed(confirm(&key, ORDER, 1_000), &"k".repeat(301))));
    assert_eq!(code(&long), (400, "INVALID_IDEMPOTENCY_KEY"));
    assert_eq!(
        bench
            .send(keyed(confirm(&key, ORDER, 1_000), &"k".repeat(300)))
            .status,
        200
    );
}

#[test]
fn whether_a_server_error_is_replayed_is_a_setting() {
    for (replay_server_errors, then) in [(true, 500), (false, 200)] {
        let config = SandboxConfig {
            replay_server_errors,
            ..SandboxConfig::default()
        };
        let mut bench = Bench::with(&config);
        let key = bench.authenticate(ORDER, 1_000);
        bench.inject(Effect::Error {
            code: "UNKNOWN_PAYMENT_ERROR".to_owned(),
        });
        assert_eq!(
            bench.send(keyed(confirm(&key, ORDER, 1_000), "k1")).status,
            500
        );
        assert_eq!(
            bench.send(keyed(confirm(&key, ORDER, 1_000), "k1")).status,
            then
        );
    }
}

#[test]
fn a_test_code_answers_before_the_payment_key_is_looked_at() {
    let mut bench = Bench::new();
    let mut attempt = |test_code: &str| {
        let mut request = confirm("made-up", ORDER, 1_000);
        request.test_code = Some(test_code.to_owned());
        let (status, body) = read(&bench.send(request));
        (status, body["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        attempt("REJECT_CARD_PAYMENT"),
        (403, "REJECT_CARD_PAYMENT".to_owned())
    );
    assert_eq!(attempt("COMMON_ERROR"), (500, "COMMON_ERROR".to_owned()));
    assert_eq!(
        attempt("NO_SUCH_CODE"),
        (400, "INVALID_TEST_CODE".to_owned())
    );
}

#[test]
fn malformed_bodies_are_invalid_requests() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    let bodies = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "\u{0}".to_owned(),
        json!({ "paymentKey": key, "orderId": ORDER }).to_string(),
        json!({ "paymentKey": key, "orderId": ORDER, "amount": "천원" }).to_string(),
        json!({ "paymentKey": 1, "orderId": ORDER, "amount": 1_000 }).to_string(),
        json!({ "paymentKey": key, "orderId": ORDER, "amount": -1 }).to_string(),
    ];
    for body in bodies {
        for (endpoint, subject) in [(Endpoint::Confirm, ""), (Endpoint::Cancel, key.as_str())] {
            let request = ApiRequest::new(endpoint, DEFAULT_SECRET_KEY, subject, body.clone());
            assert_eq!(
                code(&read(&bench.send(request))),
                (400, "INVALID_REQUEST"),
                "{body}"
            );
        }
    }
    assert_eq!(bench.confirm(&key, ORDER, 1_000).0, 200);
}

#[test]
fn english_is_spoken_on_request() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    let mut english = confirm(&key, ORDER, 1);
    english.accept_language = Some("en-US".to_owned());
    assert_eq!(
        read(&bench.send(english)).1["message"],
        "malformed or inconsistent body"
    );
    let mut english = confirm(&key, ORDER, 1_000);
    english.accept_language = Some("en-US".to_owned());
    assert_eq!(read(&bench.send(english)).1["method"], "Card");
}

#[test]
fn every_call_is_remembered_with_its_answer() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    bench.inject(Effect::ApproveThenSilence);
    bench.deliver(keyed(confirm(&key, ORDER, 1_000), "k1"));
    bench.get_by_order(ORDER);
    bench.cancel(&key, &reason());
    let calls = bench.engine.calls(10);
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.endpoint, call.status))
        .collect();
    let expected = [
        (Endpoint::Confirm, None),
        (Endpoint::GetByOrder, Some(200)),
        (Endpoint::Cancel, Some(200)),
    ];
    assert_eq!(seen, expected);
    assert!(
        calls
            .iter()
            .all(|call| call.order_id.as_deref() == Some(ORDER))
    );
    assert_eq!(calls[0].idempotency_key.as_deref(), Some("k1"));
    assert_eq!(bench.engine.call_totals().confirm, 1);
}

#[test]
fn the_same_seed_makes_the_same_run() {
    let run = || {
        let mut bench = Bench::new();
        let key = bench.authenticate(ORDER, 1_000);
        let answer = bench.send(confirm(&key, ORDER, 1_000));
        (key, answer)
    };
    assert_eq!(run(), run());
}

#[test]
fn every_code_is_had_by_test_code_with_its_status_in_both_languages() {
    let mut bench = Bench::new();
    let mut seen = 0;
    for line in include_str!("../../../data/errors.tsv").lines().skip(1) {
        let code = line.split('\t').next().unwrap();
        let Some(spec) = crate::engine::find_error(code) else {
            continue;
        };
        let mut texts = Vec::new();
        for language in ["ko", "en"] {
            let mut request = confirm("none", ORDER, 1_000);
            request.test_code = Some(code.to_owned());
            request.accept_language = Some(language.to_owned());
            let (status, body) = super::read(&bench.send(request));
            assert_eq!((status, body["code"].as_str()), (spec.status, Some(code)));
            texts.push(body["message"].as_str().unwrap().to_owned());
        }
        assert!(texts.iter().all(|text| !text.is_empty()), "{code}");
        seen += 1;
    }
    assert!(seen > 100);
}
