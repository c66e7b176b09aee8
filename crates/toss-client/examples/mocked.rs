//! Tests a shop's own code without network: a confirm whose answer is lost, and what the shop makes
//! of it.
//!
//! `cargo run -p toss-client --features testing --example mocked`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;

use rust_decimal::Decimal;
use toss_client::{
    Answer, ConfirmRequest, Error as TossError, IdempotencyKey, Payment, Resolution, SecretKey,
    TossClient,
    testing::{ManualRuntime, MockTransport, Play},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run().await
}

/// All it does; a test runs it.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    // The request goes out and the connection breaks; then Toss is asked and knows the payment.
    let known = r#"{"paymentKey":"pk","orderId":"order-1","status":"DONE","totalAmount":1000,
                    "currency":"KRW"}"#;
    let transport = MockTransport::new([Play::reset(), Play::answer(200, known)]);
    let client = TossClient::builder(SecretKey::parse("test_sk_1")?)
        .build_on(transport.clone(), ManualRuntime::default())?;

    let payment = shop_confirms(&client).await?;
    println!(
        "{} after {} requests",
        payment.status,
        transport.sent().len()
    );

    let sent = transport.sent();
    let asked: Vec<_> = sent.iter().map(|request| request.method.as_str()).collect();
    if asked != ["POST", "GET"] {
        return Err(format!("the shop sent {asked:?}").into());
    }
    Ok(())
}

/// The code under test: it charges once, whatever becomes of the answer.
async fn shop_confirms(client: &TossClient) -> Result<Box<Answer<Payment>>, Box<dyn Error>> {
    let request = ConfirmRequest::new("pk", "order-1", Decimal::from(1_000));
    let key = IdempotencyKey::parse("order-1:1")?;
    match client.confirm_checked(&request, "KRW", &key).await {
        Ok(answer) => Ok(Box::new(answer)),
        Err(TossError::Unknown { .. }) => match client.resolve_confirm(&request, "KRW").await? {
            Resolution::Approved(answer) => Ok(answer),
            other => Err(format!("not approved: {other:?}").into()),
        },
        Err(error) => Err(error.into()),
    }
}
