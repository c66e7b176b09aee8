//! Takes a signed webhook, and one that must be proved by its payment's secret. No network.
//!
//! `cargo run -p toss-client --features webhooks --example webhook`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;

use http::HeaderMap;
use toss_client::{
    SecurityKey,
    webhook::{Event, KeyEncoding, Received, Signer, Verifier},
};

fn main() -> Result<(), Box<dyn Error>> {
    run()
}

/// All it does; a test runs it.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let key = SecurityKey::parse(&"a".repeat(64))?;
    let verifier = Verifier::new([key.clone()]);

    let payout = br#"{"eventType":"payout.changed","entityBody":{"id":"p","status":"COMPLETED"}}"#;
    let time = "2026-01-31T09:00:00+09:00";
    let headers = Signer::new(key, KeyEncoding::Bytes).headers("whtrans_1", payout, time);
    let delivery = verifier.parse(payout, &headers)?;
    // A shop drops what it has handled, by this id.
    println!("delivery {:?}", delivery.id);
    let Received::Verified(verified) = delivery.received else {
        return Err("a good signature was not believed".into());
    };
    let Event::PayoutChanged(payout) = verified.event() else {
        return Err("not the event that was sent".into());
    };
    println!(
        "payout {:?} is {:?}",
        payout.text("id"),
        payout.text("status")
    );

    let deposit = br#"{"orderId":"order-1","status":"DONE","secret":"ps_1","transactionKey":"t"}"#;
    let delivery = verifier.parse(deposit, &HeaderMap::new())?;
    let Received::Unverified(hint) = delivery.received else {
        return Err("believed without a proof".into());
    };
    println!("someone says that order {:?} was paid", hint.order_id());
    // Who has no secret stored asks Toss instead: `hint.requery(&client)`.
    let verified = hint
        .with_secret(Some("ps_1"))
        .map_err(|hint| format!("not the secret of order {:?}", hint.order_id()))?;
    println!("Toss says so: {:?}", verified.proof());
    Ok(())
}
