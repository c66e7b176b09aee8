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
    let key = SecurityKey::parse(&"a".repeat(64))?;
    let verifier = Verifier::new([key.clone()]);

    let payout = br#"{"eventType":"payout.changed","entityBody":{"id":"p","status":"COMPLETED"}}"#;
    let time = "2026-01-31T09:00:00+09:00";
    let headers = Signer::new(key, KeyEncoding::Bytes).headers("whtrans_1", payout, time);
    let delivery = verifier.parse(payout, &headers)?;
    // A shop drops what it has handled, by this id.
    println!("delivery {:?}", delivery.id);
    if let Received::Verified(verified) = delivery.received
        && let Event::PayoutChanged(payout) = verified.event()
    {
        println!(
            "payout {:?} is {:?}",
            payout.text("id"),
            payout.text("status")
        );
    }

    let deposit = br#"{"orderId":"order-1","status":"DONE","secret":"ps_1","transactionKey":"t"}"#;
    let delivery = verifier.parse(deposit, &HeaderMap::new())?;
    if let Received::Unverified(hint) = delivery.received {
        println!("someone says that order {:?} was paid", hint.order_id());
        match hint.with_secret(Some("ps_1")) {
            Ok(verified) => println!("Toss says so: {:?}", verified.proof()),
            Err(hint) => println!("ask Toss: hint.requery(&client), {:?}", hint.order_id()),
        }
    }
    Ok(())
}
