//! The client against a stubbed Toss, against sockets that misbehave, and on recorded shapes.
#![expect(clippy::unwrap_used, reason = "tests")]

mod calls;
mod decoding;
mod faults;
mod privacy;
mod raw_server;

use rust_decimal::Decimal;
use toss_client::{ConfirmRequest, IdempotencyKey, SecretKey, TossClient};

/// Toss's published documentation key.
const SECRET_KEY: &str = "test_gsk_docs_OaPz8L5KdmQXkzRz3y47BMw6";

const CARD: &str = include_str!("../fixtures/2022-11-16_card.json");
const VIRTUAL_ACCOUNT: &str = include_str!("../fixtures/2022-11-16_virtual_account.json");
const EASY_PAY_1_4: &str = include_str!("../fixtures/1.4_easy_pay.json");
const FOREIGN: &str = include_str!("../fixtures/2024-06-01_foreign.json");

fn client(base_url: &str) -> TossClient {
    let key = SecretKey::parse(SECRET_KEY).unwrap();
    TossClient::builder(key)
        .base_url(base_url)
        .unwrap()
        .build()
        .unwrap()
}

fn confirm_request() -> ConfirmRequest {
    ConfirmRequest::new("pay/key 1", "order-1", Decimal::new(1000, 0))
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}
