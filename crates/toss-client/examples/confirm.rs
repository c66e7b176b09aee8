//! Approves one payment and says what happened to the money.
//!
//! `TOSS_SECRET_KEY=test_gsk_… cargo run -p toss-client --example confirm -- PAYMENT_KEY ORDER_ID AMOUNT`
//!
//! `TOSS_BASE_URL` points it at a sandbox, for instance `http://127.0.0.1:8090`.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use rust_decimal::Decimal;
use toss_client::{ConfirmRequest, Error, ErrorClass, IdempotencyKey, TossClientBuilder};

#[tokio::main]
async fn main() -> shop::Outcome {
    let arguments = shop::arguments("confirm PAYMENT_KEY ORDER_ID AMOUNT")?;
    run(shop::builder()?, arguments).await
}

/// All it does; a test runs it against the sandbox.
pub(crate) async fn run(
    settings: TossClientBuilder,
    [payment_key, order_id, amount]: [String; 3],
) -> shop::Outcome {
    // The merchant's own, stored before the window opened; not what the browser brings.
    let amount: Decimal = amount.parse()?;
    let client = settings.build()?;

    // A shop stores this key, and the request's fingerprint, before it sends anything.
    let key = IdempotencyKey::parse(format!("{order_id}:1"))?;
    let request = ConfirmRequest::new(payment_key, order_id.as_str(), amount);
    match client.confirm_checked(&request, "KRW", &key).await {
        Ok(payment) => println!("{}, receipt {:?}", payment.status, payment.receipt_url()),
        Err(Error::Unknown { reason, .. }) => {
            println!("{reason}; asking");
            println!("{:?}", client.resolve_confirm(&request, "KRW").await?);
        }
        Err(error) => {
            match &error {
                Error::Mismatch { difference, .. } => println!("cancel it: {difference}"),
                Error::NotSent { reason, .. } => println!("nothing happened: {reason}"),
                other => println!("{}", advice(other.class())),
            }
            return Err(error.into());
        }
    }
    Ok(())
}

fn advice(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::UserFixable | ErrorClass::Terminal | ErrorClass::Config => "no money moved",
        ErrorClass::RetrySameKey => "still running: the same key again",
        ErrorClass::RetryWait | ErrorClass::QueryFirst | ErrorClass::DoneEquivalent => {
            "ask before anything else: `resolve_confirm`"
        }
    }
}
