use std::time::Duration;

use kernel::from_micros;
use proptest::prelude::*;

use super::*;
use crate::model::{AttemptOutcome, AttemptPurpose, AttemptResult, Payment, TransactionKind};
use crate::testing::{change, payment, payment_key};
use PaymentFact as F;
use PaymentStatus as S;

const SECOND: Duration = Duration::from_secs(1);

fn at(second: u32) -> Timestamp {
    payment().created_at + SECOND * second
}

fn movement(fence: Fence, won: i64, at: Timestamp) -> Movement {
    let kind = if won < 0 {
        TransactionKind::Cancel
    } else {
        TransactionKind::Approval
    };
    Movement {
        fence,
        transaction: Transaction {
            kind,
            amount_won: won,
            transaction_key: None,
            reason: None,
            at,
        },
    }
}

/// Lets facts happen to a payment one second apart, each moving some money, and returns what was
/// recorded together with the payment after every change.
fn live(facts: impl IntoIterator<Item = (F, i64)>) -> (Records, Vec<Payment>) {
    let mut now = payment();
    let mut records = Records {
        history: vec![now.checked_out_entry()],
        ..Records::default()
    };
    let mut states = vec![now.clone()];
    for (second, (fact, won)) in (1..).zip(facts) {
        if fact.apply(now.status).is_err() {
            continue;
        }
        let mut next = change(&now, fact, at(second));
        if let Ok(balance) = Money::from_won(now.balance.won() + won)
            && won != 0
        {
            next.after.balance = balance;
            let moved = movement(next.history.fence, won, at(second));
            records.movements.push(moved);
        }
        records.history.push(next.history);
        now = next.after;
        states.push(now.clone());
    }
    (records, states)
}

fn state(payment: &Payment) -> Replayed {
    Replayed {
        status: payment.status,
        fence: payment.fence,
        balance: payment.balance,
        changed_at: payment.updated_at,
    }
}

fn paid_and_canceled() -> (Records, Vec<Payment>) {
    live([
        (F::Claimed, 0),
        (F::Approved, 210_000),
        (F::CanceledInPart, -10_000),
        (F::CanceledInFull, -200_000),
    ])
}

#[test]
fn a_life_is_rebuilt_at_every_moment() {
    let (records, states) = paid_and_canceled();
    let balances: Vec<_> = states.iter().map(|state| state.balance.won()).collect();
    assert_eq!(balances, [0, 0, 210_000, 200_000, 0]);
    assert_eq!(records.replay(), Ok(states.last().map(state)));
    for (second, expected) in (0..).zip(&states) {
        let moment = at(second);
        let before_the_next = moment + SECOND - Duration::from_micros(1);
        for moment in [moment, before_the_next] {
            let then = records.clone().as_of(moment);
            assert_eq!(then.replay(), Ok(Some(state(expected))), "{moment}");
        }
    }
    let before = records.as_of(from_micros(0));
    assert_eq!(before, Records::default());
    assert_eq!(before.replay(), Ok(None));
}

#[test]
fn records_that_make_no_payment_are_told_apart() {
    let (whole, _) = paid_and_canceled();
    let broken = |spoil: &dyn Fn(&mut Records)| {
        let mut records = whole.clone();
        spoil(&mut records);
        records.replay().unwrap_err()
    };
    let fence = |number| Fence::from_stored(number);
    let missing = broken(&|records| drop(records.history.remove(1)));
    let (expected, found) = (fence(2), fence(3));
    assert_eq!(missing, BrokenRecord::Gap { expected, found });
    let headless = broken(&|records| drop(records.history.remove(0)));
    let (expected, found) = (fence(1), fence(2));
    assert_eq!(headless, BrokenRecord::Gap { expected, found });
    for illegal in [
        broken(&|records| records.history[2].fact = F::Declined),
        broken(&|records| records.history[2].to = S::Failed),
        broken(&|records| records.history[2].from = Some(S::Ready)),
        broken(&|records| records.history[0].fact = F::Claimed),
        broken(&|records| records.history[0].to = S::Done),
    ] {
        assert!(matches!(illegal, BrokenRecord::Illegal { .. }), "{illegal}");
    }
    let too_much = broken(&|records| records.movements[1].transaction.amount_won = -210_001);
    let (fence_4, won) = (fence(4), -1);
    assert_eq!(
        too_much,
        BrokenRecord::Balance {
            fence: fence_4,
            won
        }
    );
    for stray in [fence(9), fence(0)] {
        let told = broken(&|records| {
            records.movements = vec![movement(stray, 1, at(0))];
        });
        assert_eq!(told, BrokenRecord::Stray(stray));
    }
    assert_eq!(
        missing.to_string(),
        "the entry of fence 2 is missing, fence 3 follows"
    );
}

fn attempt(number: u32, started: u32, finished: Option<u32>) -> Attempt {
    Attempt {
        number,
        purpose: AttemptPurpose::Confirm,
        payment_key: payment_key("tgen_key"),
        amount: payment().total,
        started_at: at(started),
        result: finished.map(|_| AttemptResult {
            outcome: AttemptOutcome::Approved,
            code: None,
            message: None,
            trace_id: None,
        }),
        finished_at: finished.map(at),
    }
}

/// What kind of event, and its number.
fn shape(timeline: &[(Timestamp, TimelineEvent)]) -> Vec<(char, i64)> {
    let events = timeline.iter().map(|(_, event)| match event {
        TimelineEvent::Transition(entry) => ('t', entry.fence.get()),
        TimelineEvent::Attempt(attempt) => ('a', i64::from(attempt.number)),
        TimelineEvent::Movement(moved) => ('m', moved.fence.get()),
    });
    events.collect()
}

#[test]
fn a_timeline_puts_everything_where_it_belongs() {
    let (mut records, _) = paid_and_canceled();
    records.attempts = vec![
        attempt(1, 1, Some(2)),
        attempt(2, 4, None),
        attempt(3, 9, None),
    ];
    let timeline = records.timeline();
    let expected = [
        ('t', 1),
        ('t', 2),
        ('a', 1),
        ('t', 3),
        ('m', 3),
        ('t', 4),
        ('m', 4),
        ('t', 5),
        ('m', 5),
        ('a', 2),
        ('a', 3),
    ];
    assert_eq!(shape(&timeline), expected);
    assert!(timeline.is_sorted_by_key(|(at, _)| *at));
}

#[test]
fn an_answer_that_came_later_was_not_known_then() {
    let (mut records, _) = paid_and_canceled();
    records.attempts = vec![attempt(1, 1, Some(2)), attempt(2, 4, None)];
    let then = records.clone().as_of(at(1));
    assert_eq!(then.attempts, [attempt(1, 1, None)]);
    assert_eq!(records.as_of(at(2)).attempts, [attempt(1, 1, Some(2))]);
}

#[test]
fn clocks_that_differ_change_neither_order_nor_outcome() {
    let (mut records, states) = paid_and_canceled();
    // The server that stored the approval is ten seconds behind.
    records.history[2].at = at(0) - 8 * SECOND;
    let replayed = records.replay().unwrap().unwrap();
    assert_eq!(replayed, state(states.last().unwrap()));
    // By then the claim had happened too, although its server says later.
    let then = records.clone().as_of(at(0));
    let fences: Vec<_> = then.history.iter().map(|entry| entry.fence.get()).collect();
    assert_eq!(fences, [1, 2, 3]);
    assert_eq!(then.movements.len(), 1);
    let transitions = shape(&records.timeline());
    let transitions: Vec<_> = transitions
        .iter()
        .filter(|(kind, _)| *kind == 't')
        .collect();
    assert!(transitions.is_sorted());
}

proptest! {
    #[test]
    fn any_life_replays_to_its_row_at_every_moment(
        steps in prop::collection::vec((0..F::ALL.len(), -3..4_i64), 0..60),
        moment in 0..70_u32,
    ) {
        let steps = steps.into_iter().map(|(fact, won)| (F::ALL[fact], won * 1_000));
        let (records, states) = live(steps);
        prop_assert_eq!(records.replay(), Ok(states.last().map(state)));
        let then = states.iter().rev().find(|state| state.updated_at <= at(moment));
        prop_assert_eq!(records.as_of(at(moment)).replay(), Ok(then.map(state)));
    }

    #[test]
    fn a_timeline_loses_nothing(
        steps in prop::collection::vec((0..F::ALL.len(), -3..4_i64), 0..60),
        starts in prop::collection::vec(0..70_u32, 0..10),
    ) {
        let steps = steps.into_iter().map(|(fact, won)| (F::ALL[fact], won * 1_000));
        let (mut records, _) = live(steps);
        let mut starts = starts;
        starts.sort_unstable();
        records.attempts = (1..).zip(starts).map(|(number, start)| attempt(number, start, None)).collect();
        let events = records.history.len() + records.attempts.len() + records.movements.len();
        let timeline = records.timeline();
        prop_assert_eq!(timeline.len(), events);
        prop_assert!(timeline.is_sorted_by_key(|(at, _)| *at));
    }
}
