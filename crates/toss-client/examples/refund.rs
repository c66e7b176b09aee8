//! Gives a part of a payment back, and finds out what happened if the answer is lost.
//!
//! `TOSS_SECRET_KEY=test_… cargo run -p toss-client --example refund -- PAYMENT_KEY AMOUNT`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use rust_decimal::Decimal;
use toss_client::{CancelRequest, CancelResolution, Error, IdempotencyKey, TossClientBuilder};

#[tokio::main]
async fn main() -> shop::Outcome {
    let arguments = shop::arguments("refund PAYMENT_KEY AMOUNT")?;
    run(shop::builder()?, arguments).await
}

/// All it does; a test runs it against the sandbox.
pub(crate) async fn run(
    settings: TossClientBuilder,
    [payment_key, amount]: [String; 2],
) -> shop::Outcome {
    let amount: Decimal = amount.parse()?;
    let client = settings.build()?;

    // Read before: it is what a lost answer is judged by, and its balance guards the cancel.
    let before = client.payment(&payment_key).await?;
    let request = CancelRequest::part_of(&before, amount, "변심");
    let key = IdempotencyKey::generate().ok_or("no randomness")?;
    match client.cancel(&payment_key, &request, &key).await {
        Ok(payment) if payment.is_wholly_refunded() => println!("all is given back"),
        Ok(payment) => println!("left: {:?}", payment.balance_amount),
        Err(Error::Unknown { reason, .. }) => {
            println!("{reason}; asking");
            match client.resolve_cancel(&before, &request).await? {
                CancelResolution::Done(payment) => println!("left: {:?}", payment.balance_amount),
                CancelResolution::NotDone(_) => println!("not done: the same key again"),
                other => println!("a person should look: {other:?}"),
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
