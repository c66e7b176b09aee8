//! Connections that break at every point, and what the client then claims.

use std::{collections::HashMap, time::Duration};

use tokio::net::TcpListener;
use toss_client::{
    ANSWER_BYTES_MAX, ERROR_BODY_BYTES_MAX, Error, ErrorClass, SecretKey, TossClient, UnknownReason,
};

use crate::{
    CARD, SECRET_KEY, client, confirm_request, key,
    raw_server::{Act, RawServer, answer},
};

async fn confirm(client: &TossClient, text: &str) -> Result<(), Error> {
    client
        .confirm(&confirm_request(), &key(text))
        .await
        .map(drop)
}

/// One confirm against a server that does this; it must be heard exactly once.
async fn confirm_at(act: Act) -> Error {
    let server = RawServer::start(move |_| act.clone()).await;
    let client = client(&server.url).with_attempt_timeout(Duration::from_millis(300));
    let error = confirm(&client, "k").await.unwrap_err();
    assert_eq!(server.heard(), ["k"]);
    error
}

fn unknown_reason(error: Error) -> UnknownReason {
    assert_eq!(error.class(), ErrorClass::RetrySameKey);
    match error {
        Error::Unknown { reason, .. } => reason,
        error => panic!("not unknown: {error:?}"),
    }
}

#[tokio::test]
async fn a_reset_after_the_request_is_unknown() {
    assert_eq!(
        unknown_reason(confirm_at(Act::Reset).await),
        UnknownReason::ConnectionLost
    );
}

#[tokio::test]
async fn a_close_without_an_answer_is_unknown() {
    let error = confirm_at(Act::WriteAndClose(Vec::new())).await;
    assert_eq!(unknown_reason(error), UnknownReason::ConnectionLost);
}

#[tokio::test]
async fn silence_is_unknown() {
    let error = confirm_at(Act::WriteAndHang(Vec::new())).await;
    assert_eq!(unknown_reason(error), UnknownReason::Timeout);
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_unknown() {
    let error = confirm_at(Act::WriteAndClose(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())).await;
    assert_eq!(unknown_reason(error), UnknownReason::ConnectionLost);
}

#[tokio::test]
async fn half_a_head_is_unknown() {
    let error = confirm_at(Act::WriteAndClose(b"HTTP/1.1 200 OK\r\nconte".to_vec())).await;
    assert_eq!(unknown_reason(error), UnknownReason::ConnectionLost);
}

#[tokio::test]
async fn half_a_body_is_unknown_and_keeps_status_and_trace_id() {
    let head = "HTTP/1.1 200 OK\r\nx-tosspayments-trace-id: t-1\r\n";
    let cut = UnknownReason::AnswerCutShort {
        status: 200,
        trace_id: Some("t-1".to_owned()),
    };
    let lengthy = format!("{head}content-length: 999\r\n\r\n{{\"paymentKey\":").into_bytes();
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n5\r\n{{\"pay\r\n").into_bytes();
    for act in [
        Act::WriteAndClose(lengthy.clone()),
        Act::WriteAndHang(lengthy),
        Act::WriteAndClose(chunked.clone()),
        Act::WriteAndHang(chunked),
    ] {
        let error = confirm_at(act).await;
        assert_eq!(error.trace_id(), Some("t-1"));
        assert_eq!(unknown_reason(error), cut);
    }
}

#[tokio::test]
async fn a_body_without_length_that_ends_early_is_undecodable_with_its_status() {
    let bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"paymentKey\":\"p\"".to_vec();
    match confirm_at(Act::WriteAndClose(bytes)).await {
        Error::Undecodable { status, body, .. } => {
            assert_eq!((status, body.as_str()), (200, "{\"paymentKey\":\"p\""));
        }
        error => panic!("not undecodable: {error:?}"),
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_and_keeps_its_status() {
    let server = RawServer::start(|_| Act::Flood).await;
    match confirm(&client(&server.url), "k").await.unwrap_err() {
        Error::Undecodable {
            status,
            body,
            reason,
            ..
        } => {
            assert_eq!((status, body.as_str().len()), (200, ERROR_BODY_BYTES_MAX));
            assert!(reason.contains(&ANSWER_BYTES_MAX.to_string()), "{reason}");
        }
        error => panic!("not undecodable: {error:?}"),
    }
}

fn assert_not_sent(error: &Error) {
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::RetrySameKey);
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_not_sent(&confirm(&client(&url), "k").await.unwrap_err());
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_not_sent() {
    let error = TossClient::builder(SecretKey::parse(SECRET_KEY).unwrap())
        .base_url("http://toss.invalid")
        .unwrap()
        .connect_timeout(Duration::from_secs(1))
        .build()
        .unwrap()
        .payment_by_order("order-1")
        .await
        .unwrap_err();
    assert_not_sent(&error);
}

/// A client that speaks TLS, unless this machine has no certificate roots.
fn tls_client(listener: &TcpListener) -> Option<TossClient> {
    let url = format!("https://{}", listener.local_addr().unwrap());
    let built = TossClient::builder(SecretKey::parse(SECRET_KEY).unwrap())
        .base_url(&url)
        .unwrap()
        .connect_timeout(Duration::from_millis(300))
        .build();
    if built.is_err() {
        eprintln!("skipped: no certificate roots on this machine");
    }
    built.ok()
}

#[tokio::test]
async fn a_tls_handshake_that_takes_too_long_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    if let Some(client) = tls_client(&listener) {
        let error = confirm(&client, "k").await.unwrap_err();
        assert_not_sent(&error);
        assert!(error.to_string().contains("took too long"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    if let Some(client) = tls_client(&listener) {
        let server = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 1024];
            let _ = stream.read(&mut hello).await.unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        });
        assert_not_sent(&confirm(&client, "k").await.unwrap_err());
        server.await.unwrap();
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced_and_nothing_sent_twice() {
    let server = RawServer::start(|_| Act::WriteAndClose(answer(CARD))).await;
    let client = client(&server.url);
    for text in ["k1", "k2", "k3"] {
        // Whether the close is noticed before or after the next request is written is a race,
        // so only a loss, never a repetition, is allowed.
        match confirm(&client, text).await {
            Ok(()) | Err(Error::Unknown { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(server.heard().len() <= 3, "{:?}", server.heard());
}

#[tokio::test]
async fn a_pooled_connection_that_resets_under_a_request_is_unknown_and_not_repeated() {
    let server = RawServer::start(|number| match number {
        1 => Act::Reset,
        _ => Act::Write(answer(CARD)),
    })
    .await;
    let client = client(&server.url);
    confirm(&client, "k1").await.unwrap();
    let error = confirm(&client, "k2").await.unwrap_err();
    assert_eq!(unknown_reason(error), UnknownReason::ConnectionLost);
    confirm(&client, "k3").await.unwrap();
    assert_eq!(server.heard(), ["k1", "k2", "k3"]);
}

#[tokio::test]
async fn whatever_the_pool_does_every_request_is_heard_at_most_once() {
    // Every answer is followed by a close that is not announced, so each next request races it.
    let server = RawServer::start(|_| Act::WriteAndClose(answer(CARD))).await;
    let client = client(&server.url);
    let mut outcomes = HashMap::new();
    for round in 0..100 {
        let calls: Vec<_> = (0..4)
            .map(|lane| {
                let client = client.clone();
                let text = format!("{round}-{lane}");
                tokio::spawn(async move { (confirm(&client, &text).await, text) })
            })
            .collect();
        for call in calls {
            let (outcome, text) = call.await.unwrap();
            outcomes.insert(text, outcome);
        }
    }
    let mut heard: HashMap<String, usize> = HashMap::new();
    for text in server.heard() {
        *heard.entry(text).or_default() += 1;
    }
    for (text, outcome) in outcomes {
        let times = heard.get(&text).copied().unwrap_or_default();
        match outcome {
            Ok(()) => assert_eq!(times, 1, "{text}"),
            Err(Error::NotSent { .. }) => assert_eq!(times, 0, "{text}"),
            Err(_) => assert!(times <= 1, "{text} was heard {times} times"),
        }
    }
}
