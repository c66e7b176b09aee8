//! Webhooks over real sockets: what arrives at a merchant's server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use crate::bench::{Bench, read};

type Seen = Arc<Mutex<Vec<(Vec<(String, String)>, String)>>>;

/// A merchant's server: answers `statuses` one after the other, then 200.
pub(crate) struct Merchant {
    pub(crate) url: String,
    seen: Seen,
}

impl Merchant {
    pub(crate) fn start(statuses: &[u16]) -> Self {
        let seen = Seen::default();
        let statuses = Arc::new(Mutex::new(statuses.to_vec()));
        let data = web::Data::new((Arc::clone(&seen), statuses));
        let server = HttpServer::new(move || {
            App::new().app_data(data.clone()).default_service(web::to(
                |request: HttpRequest,
                 body: String,
                 data: web::Data<(Seen, Arc<Mutex<Vec<u16>>>)>| async move {
                    let headers = request.headers().iter().map(|(name, value)| {
                        (name.to_string(), value.to_str().unwrap().to_owned())
                    });
                    data.0.lock().unwrap().push((headers.collect(), body));
                    let mut statuses = data.1.lock().unwrap();
                    let status = if statuses.is_empty() {
                        200
                    } else {
                        statuses.remove(0)
                    };
                    HttpResponse::build(status.try_into().unwrap()).finish()
                },
            ))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let url = format!("http://{}/webhooks", server.addrs()[0]);
        tokio::spawn(server.run());
        Self { url, seen }
    }

    pub(crate) async fn events(&self, count: usize) -> Vec<(Vec<(String, String)>, String)> {
        for _ in 0..1_000 {
            let seen = self.seen.lock().unwrap().clone();
            if seen.len() >= count {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} events never came: {:?}", self.seen.lock().unwrap());
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let name = format!("tosspayments-webhook-{name}");
    let found = headers.iter().find(|header| header.0 == name);
    found.map_or("", |header| header.1.as_str())
}

#[tokio::test]
async fn a_merchant_is_told_and_told_again_until_it_answers_200() {
    let merchant = Merchant::start(&[500, 302]);
    let bench = Bench::start().await;
    let put = bench.client.put(bench.url("/sandbox/webhooks"));
    let put = put.json(&json!({ "url": merchant.url }));
    assert_eq!(put.send().await.unwrap().status(), 204);
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    bench
        .confirm(&key, "order-0001", 1_000)
        .send()
        .await
        .unwrap();
    let first = merchant.events(1).await.remove(0);
    let event: Value = serde_json::from_str(&first.1).unwrap();
    assert_eq!(event["eventType"], "PAYMENT_STATUS_CHANGED");
    assert!(header(&first.0, "transmission-id").starts_with("whtrans_"));
    assert_eq!(
        header(&first.0, "signature"),
        "",
        "payment events are not signed"
    );
    for (count, retried) in [(2, "1"), (3, "2")] {
        // Whether the answer has been noted by now cannot be seen from here but in the list.
        bench
            .until("the attempt is noted", |sandbox| {
                sandbox.webhooks(1)[0].retried.to_string() == retried
            })
            .await;
        bench.sandbox.advance_clock(Duration::from_mins(5));
        let again = merchant.events(count).await.remove(count - 1);
        assert_eq!(again.1, first.1);
        assert_eq!(header(&again.0, "transmission-retried-count"), retried);
        assert_eq!(
            header(&again.0, "transmission-id"),
            header(&first.0, "transmission-id")
        );
    }
    bench
        .until("it is delivered", |sandbox| {
            serde_json::to_value(sandbox.webhooks(1)[0].state).unwrap() == "delivered"
        })
        .await;
    let (_, list) = read(bench.get("/sandbox/webhooks").send().await.unwrap()).await;
    assert_eq!(list["url"], merchant.url);
    assert_eq!(list["rows"][0]["status"], 200);
}

#[tokio::test]
async fn made_up_events_are_sent_and_those_of_payouts_are_signed() {
    let merchant = Merchant::start(&[]);
    let bench = Bench::start().await;
    bench.sandbox.send_webhooks_to(Some(merchant.url.clone()));
    let body = json!({ "eventType": "payout.changed", "data": { "status": "COMPLETED" } });
    let sent = bench.post("/sandbox/webhooks", &body).send().await.unwrap();
    assert_eq!(sent.status(), 202);
    let (headers, body) = merchant.events(1).await.remove(0);
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&event["entityType"], &event["entityBody"]["status"]),
        (&json!("payout"), &json!("COMPLETED"))
    );
    let bytes: Vec<_> = (0..32)
        .map(|at| {
            u8::from_str_radix(&toss_sandbox::DEFAULT_SECURITY_KEY[at * 2..at * 2 + 2], 16).unwrap()
        })
        .collect();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &bytes);
    let signed = format!("{body}:{}", header(&headers, "transmission-time"));
    let tag = header(&headers, "signature").strip_prefix("v1:").unwrap();
    let tag = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, tag).unwrap();
    ring::hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
}

#[tokio::test]
async fn a_merchant_that_takes_too_long_is_told_again() {
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", slow.local_addr().unwrap());
    let bench = Bench::with(toss_sandbox::SandboxConfig {
        webhook_timeout: Duration::from_millis(100),
        webhook_url: Some(url),
        ..toss_sandbox::SandboxConfig::default()
    })
    .await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    bench
        .confirm(&key, "order-0001", 1_000)
        .send()
        .await
        .unwrap();
    bench
        .until("the attempt has failed", |sandbox| {
            sandbox.webhooks(1)[0].retried == 1
        })
        .await;
}

#[tokio::test]
async fn a_webhook_address_is_http() {
    let bench = Bench::start().await;
    for (body, status) in [
        (json!({ "url": "ftp://x" }), 400),
        (json!({ "to": "http://x" }), 400),
        (json!({ "url": null }), 204),
    ] {
        let put = bench.client.put(bench.url("/sandbox/webhooks")).json(&body);
        assert_eq!(put.send().await.unwrap().status(), status, "{body}");
    }
    let bad = bench
        .post("/sandbox/webhooks", &json!({ "eventType": 1 }))
        .send()
        .await
        .unwrap();
    assert_eq!(bad.status(), 400);
}
