//! Registers a seller and pays out, with encrypted bodies.
//!
//! `TOSS_SECRET_KEY=test_sk_… TOSS_SECURITY_KEY=… cargo run -p toss-client --features payouts --example payouts -- SELLER_REF PAYOUT_REF DAY`
//!
//! `DAY` is the Korean day of the payout, tomorrow or later, for instance 2026-01-31.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use std::env;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use toss_client::{
    BusinessType, IdempotencyKey, PayoutRequest, SecurityKey, SellerRequest, TossClientBuilder,
};

#[tokio::main]
async fn main() -> shop::Outcome {
    let arguments = shop::arguments("payouts SELLER_REF PAYOUT_REF DAY")?;
    let security_key = SecurityKey::parse(&env::var("TOSS_SECURITY_KEY")?)?;
    run(shop::builder()?, security_key, arguments).await
}

/// All it does; a test runs it against the sandbox.
pub(crate) async fn run(
    settings: TossClientBuilder,
    security_key: SecurityKey,
    [seller_ref, payout_ref, day]: [String; 3],
) -> shop::Outcome {
    let client = settings.build()?;
    let key = |use_: &str| IdempotencyKey::parse(format!("{payout_ref}:{use_}"));

    let request = SellerRequest::new(
        &seller_ref,
        BusinessType::Individual,
        "092",
        "1000123",
        "김토스",
    )
    .individual("김토스", "seller@example.com", "01012345678");
    let seller = client
        .register_seller(&request, &security_key, &key("seller")?)
        .await?;
    println!("{} is {:?}", seller.id(), seller.status());
    client
        .update_seller(seller.id(), &request, &security_key, &key("seller-2")?)
        .await?;
    println!("{:?}", client.seller(seller.id()).await?.status());
    println!("{} sellers", client.sellers(None, None).await?.items.len());

    println!("{:?} can be paid out", client.balances().await?.available());
    // A scheduled one can still be cancelled; an express one is on its way at once.
    let day: NaiveDate = day.parse()?;
    let amount = Decimal::from(5_000);
    let payout = PayoutRequest::scheduled(&payout_ref, seller.id(), amount, day);
    let asked = client
        .request_payouts(&[payout], &security_key, &key("payout")?)
        .await?;
    for payout in asked.iter() {
        println!("{:?}", client.payout(payout.id()).await?.status());
        client.cancel_payout(payout.id(), &key("cancel")?).await?;
    }
    println!("{} payouts", client.payouts(None, None).await?.items.len());
    client.delete_seller(seller.id()).await?;
    Ok(())
}
