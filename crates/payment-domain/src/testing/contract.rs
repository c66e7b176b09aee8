//! The contract of [`PaymentRepository`]: every adapter passes [`all`] on an empty store.

mod cancels;
pub mod inbox;
pub mod reconcile;
pub mod records;
mod time;

use std::sync::Arc;
use std::time::Duration;

use kernel::{Fence, IdempotencyKey, OrderId, StoreError, UserId};

use super::fixtures::{buyer, gateway_payment, noon, order_id, payment, payment_key, quoted};
use crate::model::{
    Attempt, AttemptChange, AttemptOutcome, AttemptPurpose, AttemptResult, Change, Failure,
    FailureKind, GatewaySecret, OutboxKey, Payment, PaymentFact, PaymentStatus, StockInstruction,
    Transaction, TransactionKind, VirtualAccount,
};
use crate::port::{Applied, CheckoutKey, Inserted, PaymentRepository};

type Repository = Arc<dyn PaymentRepository>;

const SECOND: Duration = Duration::from_secs(1);

/// Runs the whole contract against one store that has no payments yet.
///
/// # Panics
/// When the adapter breaks the contract.
pub async fn all(repository: Repository) {
    a_payment_reads_back_as_it_was_stored(&repository).await;
    an_order_id_is_stored_once(&repository).await;
    a_checkout_key_makes_one_order(&repository).await;
    a_checkout_key_makes_one_order_for_many_at_once(&repository).await;
    a_change_stores_everything_it_brings(&repository).await;
    a_stale_change_has_no_effect(&repository).await;
    a_change_that_cannot_be_stored_whole_has_no_effect(&repository).await;
    a_refused_insert_leaves_its_checkout_key_free(&repository).await;
    cancels::a_cancel_is_stored_with_its_change_and_then_replaced(&repository).await;
    one_of_many_claims_wins(&repository).await;
    time::due_payments_come_earliest_first(&repository).await;
    messages_live_until_they_are_delivered(&repository).await;
    time::undecided_payments_that_pause_for_long_are_hastened(&repository).await;
    time::what_is_watched_is_counted(&repository).await;
}

fn named(id: &str) -> Payment {
    let lines = vec![quoted(2, 30_000, 2), quoted(1, 50_000, 3)];
    Payment::check_out(order_id(id), buyer(), lines, noon(), 1800 * SECOND).expect("an order")
}

async fn store(repository: &Repository, id: &str) -> Payment {
    let payment = named(id);
    assert_eq!(
        repository.insert(&payment, None).await.expect("insert"),
        Inserted::Stored
    );
    payment
}

async fn read(repository: &Repository, id: &OrderId) -> Payment {
    repository
        .find(id)
        .await
        .expect("find")
        .expect("the payment")
}

fn attempt(number: u32) -> Attempt {
    Attempt {
        number,
        purpose: AttemptPurpose::Confirm,
        payment_key: payment_key("tgen_key"),
        amount: payment().total,
        started_at: noon() + SECOND,
        result: None,
        finished_at: None,
    }
}

/// A claim as the confirm use case makes it.
fn claim(payment: &Payment) -> Change {
    let mut change = payment
        .change(PaymentFact::Claimed, noon() + SECOND)
        .expect("a claim");
    change.after.payment_key = Some(payment_key("tgen_key"));
    change.after.attempts = 1;
    change.after.due_at = Some(noon() + 90 * SECOND);
    change.attempt = Some(AttemptChange::Start(attempt(1)));
    change
}

async fn a_payment_reads_back_as_it_was_stored(repository: &Repository) {
    let stored = store(repository, "contract-read-back").await;
    assert_eq!(read(repository, &stored.order_id).await, stored);
    assert_eq!(
        repository.history(&stored.order_id).await.expect("history"),
        vec![stored.checked_out_entry()]
    );
    assert_eq!(
        repository
            .find(&order_id("contract-nobody"))
            .await
            .expect("find"),
        None
    );
    assert!(
        repository
            .history(&order_id("contract-nobody"))
            .await
            .expect("history")
            .is_empty()
    );
}

async fn an_order_id_is_stored_once(repository: &Repository) {
    let stored = store(repository, "contract-once").await;
    let again = repository.insert(&stored, None).await;
    assert!(
        matches!(again, Err(StoreError::Corrupt { .. })),
        "{again:?}"
    );
    // Order ids differ by case at Toss, so they must here.
    store(repository, "Contract-Once").await;
}

fn key(text: &str, user: i64, fingerprint: &str) -> CheckoutKey {
    CheckoutKey {
        user_id: UserId::new(user).expect("a user id"),
        key: text.parse::<IdempotencyKey>().expect("a key"),
        fingerprint: fingerprint.repeat(64),
    }
}

async fn a_checkout_key_makes_one_order(repository: &Repository) {
    let (first, second) = (named("contract-key-1"), named("contract-key-2"));
    let asked = key("checkout-key", 1, "a");
    assert_eq!(
        repository
            .insert(&first, Some(&asked))
            .await
            .expect("insert"),
        Inserted::Stored
    );
    let taken = repository
        .insert(&second, Some(&key("checkout-key", 1, "b")))
        .await
        .expect("insert");
    let order_id = first.order_id.clone();
    assert_eq!(
        taken,
        Inserted::KeyTaken {
            order_id,
            fingerprint: "a".repeat(64)
        }
    );
    assert_eq!(repository.find(&second.order_id).await.expect("find"), None);
    // Keys differ by case and by user.
    for (id, other) in [
        ("contract-key-3", key("Checkout-Key", 1, "c")),
        ("contract-key-4", key("checkout-key", 2, "d")),
    ] {
        assert_eq!(
            repository
                .insert(&named(id), Some(&other))
                .await
                .expect("insert"),
            Inserted::Stored
        );
    }
    let found = repository
        .find_checkout(asked.user_id, &asked.key)
        .await
        .expect("find");
    assert_eq!(found, Some((first.order_id, "a".repeat(64))));
    let unused = key("unused-key", 1, "a");
    assert_eq!(
        repository
            .find_checkout(unused.user_id, &unused.key)
            .await
            .expect("find"),
        None
    );
}

async fn a_checkout_key_makes_one_order_for_many_at_once(repository: &Repository) {
    let inserts = (0..8).map(|n| {
        let repository = Arc::clone(repository);
        async move {
            let payment = named(&format!("contract-key-race-{n}"));
            let asked = key("raced-key", 1, "a");
            (
                payment.order_id.clone(),
                repository
                    .insert(&payment, Some(&asked))
                    .await
                    .expect("insert"),
            )
        }
    });
    let outcomes = futures::future::join_all(inserts).await;
    let stored: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == Inserted::Stored)
        .collect();
    let [(winner, _)] = stored[..] else {
        panic!("one insert wins, not {stored:?}")
    };
    for (_, outcome) in outcomes.iter().filter(|(id, _)| id != winner) {
        assert!(matches!(outcome, Inserted::KeyTaken { order_id, .. } if order_id == winner));
    }
}

async fn a_change_stores_everything_it_brings(repository: &Repository) {
    let ready = store(repository, "contract-change").await;
    let claimed = claim(&ready);
    assert_eq!(
        repository.apply(&claimed).await.expect("apply"),
        Applied::Yes
    );
    assert_eq!(read(repository, &ready.order_id).await, claimed.after);
    assert_eq!(
        repository
            .attempts(&ready.order_id)
            .await
            .expect("attempts"),
        vec![attempt(1)]
    );

    let done = finish(&claimed.after);
    assert_eq!(repository.apply(&done).await.expect("apply"), Applied::Yes);
    assert_eq!(read(repository, &ready.order_id).await, done.after);
    let attempts = repository
        .attempts(&ready.order_id)
        .await
        .expect("attempts");
    assert_eq!(attempts[0].finished_at, Some(done.history.at));
    assert_eq!(
        attempts[0].result.as_ref().map(|result| result.outcome),
        Some(AttemptOutcome::Approved)
    );
    let history = repository.history(&ready.order_id).await.expect("history");
    assert_eq!(
        history,
        vec![
            ready.checked_out_entry(),
            claimed.history,
            done.history.clone()
        ]
    );
    let transactions = repository
        .transactions(&ready.order_id)
        .await
        .expect("transactions");
    assert_eq!(
        transactions,
        done.transaction.clone().into_iter().collect::<Vec<_>>()
    );
    let messages = repository
        .messages_of(&ready.order_id)
        .await
        .expect("messages");
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].instruction, StockInstruction::Sell);
    assert_eq!(
        (messages[0].key.fence, messages[0].due_at),
        (done.after.fence, done.history.at)
    );

    a_failure_reads_back(repository).await;
}

/// An approval with every optional field filled.
fn finish(claimed: &Payment) -> Change {
    let truth = gateway_payment(claimed);
    let at = noon() + 2 * SECOND;
    let mut done = claimed
        .change(PaymentFact::Approved, at)
        .expect("an approval");
    done.after.balance = claimed.total;
    done.after.method = truth.method;
    done.after.receipt_url = truth.receipt_url;
    done.after.approved_at = truth.approved_at;
    done.after.gateway_secret = Some(GatewaySecret::new("ps_secret".into()));
    done.after.looks = 3;
    done.after.absences = 1;
    done.after.virtual_account = Some(VirtualAccount {
        bank_code: "20".into(),
        account_number: "X6505636518308".into(),
        due_date: Some(noon() + 86_400 * SECOND),
        customer_name: Some("박토스".into()),
    });
    done.history.note = Some("메모 with 'quotes'".into());
    done.attempt = Some(AttemptChange::Finish {
        number: 1,
        result: AttemptResult {
            outcome: AttemptOutcome::Approved,
            code: None,
            message: Some("승인".into()),
            trace_id: Some("trace-1".into()),
        },
    });
    done.transaction = Some(Transaction {
        kind: TransactionKind::Approval,
        amount_won: claimed.total.won(),
        transaction_key: truth.transaction_key,
        reason: Some("이유".into()),
        at,
    });
    done.stock = Some(StockInstruction::Sell);
    done
}

async fn a_failure_reads_back(repository: &Repository) {
    for (id, kind) in [
        ("contract-declined", FailureKind::Declined),
        (
            "contract-short",
            FailureKind::StockShort(named("contract-x").lines[0].product_id),
        ),
    ] {
        let claimed = claim(&store(repository, id).await);
        assert_eq!(
            repository.apply(&claimed).await.expect("apply"),
            Applied::Yes
        );
        let mut failed = claimed
            .after
            .change(PaymentFact::Declined, noon() + 2 * SECOND)
            .expect("a change");
        let (code, message) = ("REJECT_CARD_COMPANY".to_owned(), "거절 😀".to_owned());
        failed.after.failure = Some(Failure {
            kind,
            code,
            message,
        });
        assert_eq!(
            repository.apply(&failed).await.expect("apply"),
            Applied::Yes
        );
        assert_eq!(read(repository, &failed.after.order_id).await, failed.after);
    }
}

async fn a_stale_change_has_no_effect(repository: &Repository) {
    let ready = store(repository, "contract-stale").await;
    let claimed = claim(&ready);
    assert_eq!(
        repository.apply(&claimed).await.expect("apply"),
        Applied::Yes
    );
    let settled = finish(&claimed.after);

    let wrong_fence = Change {
        expected_fence: Fence::FIRST,
        ..settled.clone()
    };
    let wrong_status = Change {
        expected_status: PaymentStatus::Unknown,
        ..settled.clone()
    };
    let mut nobody = settled;
    nobody.after.order_id = order_id("contract-nobody");
    for stale in [claimed.clone(), wrong_fence, wrong_status, nobody] {
        assert_eq!(
            repository.apply(&stale).await.expect("apply"),
            Applied::Stale
        );
    }
    assert_eq!(read(repository, &ready.order_id).await, claimed.after);
    assert_eq!(
        repository
            .history(&ready.order_id)
            .await
            .expect("history")
            .len(),
        2
    );
    assert_eq!(
        repository
            .attempts(&ready.order_id)
            .await
            .expect("attempts"),
        vec![attempt(1)]
    );
    assert!(
        repository
            .transactions(&ready.order_id)
            .await
            .expect("transactions")
            .is_empty()
    );
    assert!(
        repository
            .messages_of(&ready.order_id)
            .await
            .expect("messages")
            .is_empty()
    );
}

async fn a_change_that_cannot_be_stored_whole_has_no_effect(repository: &Repository) {
    let claimed = claim(&store(repository, "contract-whole").await);
    assert_eq!(
        repository.apply(&claimed).await.expect("apply"),
        Applied::Yes
    );
    let mut settled = finish(&claimed.after);
    if let Some(AttemptChange::Finish { number, .. }) = &mut settled.attempt {
        *number = 7;
    }
    let refused = repository.apply(&settled).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt { .. })),
        "{refused:?}"
    );
    let id = &claimed.after.order_id;
    assert_eq!(read(repository, id).await, claimed.after);
    assert_eq!(repository.history(id).await.expect("history").len(), 2);
    assert!(
        repository
            .transactions(id)
            .await
            .expect("transactions")
            .is_empty()
    );
    assert!(
        repository
            .messages_of(id)
            .await
            .expect("messages")
            .is_empty()
    );
}

async fn a_refused_insert_leaves_its_checkout_key_free(repository: &Repository) {
    let stored = store(repository, "contract-key-free").await;
    let asked = key("free-key", 1, "a");
    let refused = repository.insert(&stored, Some(&asked)).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt { .. })),
        "{refused:?}"
    );
    let found = repository.find_checkout(asked.user_id, &asked.key).await;
    assert_eq!(found.expect("find"), None);
}

async fn one_of_many_claims_wins(repository: &Repository) {
    let ready = store(repository, "contract-race").await;
    let claims = (0..16).map(|_| {
        let (repository, change) = (Arc::clone(repository), claim(&ready));
        async move { repository.apply(&change).await.expect("apply") }
    });
    let outcomes = futures::future::join_all(claims).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Applied::Yes)
            .count(),
        1
    );
    assert_eq!(
        repository
            .attempts(&ready.order_id)
            .await
            .expect("attempts")
            .len(),
        1
    );
    assert_eq!(
        repository
            .history(&ready.order_id)
            .await
            .expect("history")
            .len(),
        2
    );
}

async fn messages_live_until_they_are_delivered(repository: &Repository) {
    let claimed = claim(&store(repository, "contract-outbox").await);
    assert_eq!(
        repository.apply(&claimed).await.expect("apply"),
        Applied::Yes
    );
    let mut failed = claimed
        .after
        .change(PaymentFact::Declined, noon() - 5_000 * SECOND)
        .expect("a change");
    failed.stock = Some(StockInstruction::Release);
    assert_eq!(
        repository.apply(&failed).await.expect("apply"),
        Applied::Yes
    );
    let key = OutboxKey {
        order_id: failed.after.order_id.clone(),
        fence: failed.after.fence,
    };

    let early = noon() - 4_000 * SECOND;
    let due = repository.due_messages(early, 10).await.expect("due");
    assert_eq!(
        due.iter()
            .map(|message| message.key.clone())
            .collect::<Vec<_>>(),
        vec![key.clone()]
    );
    assert!(
        repository
            .due_messages(early, 0)
            .await
            .expect("due")
            .is_empty()
    );

    repository
        .message_failed(&key, early + SECOND)
        .await
        .expect("put off");
    assert!(
        repository
            .due_messages(early, 10)
            .await
            .expect("due")
            .is_empty()
    );
    let due = repository
        .due_messages(early + SECOND, 10)
        .await
        .expect("due");
    assert_eq!(
        (due[0].failures, due[0].instruction),
        (1, StockInstruction::Release)
    );

    for _ in 0..2 {
        repository.message_delivered(&key).await.expect("delivered");
        assert!(
            repository
                .messages_of(&key.order_id)
                .await
                .expect("messages")
                .is_empty()
        );
    }
    repository
        .message_failed(&key, early)
        .await
        .expect("a delivered message stays gone");
    assert!(
        repository
            .messages_of(&key.order_id)
            .await
            .expect("messages")
            .is_empty()
    );
}
