//! Every documented call, made for real: against the sandbox, and against a recorded shape; and,
//! with `TOSS_CONTRACT_SECRET_KEY` (and `TOSS_CONTRACT_BASE_URL` for
//! another address than Toss's own), against Toss's test environment.

mod billing;
mod books;
mod brandpay;
mod cases;
mod payments;
mod payouts;
mod recorded;
mod table;
mod world;

use std::{future::Future, pin::Pin};

use toss_client::{Endpoint, Error};

pub(crate) use cases::CASES;
pub(crate) use world::World;

/// Whether a call can be made at Toss's test environment by a program alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alone {
    Yes,
    /// The word says who is missing: a buyer in a browser, or a contract.
    Needs(&'static str),
}

type Outcome = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// One call of the API, how this crate names it, and a use of it that checks what comes back.
pub(crate) struct Case {
    pub(crate) endpoint: Endpoint,
    pub(crate) call: &'static str,
    pub(crate) example: &'static str,
    pub(crate) alone: Alone,
    pub(crate) make: fn(World) -> Outcome,
}

#[tokio::test]
async fn every_call_keeps_its_contract() {
    let mut broken = Vec::new();
    for case in CASES {
        check(case, World::sandbox().await, &mut broken).await;
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[tokio::test]
async fn every_call_reads_its_recorded_shape() {
    let mut broken = Vec::new();
    for case in CASES {
        check(case, World::recorded(), &mut broken).await;
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Says nothing of Toss unless it is told where Toss is.
#[tokio::test]
async fn every_call_keeps_its_contract_at_toss() {
    let Some(world) = World::toss() else {
        println!("skipped: TOSS_CONTRACT_SECRET_KEY is not set");
        return;
    };
    let mut broken = Vec::new();
    for case in CASES {
        match case.alone {
            Alone::Yes => check(case, world.clone(), &mut broken).await,
            Alone::Needs(whom) => println!("skipped: {} needs {whom}", case.endpoint),
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

async fn check(case: &Case, world: World, broken: &mut Vec<String>) {
    let heard = world.heard.clone();
    let outcome = (case.make)(world).await;
    if let Err(error) = outcome {
        broken.push(format!("{}: {error:?}", case.endpoint));
    } else if !heard.succeeded(case.endpoint) {
        broken.push(format!("{}: the case never made this call", case.endpoint));
    }
}
