//! What the contract says of time-driven work: what is due, what is hastened, what is counted.

use super::{Repository, SECOND, claim, read, store};
use crate::model::{Payment, PaymentFact, StockInstruction};
use crate::port::{Applied, DuePayment};
use crate::testing::fixtures::noon;

pub(super) async fn due_payments_come_earliest_first(repository: &Repository) {
    let mut expected = Vec::new();
    for (id, seconds) in [
        ("contract-due-b", 20),
        ("contract-due-a", 10),
        ("contract-due-d", 30),
        ("contract-due-c", 30),
    ] {
        let mut change = claim(&store(repository, id).await);
        // Long before every other payment of this suite.
        change.after.due_at = Some(noon() - 1_000 * SECOND + seconds * SECOND);
        assert_eq!(
            repository.apply(&change).await.expect("apply"),
            Applied::Yes
        );
        expected.push(DuePayment {
            due_at: noon() - 1_000 * SECOND + seconds * SECOND,
            order_id: change.after.order_id,
        });
    }
    expected.sort();
    let until = async |seconds: u32, after: Option<usize>, limit| {
        let now = noon() - 1_000 * SECOND + seconds * SECOND;
        let after = after.map(|index: usize| expected[index].clone());
        repository.due(now, after, limit).await.expect("due")
    };
    assert_eq!(until(30, None, 10).await, expected);
    assert_eq!(until(30, None, 2).await, expected[..2]);
    assert_eq!(until(19, None, 10).await, expected[..1]);
    assert!(until(9, None, 10).await.is_empty());
    // Behind a place, also among those that are due since the same moment.
    assert_eq!(until(30, Some(0), 2).await, expected[1..3]);
    assert_eq!(until(30, Some(2), 10).await, expected[3..]);
    assert!(until(30, Some(3), 10).await.is_empty());
}

pub(super) async fn undecided_payments_that_pause_for_long_are_hastened(repository: &Repository) {
    // Long after every other payment of this suite.
    let far = noon() + 100_000 * SECOND;
    let mut ids = Vec::new();
    for (id, pause) in [("contract-pause-a", 90), ("contract-pause-b", 91)] {
        let change = claim(&store(repository, id).await);
        assert_eq!(
            repository.apply(&change).await.expect("apply"),
            Applied::Yes
        );
        let mut change = change
            .after
            .change(PaymentFact::AnswerMissing, far)
            .expect("UNKNOWN");
        change.after.due_at = Some(far + pause * SECOND);
        assert_eq!(
            repository.apply(&change).await.expect("apply"),
            Applied::Yes
        );
        ids.push(change.after);
    }
    let mut claimed = claim(&store(repository, "contract-pause-c").await);
    claimed.after.due_at = Some(far + 500 * SECOND);
    assert_eq!(
        repository.apply(&claimed).await.expect("apply"),
        Applied::Yes
    );

    // Somebody takes a lease while whoever hastens has stalled since they read the clock.
    let late = claim(&store(repository, "contract-pause-d").await);
    assert_eq!(repository.apply(&late).await.expect("apply"), Applied::Yes);
    let mut late = late
        .after
        .change(PaymentFact::AnswerMissing, far + 5 * SECOND)
        .expect("UNKNOWN");
    late.after.due_at = Some(far + 95 * SECOND);
    assert_eq!(repository.apply(&late).await.expect("apply"), Applied::Yes);

    let lease = 90 * SECOND;
    let none = repository.hasten(lease, far, 0).await;
    assert_eq!(none.expect("hasten"), 0);
    let some = repository.hasten(lease, far, 10).await;
    assert_eq!(some.expect("hasten"), 1, "only the one that pauses longer");
    let again = repository.hasten(lease, far, 10).await;
    assert_eq!(again.expect("hasten"), 0);

    assert_eq!(read(repository, &ids[0].order_id).await, ids[0]);
    let hastened = Payment {
        due_at: Some(far),
        ..ids[1].clone()
    };
    assert_eq!(read(repository, &hastened.order_id).await, hastened);
    assert_eq!(
        read(repository, &claimed.after.order_id).await,
        claimed.after,
        "a lease is no pause"
    );
    assert_eq!(
        read(repository, &late.after.order_id).await,
        late.after,
        "nor is one that began after the clock was read"
    );
}

pub(super) async fn what_is_watched_is_counted(repository: &Repository) {
    let vitals = async |at| repository.vitals(at).await.expect("vitals");
    // Before everything else of this suite.
    let early = noon() - 10_000 * SECOND;
    let before = vitals(early).await;
    assert_eq!((before.due, before.oldest_due), (0, None));
    assert_eq!((before.messages_due, before.oldest_message), (0, None));

    let mut change = claim(&store(repository, "contract-watch-a").await);
    change.after.due_at = Some(early - SECOND);
    change.history.at = early - 2 * SECOND;
    change.stock = Some(StockInstruction::Release);
    assert_eq!(
        repository.apply(&change).await.expect("apply"),
        Applied::Yes
    );
    let now = vitals(early).await;
    assert_eq!((now.due, now.oldest_due), (1, Some(early - SECOND)));
    assert_eq!(now.messages_due, 1);
    assert_eq!(now.oldest_message, Some(early - 2 * SECOND));

    let quarantine = change
        .after
        .change(PaymentFact::Quarantined, early)
        .expect("QUARANTINED");
    assert_eq!(
        repository.apply(&quarantine).await.expect("apply"),
        Applied::Yes
    );
    let now = vitals(early).await;
    assert_eq!(now.quarantined, before.quarantined + 1);
    assert_eq!((now.due, now.oldest_due), (0, None));

    let resolved = quarantine
        .after
        .change(PaymentFact::ResolvedAsFailed, early)
        .expect("FAILED");
    assert_eq!(
        repository.apply(&resolved).await.expect("apply"),
        Applied::Yes
    );
    assert_eq!(vitals(early).await.quarantined, before.quarantined);
}
