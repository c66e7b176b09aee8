//! Approves one payment and says what happened to the money.
//!
//! `TOSS_SECRET_KEY=test_gsk_… cargo run -p toss-client --example confirm -- PAYMENT_KEY ORDER_ID AMOUNT`
//!
//! `TOSS_BASE_URL` points it at a sandbox, for instance `http://127.0.0.1:8090`.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error as StdError};

use rust_decimal::Decimal;
use toss_client::{ConfirmRequest, Error, ErrorClass, IdempotencyKey, SecretKey, TossClient};

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let mut arguments = env::args().skip(1);
    let (Some(payment_key), Some(order_id), Some(amount)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: confirm PAYMENT_KEY ORDER_ID AMOUNT".into());
    };
    let amount: Decimal = amount.parse()?;

    let mut builder = TossClient::builder(SecretKey::parse(&env::var("TOSS_SECRET_KEY")?)?);
    if let Ok(url) = env::var("TOSS_BASE_URL") {
        builder = builder.base_url(&url)?;
    }
    let client = builder.build()?;

    // A shop stores this key with the attempt before it sends anything.
    let key = IdempotencyKey::parse(format!("{order_id}:1"))?;
    let request = ConfirmRequest::new(payment_key, order_id.as_str(), amount);
    match client.confirm(&request, &key).await {
        Ok(payment) if payment.order_id == order_id && payment.total_amount == amount => {
            println!(
                "{}, receipt at {}",
                payment.status,
                payment.receipt_url().unwrap_or("-")
            );
        }
        Ok(payment) => {
            println!(
                "approved {} for {}: cancel it",
                payment.total_amount, payment.order_id
            );
        }
        Err(Error::Unknown { reason, .. }) => {
            println!("{reason}; asking");
            let found = client.payment_by_order(&order_id).await?;
            println!("{}", found.status);
        }
        Err(error) => match error.class() {
            ErrorClass::UserFixable | ErrorClass::Terminal | ErrorClass::Config => {
                println!("no money moved: {error}");
            }
            ErrorClass::RetrySameKey => println!("send it again with the same key: {error}"),
            ErrorClass::RetryWait | ErrorClass::QueryFirst | ErrorClass::DoneEquivalent => {
                println!("ask before anything else: {error}");
            }
        },
    }
    Ok(())
}
