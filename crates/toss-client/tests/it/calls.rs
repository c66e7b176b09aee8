//! What is sent, and how each kind of answer is read.

use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::json;
use toss_client::{
    BuildError, CancelRequest, Endpoint, Error, ErrorClass, Language, PaymentStatus, SecretKey,
    TossClient, TransactionQuery,
};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, body_json, header, header_exists, method, path, query_param},
};

use crate::{CARD, SECRET_KEY, VIRTUAL_ACCOUNT, client, confirm_request, key};

const AUTHORIZATION: &str = "Basic dGVzdF9nc2tfZG9jc19PYVB6OEw1S2RtUVhrelJ6M3k0N0JNdzY6";

fn payment(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

/// The error of a confirm that is answered so.
async fn confirm_error(answer: ResponseTemplate) -> Error {
    let server = server(answer).await;
    client(&server.uri())
        .confirm(&confirm_request(), &key("k"))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_confirm_sends_credentials_key_and_body_and_keeps_the_whole_answer() {
    let server = MockServer::start().await;
    let body = json!({"paymentKey": "pay/key 1", "orderId": "order-1", "amount": 1000});
    Mock::given(method("POST"))
        .and(path("/v1/payments/confirm"))
        .and(header("authorization", AUTHORIZATION))
        .and(header("idempotency-key", "order-1:1"))
        .and(header("content-type", "application/json"))
        .and(body_json(body))
        .respond_with(payment(CARD).insert_header("x-tosspayments-trace-id", "trace-1"))
        .mount(&server)
        .await;
    let answer = client(&server.uri())
        .confirm(&confirm_request(), &key("order-1:1"))
        .await
        .unwrap();
    assert_eq!(answer.order_id, "MC4wODU4ODQwMzg4NDk0");
    assert_eq!(
        (answer.http_status, answer.trace_id.as_deref()),
        (200, Some("trace-1"))
    );
    assert_eq!(answer.body.as_str(), CARD);
}

#[tokio::test]
async fn a_replayed_answer_keeps_both_trace_ids() {
    let answer = payment(CARD)
        .append_header("x-tosspayments-trace-id", "first")
        .append_header("x-tosspayments-trace-id", "second");
    let server = server(answer).await;
    let answer = client(&server.uri())
        .confirm(&confirm_request(), &key("k"))
        .await
        .unwrap();
    assert_eq!(answer.trace_id.as_deref(), Some("first, second"));
}

#[tokio::test]
async fn a_cancel_goes_to_the_escaped_payment_key() {
    let server = server(payment(CARD)).await;
    let request = CancelRequest::new("변심")
        .amount(Decimal::new(400, 0))
        .without_refundable_amount();
    client(&server.uri())
        .cancel("a/b 1", &request, &key("k"))
        .await
        .unwrap();
    let sent = only_request(&server).await;
    assert_eq!(sent.url.path(), "/v1/payments/a%2Fb%201/cancel");
    assert_eq!(sent.headers["idempotency-key"], "k");
    let body: serde_json::Value = sent.body_json().unwrap();
    assert_eq!(body, json!({"cancelReason": "변심", "cancelAmount": 400}));
}

#[tokio::test]
async fn reads_carry_no_idempotency_key_and_no_body() {
    let server = server(payment(VIRTUAL_ACCOUNT)).await;
    let client = client(&server.uri());
    let by_key = client.payment("pk_1").await.unwrap();
    let by_order = client.payment_by_order("order=1").await.unwrap();
    assert_eq!(by_key.value, by_order.value);
    assert_eq!(by_key.status, PaymentStatus::WaitingForDeposit);
    let requests = server.received_requests().await.unwrap();
    let paths: Vec<_> = requests.iter().map(|request| request.url.path()).collect();
    assert_eq!(
        paths,
        ["/v1/payments/pk_1", "/v1/payments/orders/order%3D1"]
    );
    for request in requests {
        assert_eq!(request.method, "GET");
        assert!(request.body.is_empty());
        assert!(!request.headers.contains_key("idempotency-key"));
    }
}

#[tokio::test]
async fn a_base_url_may_have_a_path_of_its_own() {
    let server = server(payment(CARD)).await;
    client(&format!("{}/sandbox/", server.uri()))
        .payment("pk")
        .await
        .unwrap();
    assert_eq!(
        only_request(&server).await.url.path(),
        "/sandbox/v1/payments/pk"
    );
}

#[tokio::test]
async fn transactions_are_asked_for_in_korean_wall_clock_time() {
    let server = MockServer::start().await;
    let rows = json!([{
        "mId": "tosspayments", "transactionKey": "tx-1", "paymentKey": "pk", "orderId": "order-1",
        "method": "카드", "customerKey": "@@ANONYMOUS", "useEscrow": false, "status": "DONE",
        "receiptUrl": "https://example.com", "transactionAt": "2022-01-01T09:00:00+09:00",
        "currency": "KRW", "amount": 1000,
    }]);
    Mock::given(path("/v1/transactions"))
        .and(query_param("startDate", "2022-01-01T00:00:00"))
        .and(query_param("endDate", "2022-01-02T00:00:00"))
        .and(query_param("startingAfter", "tx&0"))
        .and(query_param("limit", "500"))
        .respond_with(ResponseTemplate::new(200).set_body_json(rows))
        .mount(&server)
        .await;
    let day = |day| {
        NaiveDate::from_ymd_opt(2022, 1, day)
            .unwrap()
            .and_hms_opt(0, 0, 0)
            .unwrap()
    };
    let query = TransactionQuery::new(day(1), day(2))
        .starting_after("tx&0")
        .limit(500);
    let page = client(&server.uri()).transactions(&query).await.unwrap();
    assert_eq!(page.len(), 1);
    assert_eq!(page[0].transaction_key, "tx-1");
    assert_eq!(page[0].amount, Some(Decimal::new(1000, 0)));
}

#[tokio::test]
async fn language_and_test_code_travel_as_headers() {
    let server = MockServer::start().await;
    Mock::given(header("accept-language", "en-US"))
        .and(header("tosspayments-test-code", "REJECT_CARD_PAYMENT"))
        .and(header_exists("authorization"))
        .respond_with(payment(CARD))
        .mount(&server)
        .await;
    client(&server.uri())
        .in_language(Language::English)
        .with_test_code("REJECT_CARD_PAYMENT")
        .unwrap()
        .confirm(&confirm_request(), &key("k"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_explained_error_is_a_rejection_with_its_class() {
    for (status, code, class) in [
        (403, "REJECT_CARD_PAYMENT", ErrorClass::UserFixable),
        (400, "PROVIDER_ERROR", ErrorClass::QueryFirst),
        (400, "ALREADY_PROCESSED_PAYMENT", ErrorClass::DoneEquivalent),
        (
            409,
            "IDEMPOTENT_REQUEST_PROCESSING",
            ErrorClass::RetrySameKey,
        ),
        (401, "UNAUTHORIZED_KEY", ErrorClass::Config),
        (404, "NOT_FOUND_PAYMENT_SESSION", ErrorClass::Terminal),
        (429, "WHATEVER", ErrorClass::RetryWait),
        (400, "NEVER_SEEN_BEFORE", ErrorClass::QueryFirst),
    ] {
        let body = json!({"code": code, "message": "사유", "data": null});
        let answer = ResponseTemplate::new(status)
            .insert_header("x-tosspayments-trace-id", "trace-1")
            .set_body_json(&body);
        let Error::Rejected(rejection) = confirm_error(answer).await else {
            panic!("{code} is no rejection");
        };
        assert_eq!(rejection.endpoint, Endpoint::ConfirmPayment);
        assert_eq!((rejection.status, rejection.code.as_str()), (status, code));
        assert_eq!(
            (rejection.message.as_str(), rejection.class),
            ("사유", class)
        );
        assert_eq!(rejection.trace_id.as_deref(), Some("trace-1"));
        assert_eq!(rejection.body.as_str(), body.to_string());
    }
}

#[tokio::test]
async fn a_version_2_error_is_a_rejection_too() {
    let error = json!({"code": "NOT_FOUND_PAYMENT", "message": "없음"});
    let body = json!({"version": "2022-11-16", "traceId": "trace-2", "error": error});
    let error = confirm_error(ResponseTemplate::new(404).set_body_json(body)).await;
    assert_eq!(
        (error.class(), error.trace_id()),
        (ErrorClass::Terminal, Some("trace-2"))
    );
}

#[tokio::test]
async fn an_error_page_is_undecodable_and_says_nothing_about_the_money() {
    for (status, body, class) in [
        (502, "<html>Bad Gateway</html>", ErrorClass::QueryFirst),
        (503, "", ErrorClass::QueryFirst),
        (500, "{\"message\":\"no code\"}", ErrorClass::QueryFirst),
        (500, "{\"code\":7}", ErrorClass::QueryFirst),
        (400, "[]", ErrorClass::QueryFirst),
        (404, "null", ErrorClass::QueryFirst),
        (429, "slow down", ErrorClass::RetryWait),
    ] {
        let error = confirm_error(ResponseTemplate::new(status).set_body_string(body)).await;
        assert_eq!(error.class(), class);
        match error {
            Error::Undecodable {
                status: got,
                body: kept,
                ..
            } => {
                assert_eq!((got, kept.as_str()), (status, body));
            }
            error => panic!("{status} {body}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_keeps_its_status_so_that_it_counts_as_executed() {
    for body in [
        "",
        "OK",
        "{}",
        "[]",
        "\"hush\"",
        "{\"paymentKey\":\"p\",\"orderId\":\"o\"}",
    ] {
        let error = confirm_error(ResponseTemplate::new(200).set_body_string(body)).await;
        assert!(!error.to_string().contains("hush"), "{error}");
        match error {
            Error::Undecodable {
                status, body: kept, ..
            } => {
                assert_eq!((status, kept.as_str()), (200, body));
            }
            error => panic!("{body}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = server(ResponseTemplate::new(307).insert_header("location", "/elsewhere")).await;
    let error = client(&server.uri())
        .confirm(&confirm_request(), &key("k"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Undecodable { status: 307, .. }),
        "{error:?}"
    );
    only_request(&server).await;
}

/// What decides about repetitions and outcomes is not the caller's to set.
#[tokio::test]
async fn a_client_over_the_caller_s_reqwest_sends_what_it_sends_and_follows_nothing() {
    let server = server(ResponseTemplate::new(307).insert_header("location", "/elsewhere")).await;
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::limited(10))
        .proxy(reqwest::Proxy::all("http://127.0.0.1:1").unwrap());
    let error = TossClient::builder(SecretKey::parse(SECRET_KEY).unwrap())
        .base_url(&server.uri())
        .unwrap()
        .build_over(http)
        .unwrap()
        .confirm(&confirm_request(), &key("k"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Undecodable { status: 307, .. }),
        "{error:?}"
    );
    only_request(&server).await;
}

#[tokio::test]
async fn a_request_beyond_the_limits_is_not_sent() {
    let server = server(payment(CARD)).await;
    let client = client(&server.uri());
    let cancel = CancelRequest::new("변심");
    for error in [
        client.payment("").await.unwrap_err(),
        client.payment("..").await.unwrap_err(),
        client.payment_by_order(&"o".repeat(65)).await.unwrap_err(),
        client.cancel("..", &cancel, &key("k")).await.unwrap_err(),
        client
            .cancel("pk", &cancel.clone().amount(Decimal::ZERO), &key("k"))
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Config);
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[test]
fn a_base_url_that_is_none_is_refused() {
    let builder = || TossClient::builder(SecretKey::parse(SECRET_KEY).unwrap());
    for url in [
        "",
        "api.tosspayments.com",
        "/v1",
        "ftp://example.com",
        "http://user:pass@example.com",
        "http://example.com?a=b",
        "http://example.com#a",
    ] {
        assert!(
            matches!(builder().base_url(url), Err(BuildError::BaseUrl)),
            "{url}"
        );
    }
    for url in [
        "http://127.0.0.1:1",
        "https://api.tosspayments.com/",
        "http://[::1]:8080/x",
    ] {
        assert!(builder().base_url(url).is_ok(), "{url}");
    }
}

#[test]
fn a_test_code_under_a_live_key_is_refused() {
    let client = TossClient::builder(SecretKey::parse("live_sk_abc").unwrap())
        .base_url("http://127.0.0.1:1")
        .unwrap()
        .build()
        .unwrap();
    let refused = client.with_test_code("REJECT_CARD_PAYMENT");
    assert!(matches!(refused, Err(BuildError::TestCodeWithLiveKey)));
}
