//! The same without `async`.
//!
//! `TOSS_SECRET_KEY=test_… cargo run -p toss-client --features blocking --example blocking -- ORDER_ID`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use toss_client::{TossClientBuilder, blocking};

fn main() -> shop::Outcome {
    let arguments = shop::arguments("blocking ORDER_ID")?;
    run(shop::builder()?, arguments)
}

/// All it does; a test runs it against the sandbox.
pub(crate) fn run(settings: TossClientBuilder, [order]: [String; 1]) -> shop::Outcome {
    let client = blocking::TossClient::build(settings)?;
    println!("{}", client.payment_by_order(&order)?.status);
    // Every call of the asynchronous client:
    let promotions = client.run(|toss| async move { toss.card_promotions().await })?;
    println!(
        "{} cards with a discount",
        promotions.discount_cards().len()
    );
    Ok(())
}
