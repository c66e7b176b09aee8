//! What a server hears of calls whose very bytes matter.

use toss_client::{AccessToken, TossClient};

use crate::{
    key,
    raw_server::{Act, RawServer, answer, header},
};

/// The one request that this call makes.
async fn sent<F: Future>(call: impl FnOnce(TossClient) -> F) -> String {
    let server = RawServer::start(|_| Act::Write(answer(r#"{"id":"FPA_1"}"#))).await;
    let api_key = toss_client::SecretKey::parse("test_sk_1").unwrap();
    let builder = TossClient::builder(api_key).base_url(&server.url).unwrap();
    call(builder.build().unwrap()).await;
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    requests[0].clone()
}

/// A POST that ends with its head: no body, no type of one, and a length that says so.
fn is_bare(request: &str, path: &str) {
    let line = format!("POST {path} HTTP/1.1\r\n");
    assert!(request.starts_with(&line), "{request}");
    assert!(request.ends_with("\r\n\r\n"), "{request}");
    assert_eq!(header(request, "content-length").as_deref(), Some("0"));
    for name in ["content-type", "transfer-encoding"] {
        assert_eq!(header(request, name), None, "{request}");
    }
    assert_eq!(header(request, "idempotency-key").as_deref(), Some("k"));
}

#[tokio::test]
async fn canceling_a_payout_sends_no_body_and_no_sign_of_encryption() {
    let request = sent(|client| async move {
        let canceled = client.cancel_payout("FPA_1", &key("k")).await.unwrap();
        assert_eq!(canceled.id(), "FPA_1");
    })
    .await;
    is_bare(&request, "/v2/payouts/FPA_1/cancel");
    assert_eq!(header(&request, "tosspayments-api-security-mode"), None);
}

#[tokio::test]
async fn removing_a_brandpay_customer_sends_a_token_and_no_body() {
    let request = sent(|client| async move {
        let token = AccessToken::new("token");
        let removed = client.remove_brandpay_customer(&token, &key("k")).await;
        removed.unwrap();
    })
    .await;
    is_bare(&request, "/v1/brandpay/customers/remove");
    let token = header(&request, "authorization");
    assert_eq!(token.as_deref(), Some("Bearer token"));
}

#[tokio::test]
async fn a_raw_post_of_nothing_has_no_body() {
    let request = sent(|client| async move {
        let (post, nothing) = (http::Method::POST, serde_json::Value::Null);
        let answer = client.send(post, "/v3/new", &nothing, &key("k")).await;
        answer.unwrap();
    })
    .await;
    is_bare(&request, "/v3/new");
}

/// Without a body the path is all that a key can be bound to.
#[tokio::test]
async fn a_key_that_canceled_one_payout_cancels_no_other() {
    let again = sent(|client| async move {
        let key = key("k");
        client.cancel_payout("FPA_1", &key).await.unwrap();
        client.cancel_payout("FPA_2", &key).await.unwrap_err()
    })
    .await;
    is_bare(&again, "/v2/payouts/FPA_1/cancel");
}
