//! Every example, run in this process against a sandbox: what the README shows must work.
//!
//! Cargo compiles the examples as programs; here the same files are modules, so that no second
//! program is linked and started for each.
#![expect(clippy::duplicate_mod, reason = "each example has its own `shop`")]

#[path = "../../examples/billing.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod billing;
#[path = "../../examples/blocking.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod blocking;
#[path = "../../examples/books.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod books;
#[path = "../../examples/brandpay.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod brandpay;
#[path = "../../examples/confirm.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod confirm;
#[path = "../../examples/mocked.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod mocked;
#[path = "../../examples/payouts.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod payouts;
#[path = "../../examples/refund.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod refund;
#[path = "../../examples/reliable.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod reliable;
#[path = "../../examples/virtual_account.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod virtual_account;
#[path = "../../examples/webhook.rs"]
#[expect(dead_code, reason = "`main` is for cargo")]
mod webhook;

use std::{collections::BTreeSet, fs, path::Path};

use chrono::TimeDelta;
use rust_decimal::Decimal;
use toss_client::{PaymentStatus, SecurityKey};

use crate::contract::{CASES, World};

/// Fails the test with what the example says.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A payment of 10,000 won that the buyer has authenticated: its key, and its order.
fn authenticated(world: &World) -> (String, String) {
    let order = world.order();
    (world.authenticated(&order, 10_000), order)
}

/// One that is approved.
async fn paid(world: &World) -> Result<(String, String), Box<dyn std::error::Error>> {
    let (payment_key, order) = authenticated(world);
    let arguments = [payment_key.clone(), order.clone(), "10000".to_owned()];
    confirm::run(world.settings(), arguments).await?;
    Ok((payment_key, order))
}

/// Every call that the coverage table gives to this example was made, and succeeded.
fn made_its_calls(world: &World, example: &str) {
    let missing: Vec<_> = CASES
        .iter()
        .filter(|case| case.example == example && !world.heard.succeeded(case.endpoint))
        .map(|case| case.call)
        .collect();
    assert!(missing.is_empty(), "{example} never made {missing:?}");
}

#[test]
fn every_example_is_run_by_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let there: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let tests = include_str!("examples.rs");
    for example in there {
        assert!(tests.contains(&format!("{example}::run(")), "{example}");
    }
    for case in CASES {
        let check = format!("made_its_calls(&world, \"{}\")", case.example);
        assert!(tests.contains(&check), "{check}");
    }
}

#[tokio::test]
async fn confirm_approves_the_payment() -> Outcome {
    let world = World::sandbox().await;
    let (payment_key, _) = paid(&world).await?;
    let payment = world.client.payment(&payment_key).await?;
    assert_eq!(payment.status, PaymentStatus::Done);
    made_its_calls(&world, "confirm");
    Ok(())
}

/// What else would the test above prove?
#[tokio::test]
async fn confirm_fails_if_the_payment_is_not_approved() {
    let world = World::sandbox().await;
    let arguments = ["unknown".to_owned(), world.order(), "10000".to_owned()];
    let error = confirm::run(world.settings(), arguments).await.unwrap_err();
    assert!(error.to_string().contains("NOT_FOUND_PAYMENT"), "{error}");
}

#[tokio::test]
async fn refund_gives_a_part_back() -> Outcome {
    let world = World::sandbox().await;
    let (payment_key, _) = paid(&world).await?;
    refund::run(world.settings(), [payment_key.clone(), "4000".to_owned()]).await?;
    let payment = world.client.payment(&payment_key).await?;
    assert_eq!(payment.balance_amount, Some(Decimal::from(6_000)));
    made_its_calls(&world, "refund");
    Ok(())
}

#[tokio::test]
async fn billing_charges_a_card_from_the_window_and_one_by_its_numbers() -> Outcome {
    let world = World::sandbox().await;
    let auth_key = world.registered_card("customer-1").await;
    billing::run(world.settings(), [world.order(), auth_key]).await?;
    billing::run(world.settings(), [world.order(), "card".to_owned()]).await?;
    made_its_calls(&world, "billing");
    Ok(())
}

#[tokio::test]
async fn virtual_account_issues_one() -> Outcome {
    let world = World::sandbox().await;
    let order = world.order();
    virtual_account::run(world.settings(), [order.clone(), "10000".to_owned()]).await?;
    let payment = world.client.payment_by_order(&order).await?;
    assert_eq!(payment.status, PaymentStatus::WaitingForDeposit);
    made_its_calls(&world, "virtual_account");
    Ok(())
}

#[tokio::test]
async fn books_reads_a_day_with_a_sale() -> Outcome {
    let world = World::sandbox().await;
    let (_, order) = paid(&world).await?;
    let day = world.day().to_string();
    // A sale is settled from the next day on.
    world.wait_days(1);
    books::run(world.settings(), [day, order]).await?;
    made_its_calls(&world, "books");
    Ok(())
}

#[tokio::test]
async fn payouts_registers_pays_out_and_takes_back() -> Outcome {
    let world = World::sandbox().await;
    paid(&world).await?;
    // A sale takes some days to become the merchant's.
    world.wait_days(7);
    let tomorrow = (world.day() + TimeDelta::days(1)).to_string();
    let security_key = SecurityKey::parse(toss_sandbox::DEFAULT_SECURITY_KEY)?;
    let arguments = [world.order(), world.order(), tomorrow];
    payouts::run(world.settings(), security_key, arguments).await?;
    made_its_calls(&world, "payouts");
    Ok(())
}

#[tokio::test]
async fn brandpay_takes_a_customer_in_and_lets_them_go() -> Outcome {
    let world = World::sandbox().await;
    let order = world.order();
    let payment_key = world.authenticated(&format!("{order}-window"), 1_000);
    let arguments = ["customer-1".to_owned(), order, payment_key];
    brandpay::run(world.settings(), arguments).await?;
    made_its_calls(&world, "brandpay");
    Ok(())
}

#[tokio::test]
async fn reliable_reads_a_payment() -> Outcome {
    let world = World::sandbox().await;
    let (payment_key, _) = paid(&world).await?;
    reliable::run(world.settings(), [payment_key]).await
}

#[tokio::test]
async fn blocking_needs_no_runtime_of_its_caller() -> Outcome {
    let world = World::sandbox().await;
    let (_, order) = paid(&world).await?;
    let settings = world.settings();
    let run = move || blocking::run(settings, [order]).map_err(|error| error.to_string());
    Ok(tokio::task::spawn_blocking(run).await??)
}

#[tokio::test]
async fn mocked_charges_once_though_the_answer_is_lost() -> Outcome {
    mocked::run().await
}

#[test]
fn webhook_believes_what_is_proved() -> Outcome {
    webhook::run()
}
