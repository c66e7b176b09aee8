//! The contract of [`PaymentRecords`]: every adapter passes [`all`] on an empty store.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Fence, Timestamp, UserId};

use super::{SECOND, claim, finish, read};
use crate::model::{
    Buyer, Change, Movement, Payment, PaymentFact, PaymentStatus, Records as Recorded, Transaction,
    TransactionKind,
};
use crate::port::{
    Applied, Inserted, PaymentFilter, PaymentRecords, PaymentRepository, PaymentSummary, Place,
};
use crate::testing::fixtures::{buyer, noon, order_id, quoted};

type Payments = Arc<dyn PaymentRepository>;
type Records = Arc<dyn PaymentRecords>;

/// Runs the whole contract against one store that has no payments yet; both are the same store.
///
/// # Panics
/// When the adapter breaks the contract.
pub async fn all(payments: Payments, records: Records) {
    an_empty_store_lists_nothing(&records).await;
    a_listed_payment_reads_as_it_stands(&payments, &records).await;
    every_filter_lists_what_it_covers_newest_first(&payments, &records).await;
    paging_survives_what_happens_meanwhile(&payments, &records).await;
    a_record_holds_everything_and_replays_to_the_row(&payments, &records).await;
    changes_come_oldest_first_and_in_parts(&payments, &records).await;
}

fn user(id: i64) -> UserId {
    UserId::new(id).expect("a user id")
}

async fn check_out(payments: &Payments, id: &str, user_id: i64, at: Timestamp) -> Payment {
    let buyer = Buyer {
        user_id: user(user_id),
        ..buyer()
    };
    let lines = vec![quoted(1, 50_000, 1)];
    let payment =
        Payment::check_out(order_id(id), buyer, lines, at, 1800 * SECOND).expect("an order");
    let inserted = payments.insert(&payment, None).await.expect("insert");
    assert_eq!(inserted, Inserted::Stored);
    payment
}

async fn expire(payments: &Payments, payment: &Payment) {
    let lapsed = payment
        .change(PaymentFact::CheckoutLapsed, payment.expires_at)
        .expect("a change");
    let applied = payments.apply(&lapsed).await.expect("apply");
    assert_eq!(applied, Applied::Yes);
}

/// Everything that the filter covers, page by page.
async fn walk(records: &Records, filter: &PaymentFilter, limit: u32) -> Vec<PaymentSummary> {
    let mut all = Vec::new();
    let mut after: Option<Place> = None;
    loop {
        let page = records
            .page(filter, after.as_ref(), limit)
            .await
            .expect("a page");
        assert!(page.payments.len() <= limit as usize);
        let last = page.payments.last().map(PaymentSummary::place);
        assert!(page.next.is_none() || page.next == last);
        all.extend(page.payments);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

fn ids(payments: &[PaymentSummary]) -> Vec<&str> {
    payments
        .iter()
        .map(|payment| payment.order_id.as_str())
        .collect()
}

async fn an_empty_store_lists_nothing(records: &Records) {
    let page = records
        .page(&PaymentFilter::default(), None, 5)
        .await
        .expect("a page");
    assert!(page.payments.is_empty() && page.next.is_none());
}

async fn a_listed_payment_reads_as_it_stands(payments: &Payments, records: &Records) {
    let ready = check_out(payments, "records-done", 7, noon()).await;
    let claimed = claim(&ready);
    let done = finish(&claimed.after);
    for change in [claimed, done.clone()] {
        assert_eq!(payments.apply(&change).await.expect("apply"), Applied::Yes);
    }
    let listed = walk(records, &PaymentFilter::default(), 1).await;
    let after = done.after;
    let expected = PaymentSummary {
        order_id: after.order_id,
        order_name: after.order_name,
        user_id: user(7),
        total: after.total,
        balance: after.balance,
        status: PaymentStatus::Done,
        fence: after.fence,
        payment_key: after.payment_key,
        method: after.method,
        created_at: after.created_at,
        approved_at: after.approved_at,
        updated_at: after.updated_at,
    };
    assert!(expected.payment_key.is_some() && expected.approved_at.is_some());
    assert_eq!(listed, [expected]);
}

async fn every_filter_lists_what_it_covers_newest_first(payments: &Payments, records: &Records) {
    let began = noon() + Duration::from_hours(24);
    for number in 0..12_u32 {
        // Three and three at the same moment, so that pages end between them.
        let at = began + number / 3 * SECOND;
        let id = format!("records-filter-{number:02}");
        let payment = check_out(payments, &id, i64::from(number % 2) + 1, at).await;
        if number % 4 < 2 {
            expire(payments, &payment).await;
        }
    }
    let everything = walk(records, &PaymentFilter::default(), 100).await;
    assert_eq!(everything.len(), 13);
    let places: Vec<_> = everything.iter().map(PaymentSummary::place).collect();
    assert!(places.is_sorted_by(|one, next| one > next), "{places:?}");

    let statuses = [
        None,
        Some(PaymentStatus::Ready),
        Some(PaymentStatus::Expired),
        Some(PaymentStatus::Done),
        Some(PaymentStatus::Quarantined),
    ];
    let users = [None, Some(user(1)), Some(user(2)), Some(user(99))];
    let from = [None, Some(began + SECOND)];
    let until = [None, Some(began + 3 * SECOND)];
    for status in statuses {
        for user_id in users {
            for created_from in from {
                for created_until in until {
                    let filter = PaymentFilter {
                        status,
                        user_id,
                        created_from,
                        created_until,
                    };
                    let covered = everything.iter().filter(|one| filter.covers(one));
                    let covered: Vec<_> = covered.cloned().collect();
                    for limit in [1, 2, 5, 100] {
                        let listed = walk(records, &filter, limit).await;
                        assert_eq!(listed, covered, "{filter:?} by {limit}");
                    }
                }
            }
        }
    }
}

async fn paging_survives_what_happens_meanwhile(payments: &Payments, records: &Records) {
    let began = noon() + Duration::from_hours(48);
    let mut orders = Vec::new();
    for number in 0..6_u32 {
        let id = format!("records-paging-{number}");
        orders.push(check_out(payments, &id, 50, began + number * SECOND).await);
    }
    let filter = PaymentFilter {
        status: Some(PaymentStatus::Ready),
        user_id: Some(user(50)),
        ..PaymentFilter::default()
    };
    let first = records.page(&filter, None, 2).await.expect("a page");
    assert_eq!(
        ids(&first.payments),
        ["records-paging-5", "records-paging-4"]
    );
    // New ones come before the place where the next page begins; one that was listed changes, and
    // so does one that was not: it does not fit any more.
    check_out(payments, "records-paging-6", 50, began + 60 * SECOND).await;
    expire(payments, &orders[4]).await;
    expire(payments, &orders[2]).await;
    let second = records
        .page(&filter, first.next.as_ref(), 2)
        .await
        .expect("a page");
    assert_eq!(
        ids(&second.payments),
        ["records-paging-3", "records-paging-1"]
    );
    let third = records
        .page(&filter, second.next.as_ref(), 2)
        .await
        .expect("a page");
    assert_eq!(ids(&third.payments), ["records-paging-0"]);
    assert_eq!(third.next, None);
}

/// A part of the money goes back.
fn cancel_a_part(payment: &Payment, won: i64, at: Timestamp) -> Change {
    let mut part = payment
        .change(PaymentFact::CanceledInPart, at)
        .expect("a cancel");
    part.after.balance = kernel::Money::from_won(payment.balance.won() - won).expect("a balance");
    part.transaction = Some(Transaction {
        kind: TransactionKind::Cancel,
        amount_won: -won,
        transaction_key: None,
        reason: Some("변심".into()),
        at,
    });
    part
}

async fn a_record_holds_everything_and_replays_to_the_row(payments: &Payments, records: &Records) {
    let ready = check_out(payments, "records-record", 3, noon()).await;
    let claimed = claim(&ready);
    let done = finish(&claimed.after);
    let first = cancel_a_part(&done.after, 1_000, noon() + 5 * SECOND);
    let second = cancel_a_part(&first.after, 2_000, noon() + 6 * SECOND);
    let mut expected = Recorded {
        history: vec![ready.checked_out_entry()],
        ..Recorded::default()
    };
    for change in [claimed, done, first, second] {
        assert_eq!(payments.apply(&change).await.expect("apply"), Applied::Yes);
        expected.history.push(change.history.clone());
        let fence = change.history.fence;
        let moved = change.transaction.into_iter();
        expected
            .movements
            .extend(moved.map(|transaction| Movement { fence, transaction }));
        expected.attempts = payments.attempts(&ready.order_id).await.expect("attempts");

        let record = records.record(&ready.order_id).await.expect("a record");
        let record = record.expect("a payment");
        assert_eq!(record.records, expected);
        let row = read(payments, &ready.order_id).await;
        let replayed = record.records.replay().expect("sound").expect("a payment");
        assert_eq!(
            (replayed.status, replayed.fence, replayed.balance),
            (row.status, row.fence, row.balance)
        );
        let summary = record.payment;
        assert_eq!(
            (summary.status, summary.fence, summary.balance),
            (row.status, row.fence, row.balance)
        );
        assert_eq!(summary.user_id, user(3));
    }
    assert_eq!((expected.movements.len(), expected.attempts.len()), (3, 1));
    let nobody = records.record(&order_id("records-nobody")).await;
    assert_eq!(nobody.expect("an answer"), None);
}

async fn changes_come_oldest_first_and_in_parts(payments: &Payments, records: &Records) {
    let ready = check_out(payments, "records-changes", 3, noon()).await;
    let id = &ready.order_id;
    let last = records.last_change(id).await.expect("a change");
    assert_eq!(last, Some(ready.checked_out_entry()));
    let claimed = claim(&ready);
    let done = finish(&claimed.after);
    for change in [&claimed, &done] {
        assert_eq!(payments.apply(change).await.expect("apply"), Applied::Yes);
    }
    let last = records.last_change(id).await.expect("a change");
    assert_eq!(last.as_ref(), Some(&done.history));
    let all = [ready.checked_out_entry(), claimed.history, done.history];
    for (after, limit, expected) in [
        (0, 10, &all[..]),
        (0, 2, &all[..2]),
        (1, 10, &all[1..]),
        (2, 1, &all[2..]),
        (3, 10, &all[3..]),
        (9, 10, &all[3..]),
    ] {
        let changes = records.changes(id, Fence::from_stored(after), limit).await;
        assert_eq!(changes.expect("changes"), expected, "{after} {limit}");
    }
    let nobody = order_id("records-nobody");
    let none = records.changes(&nobody, Fence::from_stored(0), 10).await;
    assert!(none.expect("an answer").is_empty());
    let none = records.last_change(&nobody).await;
    assert_eq!(none.expect("an answer"), None);
}
