//! The client without `async`.

use toss_client::{Error, SecretKey, TossClient, blocking};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{CARD, SECRET_KEY, confirm_request, key};

fn client(url: &str) -> blocking::TossClient {
    let builder = TossClient::builder(SecretKey::parse(SECRET_KEY).unwrap())
        .base_url(url)
        .unwrap();
    blocking::TossClient::build(builder).unwrap()
}

#[test]
fn calls_are_made_without_a_runtime() {
    let error = client("http://127.0.0.1:1").payment("pk").unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_made_inside_a_runtime_too_and_dropping_the_client_there_is_safe() {
    let server = MockServer::start().await;
    let payment = ResponseTemplate::new(200).set_body_raw(CARD, "application/json");
    Mock::given(any())
        .respond_with(payment)
        .mount(&server)
        .await;
    let client = client(&server.uri());
    let confirmed = client.confirm(&confirm_request(), &key("k")).unwrap();
    let read = client.run(|toss| async move { toss.payment("pk").await });
    assert_eq!(confirmed.value, read.unwrap().value);
    drop(client);
}
