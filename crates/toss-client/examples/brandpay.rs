//! A customer of brandpay: terms, token, methods, payment, farewell.
//!
//! `TOSS_SECRET_KEY=test_sk_… cargo run -p toss-client --features brandpay --example brandpay -- CUSTOMER ORDER_ID PAYMENT_KEY`
//!
//! `PAYMENT_KEY` is what the brandpay window brought for 1,000 won and the order `ORDER_ID-window`, or
//! `none`.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use rust_decimal::Decimal;
use toss_client::{
    BrandpayPaymentRequest, BrandpayTerm, ConfirmRequest, IdempotencyKey, TokenRequest,
    TossClientBuilder,
};

#[tokio::main]
async fn main() -> shop::Outcome {
    let arguments = shop::arguments("brandpay CUSTOMER ORDER_ID PAYMENT_KEY")?;
    run(shop::builder()?, arguments).await
}

/// All it does; a test runs it against the sandbox.
pub(crate) async fn run(
    settings: TossClientBuilder,
    [customer, order, payment_key]: [String; 3],
) -> shop::Outcome {
    let client = settings.build()?;
    let key = |use_: &str| IdempotencyKey::parse(format!("{order}:{use_}"));

    let scopes = ["REGISTER", "CARD"];
    let terms = client.brandpay_terms(&customer, &scopes).await?;
    let ids: Vec<_> = terms.iter().filter_map(BrandpayTerm::id).collect();
    let agreed = client
        .agree_brandpay_terms(&customer, &scopes, &ids, &key("agree")?)
        .await?;
    let code = agreed.text("code").ok_or("no code")?;
    let request = TokenRequest::with_code(&customer, code);
    let token = client
        .issue_brandpay_token(&request, &key("token")?)
        .await?;

    let own = client.brandpay_methods(&token).await?;
    let asked = client.brandpay_methods_of(&customer).await?;
    println!(
        "{} cards, {} accounts",
        own.cards().len(),
        asked.accounts().len()
    );
    let amount = Decimal::from(1_000);
    if let Some(method) = own.cards().first().and_then(|card| card.text("methodKey")) {
        let request = BrandpayPaymentRequest::new(&customer, method, &order, "책", amount);
        let paid = client.pay_brandpay(&request, &key("pay")?).await?;
        println!("{}", paid.status);
        client
            .remove_brandpay_card(method, &token, &key("card")?)
            .await?;
    }
    if let Some(method) = own.accounts().first().and_then(|row| row.text("methodKey")) {
        client
            .remove_brandpay_account(method, &token, &key("account")?)
            .await?;
    }
    if payment_key != "none" {
        let request = ConfirmRequest::new(payment_key, format!("{order}-window"), amount);
        let confirmed = client
            .confirm_brandpay(&customer, &request, &key("confirm")?)
            .await?;
        println!("{}", confirmed.status);
    }

    client.brandpay_card_promotions().await?;
    client.brandpay_bank_promotions().await?;
    client
        .remove_brandpay_customer(&token, &key("farewell")?)
        .await?;
    Ok(())
}
