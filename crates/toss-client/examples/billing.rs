//! Charges without a window: by billing key, from the window or from a card's own numbers, and by
//! the numbers alone.
//!
//! `TOSS_SECRET_KEY=test_sk_… cargo run -p toss-client --example billing -- ORDER_ID AUTH_KEY`
//!
//! `AUTH_KEY` is what the billing window brought, or `card` to begin with the card's numbers.
//!
//! The card is the one that Toss's test environment issues and approves (measured by others).
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use rust_decimal::Decimal;
use toss_client::{
    BillingKeyRequest, BillingRequest, CardBillingKeyRequest, CardNumbers, Error, IdempotencyKey,
    KeyInRequest, TossClientBuilder,
};

#[tokio::main]
async fn main() -> shop::Outcome {
    let arguments = shop::arguments("billing ORDER_ID AUTH_KEY")?;
    run(shop::builder()?, arguments).await
}

/// All it does; a test runs it against the sandbox.
pub(crate) async fn run(
    settings: TossClientBuilder,
    [order, auth_key]: [String; 2],
) -> shop::Outcome {
    let client = settings.build()?;
    let key = |use_: &str| IdempotencyKey::parse(format!("{order}:{use_}"));
    let card = CardNumbers::new("9410001234567890", "30", "12", "900101").password("12");

    let issued = if auth_key == "card" {
        let request = CardBillingKeyRequest::new("customer-1", &card);
        client
            .issue_billing_key_by_card(&request, &key("issue")?)
            .await?
    } else {
        let request = BillingKeyRequest::new(auth_key, "customer-1");
        client.issue_billing_key(&request, &key("issue")?).await?
    };
    // A shop stores it now: it cannot be looked up again.
    let billing_key = issued.billing_key();

    let charge = BillingRequest::new("customer-1", &order, "구독", Decimal::from(1_000));
    let charged = client
        .approve_billing(billing_key.expose(), &charge, &key("charge")?)
        .await;
    match charged {
        Ok(payment) => println!("{} {}", payment.status, payment.total_amount),
        Err(Error::Unknown { .. }) => println!("{:?}", client.resolve_billing(&charge).await?),
        Err(error) => return Err(error.into()),
    }
    client.delete_billing_key(billing_key.expose()).await?;

    let once = KeyInRequest::new(format!("{order}-once"), "책", Decimal::from(1_000), &card);
    match client.key_in(&once, &key("once")?).await {
        Ok(payment) => println!("{} {}", payment.status, payment.total_amount),
        Err(error @ Error::Rejected { .. }) => println!("key-in needs a contract: {error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
