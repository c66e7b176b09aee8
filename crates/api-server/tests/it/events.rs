//! Streams of a payment's changes.

use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::shop::{Order, Shop};
use crate::stage::{Stage, UNHURRIED};

async fn open(shop: &Shop, order: &Order, heard: Option<&str>) -> Response {
    let path = format!("/api/v1/payments/{}/events", order.id);
    let mut request = shop.request(Method::GET, &path);
    if let Some(heard) = heard {
        request = request.header("Last-Event-ID", heard);
    }
    request.send().await.unwrap()
}

/// The events in this text: number and status.
fn events(order: &Order, text: &str) -> Vec<(i64, String)> {
    let mut events = Vec::new();
    for event in text.split("\n\n").filter(|event| event.contains("data: ")) {
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} in {event}"))
        };
        assert_eq!(field("event: "), "status");
        let data: Value = serde_json::from_str(field("data: ")).unwrap();
        assert_eq!(data["orderId"], json!(order.id));
        assert!(data["at"].is_string());
        let status = data["status"].as_str().unwrap().to_owned();
        events.push((field("id: ").parse().unwrap(), status));
    }
    events
}

/// All events up to the end of the stream.
async fn all(order: &Order, stream: Response) -> Vec<(i64, String)> {
    assert_eq!(stream.status(), 200);
    events(order, &stream.text().await.unwrap())
}

fn told(events: &[(i64, &str)]) -> Vec<(i64, String)> {
    let owned = events
        .iter()
        .map(|(id, status)| (*id, (*status).to_owned()));
    owned.collect()
}

pub(crate) async fn a_stream_follows_a_confirm_of_another_server(stage: &Stage) {
    let (here, there) = (stage.open(&UNHURRIED).await, stage.open(&UNHURRIED).await);
    let order = here.check_out(1, &[(1, 1)]).await;
    let key = here.authenticate(&order);
    stage.slow_confirms_of(&order.id, Duration::from_secs(1));
    let mut stream = open(&here, &order, None).await;
    let header = |name: &str| stream.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    assert!(!header("x-request-id").is_empty());
    // The present status comes at once.
    let first = stream.chunk().await.unwrap().unwrap();
    let first = events(&order, std::str::from_utf8(&first).unwrap());
    assert_eq!(first, told(&[(1, "READY")]));
    there.confirm(&order, &key).await.data();
    let rest = all(&order, stream).await;
    assert_eq!(rest, told(&[(2, "IN_PROGRESS"), (3, "DONE")]));
}

pub(crate) async fn a_stream_goes_on_where_another_ended(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let (order, _) = shop.sell(1).await;
    let done = told(&[(3, "DONE")]);
    let missed = told(&[(2, "IN_PROGRESS"), (3, "DONE")]);
    for (heard, expected) in [
        (None, &done),
        (Some("1"), &missed),
        (Some("2"), &done),
        (Some("99"), &done),
        (Some("-1"), &done),
        (Some("nonsense"), &done),
    ] {
        let stream = open(&shop, &order, heard).await;
        assert_eq!(all(&order, stream).await, *expected, "{heard:?}");
    }
    // Nothing more is to come: an `EventSource` does not ask again.
    let nothing = open(&shop, &order, Some("3")).await;
    assert_eq!(nothing.status(), 204);
    assert_eq!(nothing.text().await.unwrap(), "");
    for unknown in ["no-such-order", "x"] {
        let path = format!("/api/v1/payments/{unknown}/events");
        shop.get(&path).await.refused(404, "E03001");
    }
}

pub(crate) async fn streams_are_bounded_and_end_with_the_server(stage: &Stage) {
    let shop = stage.open(&["--event-streams=2"]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let (one, two) = (
        open(&shop, &order, None).await,
        open(&shop, &order, None).await,
    );
    let path = format!("/api/v1/payments/{}/events", order.id);
    let full = shop.get(&path).await;
    assert_eq!(
        full.refused(503, "E99999")["details"]["failing"],
        json!("events")
    );
    assert!(full.headers.contains_key(RETRY_AFTER));
    // Whoever hangs up makes room.
    drop(one);
    crate::until("there is room", async || {
        let answer = open(&shop, &order, None).await;
        answer.status() == 200
    })
    .await;
    // What else the server does is not held up.
    assert_eq!(shop.status(&order).await, "READY");

    let began = Instant::now();
    let closed = tokio::spawn(async move { shop.close().await });
    assert_eq!(all(&order, two).await, told(&[(1, "READY")]));
    closed.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
}
