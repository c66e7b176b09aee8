//! Calls that share a transaction are told what they would be told alone, and go through the same
//! accidents.

mod payments;
mod statements;
mod stock;

use std::sync::Arc;

use diesel::connection::SimpleConnection as _;
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt as _, poll};
use kernel::{Fence, ProductId};
use payment_domain::model::{
    Attempt, AttemptChange, AttemptPurpose, Change, OutboxKey, Payment, PaymentFact,
};
use payment_domain::testing::{change, payment_key};
use product_domain::model::Hold;

use crate::{Fresh, line, now, order};

/// As many as may be under way alone on either database.
const PILOTS: usize = 4;

/// All of them at once, and so that all but the first few share transactions: each has taken its
/// place before any has begun.
async fn at_once<T>(fresh: &Fresh, mut calls: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    // A file might answer before anybody else has come.
    let mut stranger = fresh.folder.is_some().then(|| fresh.stranger());
    if let Some(stranger) = &mut stranger {
        stranger.batch_execute("BEGIN IMMEDIATE").unwrap();
    }
    for call in &mut calls {
        assert!(poll!(call).is_pending());
    }
    if let Some(stranger) = &mut stranger {
        stranger.batch_execute("COMMIT").unwrap();
    }
    join_all(calls).await
}

/// The same with calls before them that change nothing. All of `calls` share one transaction.
async fn share<T>(fresh: &Fresh, calls: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let database = &fresh.database;
    let (payments, products) = (database.payments(), database.products());
    let mut all: Vec<BoxFuture<'_, Option<T>>> = Vec::new();
    for _ in 0..PILOTS {
        let (payments, products) = (Arc::clone(&payments), Arc::clone(&products));
        let pilot = async move {
            let nothing = OutboxKey {
                order_id: order("nobody-s-order"),
                fence: Fence::FIRST,
            };
            payments.message_delivered(&nothing).await.unwrap();
            None
        };
        all.push(pilot.boxed());
        let pilot = async move {
            let nobody = order("nobody-s-order");
            products.sell(&nobody, now()).await.unwrap();
            None
        };
        all.push(pilot.boxed());
    }
    let (before, writes) = (database.shared_writes(), calls.len() as u64);
    all.extend(calls.into_iter().map(|call| call.map(Some).boxed()));
    let told = at_once(fresh, all).await.into_iter().flatten().collect();
    let shared = database.shared_writes().writes - before.writes;
    assert!(
        shared >= writes,
        "only {shared} of {writes} shared a transaction"
    );
    told
}

fn named(id: &str) -> Payment {
    Payment {
        order_id: order(id),
        ..payment_domain::testing::payment()
    }
}

fn claim(payment: &Payment) -> Change {
    let mut claim = change(payment, PaymentFact::Claimed, payment.expires_at);
    claim.after.due_at = Some(payment.expires_at);
    claim.after.payment_key = Some(payment_key("tgen_key"));
    claim.attempt = Some(AttemptChange::Start(Attempt {
        number: 1,
        purpose: AttemptPurpose::Confirm,
        payment_key: payment_key("tgen_key"),
        amount: payment.total,
        started_at: payment.created_at,
        result: None,
        finished_at: None,
    }));
    claim
}

/// A hold of one piece for the `n`th order of a round.
fn one_piece(round: usize, n: usize, product_id: ProductId) -> Hold {
    Hold {
        order_id: order(&format!("round-{round}-order-{n}")),
        fence: Fence::from_stored(2),
        lines: vec![line(product_id, 1)],
    }
}
