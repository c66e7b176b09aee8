//! Checkouts, changes and delivered messages of several payments in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::join_all;
use kernel::{OrderId, StoreError};
use payment_domain::model::{
    AttemptChange, AttemptOutcome, AttemptResult, Change, OutboxKey, Payment, PaymentFact,
    StockInstruction, Transaction, TransactionKind,
};
use payment_domain::port::{Applied, CheckoutKey, Inserted, PaymentRepository};
use payment_domain::testing::change;

use super::{claim, named, share};
use crate::{Fresh, now, order};

/// The end of attempt `number`, with all that a change can bring.
fn finish(payment: &Payment, number: u32) -> Change {
    let mut done = change(payment, PaymentFact::Approved, payment.expires_at);
    done.after.balance = payment.total;
    let id = &payment.order_id;
    done.history.note = Some(format!("{id} 'paid'"));
    done.attempt = Some(AttemptChange::Finish {
        number,
        result: AttemptResult {
            outcome: AttemptOutcome::Approved,
            code: None,
            message: Some(format!("승인 {id}")),
            trace_id: None,
        },
    });
    done.transaction = Some(Transaction {
        kind: TransactionKind::Approval,
        amount_won: payment.total.won(),
        transaction_key: Some(id.to_string()),
        reason: None,
        at: payment.expires_at,
    });
    done.stock = Some(StockInstruction::Sell);
    done
}

/// A call of the repository, and a name for it.
#[derive(Clone)]
enum Write {
    Insert(Box<Payment>, Option<CheckoutKey>),
    Apply(Box<Change>),
    Delivered(OutboxKey),
}

async fn write(payments: &dyn PaymentRepository, write: &Write) -> String {
    let told = match write {
        Write::Insert(payment, key) => {
            let told = payments.insert(payment, key.as_ref()).await;
            told.map(|told| format!("{told:?}"))
        }
        Write::Apply(change) => payments.apply(change).await.map(|told| format!("{told:?}")),
        Write::Delivered(key) => payments
            .message_delivered(key)
            .await
            .map(|()| String::new()),
    };
    match told {
        Ok(told) => told,
        Err(StoreError::Corrupt { action, .. }) => format!("corrupt: {action}"),
        Err(error) => panic!("{error}"),
    }
}

fn key(text: &str) -> CheckoutKey {
    CheckoutKey {
        user_id: kernel::UserId::new(1).unwrap(),
        key: text.parse().unwrap(),
        fingerprint: "a".repeat(64),
    }
}

/// Everything that is stored of an order.
async fn all_of(payments: &dyn PaymentRepository, id: &OrderId) -> String {
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        payments.find(id).await.unwrap(),
        payments.history(id).await.unwrap(),
        payments.attempts(id).await.unwrap(),
        payments.transactions(id).await.unwrap(),
        payments.messages_of(id).await.unwrap(),
    )
}

/// Orders of every kind of fate, three of each.
fn fates() -> Vec<Vec<Write>> {
    let mut fates = Vec::new();
    for n in 0..3 {
        let name = |what: &str| named(&format!("{what}-{n}"));
        let insert = |payment: &Payment| Write::Insert(Box::new(payment.clone()), None);
        let keyed = |payment, text: String| Write::Insert(Box::new(payment), Some(key(&text)));
        let apply = |change| Write::Apply(Box::new(change));
        let claimed = |payment: &Payment| claim(payment).after;
        let paid = name("paid");
        let delivered = OutboxKey {
            order_id: paid.order_id.clone(),
            fence: claimed(&paid).fence.next(),
        };
        fates.push(vec![
            insert(&paid),
            apply(claim(&paid)),
            apply(finish(&claimed(&paid), 1)),
            Write::Delivered(delivered),
        ]);
        let stale = name("stale");
        fates.push(vec![
            insert(&stale),
            apply(finish(&claimed(&stale), 1)),
            apply(claim(&stale)),
            apply(claim(&stale)),
        ]);
        let unbegun = name("unbegun");
        fates.push(vec![
            insert(&unbegun),
            apply(claim(&unbegun)),
            apply(finish(&claimed(&unbegun), 7)),
            apply(finish(&claimed(&unbegun), 1)),
        ]);
        let outrun = name("outrun");
        let mut late = finish(&claimed(&outrun), 1);
        late.expected_fence = outrun.fence;
        fates.push(vec![
            insert(&outrun),
            apply(claim(&outrun)),
            apply(late),
            apply(finish(&claimed(&outrun), 1)),
        ]);
        let parked = name("parked");
        let at = parked.expires_at;
        let quarantine = change(&claimed(&parked), PaymentFact::Quarantined, at);
        let resolved = change(&quarantine.after, PaymentFact::ResolvedAsFailed, at);
        fates.push(vec![
            insert(&parked),
            apply(claim(&parked)),
            apply(quarantine),
            apply(resolved),
        ]);
        fates.push(vec![
            keyed(name("keyed"), format!("key-{n}")),
            keyed(name("late"), format!("key-{n}")),
            keyed(name("keyed"), format!("free-key-{n}")),
            keyed(name("other"), format!("free-key-{n}")),
        ]);
        fates.push(vec![
            apply(claim(&name("nobody"))),
            insert(&name("nobody")),
            insert(&name("nobody")),
            apply(claim(&name("nobody"))),
        ]);
    }
    fates
}

#[tokio::test]
async fn changes_that_share_a_transaction_succeed_and_fail_each_by_itself() {
    for (fresh, mirror) in Fresh::all().await.into_iter().zip(Fresh::all().await) {
        let (grouped, plain) = (fresh.database.payments(), mirror.plain().await.payments());
        let fates = fates();
        let mut told_of_each_kind = BTreeSet::new();
        for step in 0..4 {
            let calls = fates
                .iter()
                .map(|fate| write(&*grouped, &fate[step]).boxed());
            let told = share(&fresh, calls.collect()).await;
            for (fate, told) in fates.iter().zip(told) {
                assert_eq!(told, write(&*plain, &fate[step]).await, "step {step}");
                told_of_each_kind.insert(told.split(' ').next().unwrap().to_owned());
            }
            for kind in [
                "paid", "stale", "unbegun", "outrun", "parked", "keyed", "late", "other", "nobody",
            ] {
                for n in 0..3 {
                    let id = order(&format!("{kind}-{n}"));
                    let (have, want) = (all_of(&*grouped, &id).await, all_of(&*plain, &id).await);
                    assert_eq!(have, want, "step {step}");
                }
            }
            let at = now();
            let (have, want) = (grouped.vitals(at).await, plain.vitals(at).await);
            assert_eq!(have.unwrap(), want.unwrap(), "step {step}");
        }
        let told: Vec<_> = told_of_each_kind.into_iter().collect();
        assert_eq!(told.join("|"), "|KeyTaken|Stale|Stored|Yes|corrupt:");
    }
}

/// The same through transactions that a row in the way breaks: all go on alone.
#[tokio::test]
async fn a_row_that_nobody_could_foresee_costs_its_own_order_alone() {
    for fresh in Fresh::all().await {
        let payments = fresh.database.payments();
        let orders: Vec<_> = (0..6).map(|n| named(&format!("order-{n}"))).collect();
        for payment in &orders {
            payments.insert(payment, None).await.unwrap();
        }
        let ghost = "INSERT INTO payment_history (order_id, fence, to_status, fact, changed_at) \
                     SELECT order_id, fence + 1, 'READY', 'CHECKED_OUT', 0 FROM payment_event \
                     WHERE order_id = 'order-3'";
        storage::testing::execute(&fresh.database, ghost)
            .await
            .unwrap();
        let calls = orders.iter().map(|payment| {
            let payments = Arc::clone(&payments);
            async move { payments.apply(&claim(payment)).await }.boxed()
        });
        let told = share(&fresh, calls.collect()).await;
        for (n, told) in told.into_iter().enumerate() {
            match told {
                Ok(Applied::Yes) => assert_ne!(n, 3),
                Err(StoreError::Corrupt { .. }) => assert_eq!(n, 3),
                other => panic!("order {n}: {other:?}"),
            }
        }
        let untouched = payments.find(&orders[3].order_id).await.unwrap();
        assert_eq!(untouched.as_ref(), Some(&orders[3]));
    }
}

#[tokio::test]
async fn a_checkout_key_makes_one_order_for_several_processes_at_once() {
    for fresh in Fresh::all().await {
        let databases = [fresh.database.clone(), fresh.second().await];
        for round in 0..5 {
            let asked = |n: usize| {
                (
                    named(&format!("round-{round}-order-{n}")),
                    key(&format!("key-{}", round * 100 + n / 4)),
                )
            };
            let calls = (0..16).map(|n| {
                let payments = databases[n % 2].payments();
                async move {
                    let (payment, key) = asked(n);
                    (
                        n,
                        payment.order_id.clone(),
                        payments.insert(&payment, Some(&key)).await.unwrap(),
                    )
                }
            });
            let told = join_all(calls).await;
            for of_one_key in told.chunks(4) {
                let stored = of_one_key
                    .iter()
                    .filter(|(.., told)| *told == Inserted::Stored);
                let [(_, winner, _)] = stored.collect::<Vec<_>>()[..] else {
                    panic!("{of_one_key:?}");
                };
                for (_, id, told) in of_one_key {
                    let is_theirs =
                        matches!(told, Inserted::KeyTaken { order_id, .. } if order_id == winner);
                    assert!(id == winner || is_theirs, "{of_one_key:?}");
                }
            }
        }
    }
}
