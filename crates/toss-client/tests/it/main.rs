//! The client against a stubbed Toss, against sockets that misbehave, and on recorded shapes.
#![expect(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "blocking")]
mod blocking;
#[cfg(feature = "rustls")]
mod calls;
mod changes;
#[cfg(all(
    feature = "rustls",
    feature = "testing",
    feature = "payouts",
    feature = "brandpay"
))]
mod contract;
mod decoding;
#[cfg(all(
    feature = "rustls",
    feature = "testing",
    feature = "payouts",
    feature = "brandpay",
    feature = "webhooks",
    feature = "blocking"
))]
mod examples;
#[cfg(feature = "rustls")]
mod faults;
#[cfg(feature = "rustls")]
mod privacy;
#[cfg(feature = "rustls")]
mod raw_server;
#[cfg(feature = "testing")]
mod resolving;
#[cfg(feature = "testing")]
mod retries;
#[cfg(feature = "webhooks")]
mod webhooks;
#[cfg(all(feature = "rustls", feature = "payouts", feature = "brandpay"))]
mod wire;

#[cfg(any(feature = "rustls", feature = "testing"))]
use rust_decimal::Decimal;
#[cfg(any(feature = "rustls", feature = "testing"))]
use toss_client::{ConfirmRequest, IdempotencyKey};
#[cfg(feature = "rustls")]
use toss_client::{SecretKey, TossClient};

/// Toss's published documentation key.
#[cfg(feature = "rustls")]
const SECRET_KEY: &str = "test_gsk_docs_OaPz8L5KdmQXkzRz3y47BMw6";

const CARD: &str = include_str!("../fixtures/2022-11-16_card.json");
const VIRTUAL_ACCOUNT: &str = include_str!("../fixtures/2022-11-16_virtual_account.json");
const EASY_PAY_1_4: &str = include_str!("../fixtures/1.4_easy_pay.json");
const FOREIGN: &str = include_str!("../fixtures/2024-06-01_foreign.json");

#[cfg(feature = "rustls")]
fn client(base_url: &str) -> TossClient {
    let key = SecretKey::parse(SECRET_KEY).unwrap();
    TossClient::builder(key)
        .base_url(base_url)
        .unwrap()
        .build()
        .unwrap()
}

#[cfg(any(feature = "rustls", feature = "testing"))]
fn confirm_request() -> ConfirmRequest {
    ConfirmRequest::new("pay/key 1", "order-1", Decimal::new(1000, 0))
}

#[cfg(any(feature = "rustls", feature = "testing"))]
fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}
