//! Approves one payment and says what happened to the money.
//!
//! `TOSS_SECRET_KEY=test_gsk_… cargo run -p toss-client --example confirm -- PAYMENT_KEY ORDER_ID AMOUNT`
//!
//! `TOSS_BASE_URL` points it at a sandbox, for instance `http://127.0.0.1:8090`.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use rust_decimal::Decimal;
use toss_client::{ConfirmRequest, Error, ErrorClass, IdempotencyKey};

#[tokio::main]
async fn main() -> shop::Outcome {
    let [payment_key, order_id, amount] = shop::arguments("confirm PAYMENT_KEY ORDER_ID AMOUNT")?;
    // The merchant's own, stored before the window opened; not what the browser brings.
    let amount: Decimal = amount.parse()?;
    let client = shop::builder()?.build()?;

    // A shop stores this key, and the request's fingerprint, before it sends anything.
    let key = IdempotencyKey::parse(format!("{order_id}:1"))?;
    let request = ConfirmRequest::new(payment_key, order_id.as_str(), amount);
    match client.confirm_checked(&request, "KRW", &key).await {
        Ok(payment) => println!("{}, receipt {:?}", payment.status, payment.receipt_url()),
        Err(Error::Mismatch { difference, .. }) => println!("cancel it: {difference}"),
        Err(Error::NotSent { reason, .. }) => println!("nothing happened: {reason}"),
        Err(Error::Unknown { reason, .. }) => {
            println!("{reason}; asking");
            println!("{:?}", client.resolve_confirm(&request, "KRW").await?);
        }
        Err(error) => match error.class() {
            ErrorClass::UserFixable | ErrorClass::Terminal | ErrorClass::Config => {
                println!("no money moved: {error}");
            }
            ErrorClass::RetrySameKey => {
                println!("still running, the same key again: {error}");
                // What `confirm_checked` does beyond this is one comparison.
                client.confirm(&request, &key).await?;
            }
            ErrorClass::RetryWait | ErrorClass::QueryFirst | ErrorClass::DoneEquivalent => {
                println!("ask before anything else: {error}");
                println!("{}", client.payment_by_order(&order_id).await?.status);
            }
        },
    }
    Ok(())
}
