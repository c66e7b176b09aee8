//! The client's own cost of one confirm: building and serialising the request, its fingerprint
//! and headers, decoding the answer. No network: the transport answers at once.
//!
//! `cargo bench -p toss-client --features testing --bench confirm`

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot begin says so")]

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use rust_decimal::Decimal;
use toss_client::{
    BoxFuture, ConfirmRequest, HttpReply, HttpRequest, IdempotencyKey, Payment, SecretKey,
    TossClient, Transport, TransportError, testing::ManualRuntime,
};

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

const CARD: &str = include_str!("../tests/fixtures/2022-11-16_card.json");

fn main() {
    divan::main();
}

/// Answers every request with the same payment.
#[derive(Debug)]
struct Answering;

impl Transport for Answering {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpReply, TransportError>> {
        black_box(request);
        Box::pin(async { Ok(HttpReply::new(200, CARD)) })
    }
}

/// What is ready at once needs no executor.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the transport of the benchmark never waits"),
    }
}

#[divan::bench]
fn confirm(bencher: divan::Bencher<'_, '_>) {
    let client = TossClient::builder(SecretKey::parse("test_sk_bench").unwrap())
        .build_on(Answering, ManualRuntime::default())
        .unwrap();
    bencher.bench(|| {
        let key = IdempotencyKey::parse("order-1:1").unwrap();
        let request = ConfirmRequest::new("payment-key", "order-1", Decimal::from(1_000));
        now(client.confirm(&request, &key)).unwrap()
    });
}

#[divan::bench]
fn decode_a_payment() -> Payment {
    serde_json::from_str(black_box(CARD)).unwrap()
}
