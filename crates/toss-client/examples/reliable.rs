//! A client that repeats what is safe to repeat, keeps to a rate, and counts.
//!
//! `TOSS_SECRET_KEY=test_… cargo run -p toss-client --example reliable -- PAYMENT_KEY`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use std::time::Duration;

use toss_client::{Attempt, Observer, RateLimit, RetryPolicy, TossClientBuilder};

#[derive(Debug)]
struct Printed;

impl Observer for Printed {
    fn attempt(&self, attempt: &Attempt) {
        println!(
            "{} attempt {} took {:?}: {:?}",
            attempt.endpoint, attempt.number, attempt.took, attempt.status
        );
    }
}

#[tokio::main]
async fn main() -> shop::Outcome {
    let arguments = shop::arguments("reliable PAYMENT_KEY")?;
    run(shop::builder()?, arguments).await
}

/// All it does; a test runs it against the sandbox.
pub(crate) async fn run(settings: TossClientBuilder, [payment_key]: [String; 1]) -> shop::Outcome {
    let client = settings
        .attempt_timeout(Duration::from_secs(60))
        .retry(RetryPolicy::standard().deadline(Duration::from_secs(90)))
        .rate_limit(RateLimit::for_test_keys())
        .observer(Printed)
        .build()?;
    println!("{}", client.payment(&payment_key).await?.status);
    // For one call: no repetition, and less patience.
    let hasty = client
        .with_retry(RetryPolicy::never())
        .with_attempt_timeout(Duration::from_secs(5));
    println!("{}", hasty.payment(&payment_key).await?.status);
    // A call that this crate does not know.
    println!("{}", client.fetch("/v1/promotions").await?.http_status);
    Ok(())
}
