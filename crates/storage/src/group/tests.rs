use std::fmt::Debug;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};

use super::*;
use crate::transaction::Stage;
use crate::{DatabaseSettings, DatabaseUrl};

/// What happens to a transaction with this unit in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    /// This unit is refused, the others are not.
    Refused,
    Fails(Stage),
    LosesItsConnection(Stage),
    Panics,
}

struct Fake {
    key: usize,
    fate: Fate,
    lab: Arc<Lab>,
}

/// Where fakes run: each transaction takes a permit, and notes what it comes to.
struct Lab {
    permits: Semaphore,
    notes: Mutex<Vec<String>>,
}

impl Lab {
    fn note(&self, what: &str, keys: impl Debug) {
        self.notes.lock().unwrap().push(format!("{what} {keys:?}"));
    }

    fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap())
    }
}

/// Notes the end of a transaction that nobody runs to its end.
struct Open<'a>(&'a Lab, Vec<usize>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.1.is_empty() {
            self.0.note("gave up", &self.1);
        }
    }
}

impl Fake {
    async fn transaction(&self, what: &str, keys: Vec<usize>) {
        self.lab.note(what, &keys);
        let mut open = Open(&self.lab, keys);
        self.lab.permits.acquire().await.unwrap().forget();
        open.1.clear();
    }
}

impl Unit for Fake {
    type Key = usize;
    type Answer = usize;

    fn keys(&self) -> Vec<usize> {
        vec![self.key]
    }

    fn action(&self) -> &'static str {
        "be tested"
    }

    async fn alone(&self, _: &Database) -> Result<usize, StoreError> {
        self.transaction("alone", vec![self.key]).await;
        Ok(self.key)
    }

    async fn together(units: &[Self], _: &Database) -> Result<Answers<Self>, Failed> {
        let keys = units.iter().map(|unit| unit.key).collect();
        units[0].transaction("together", keys).await;
        let fault = || Fault::Conflict("the test says so".into());
        for unit in units {
            match unit.fate {
                Fate::Fine | Fate::Refused => {}
                Fate::Fails(stage) => {
                    let fault = fault();
                    return Err(Failed { stage, fault });
                }
                Fate::LosesItsConnection(stage) => {
                    let fault = Fault::Lost("the test says so".into());
                    return Err(Failed { stage, fault });
                }
                Fate::Panics => panic!("the test says so"),
            }
        }
        let answers = units.iter().map(|unit| match unit.fate {
            Fate::Refused => Err(Fault::corrupt("refused")),
            _ => Ok(unit.key),
        });
        Ok(answers.collect())
    }
}

/// A group whose first unit, 0, is under way.
struct Test {
    lab: Arc<Lab>,
    group: Arc<Group<Fake>>,
    database: Database,
    first: JoinHandle<Result<usize, StoreError>>,
}

impl Test {
    async fn begin() -> Self {
        Self::with(1, Duration::from_secs(30)).await
    }

    async fn with(alone_max: usize, patience: Duration) -> Self {
        // Nobody speaks to this server.
        let url = DatabaseUrl::parse("mysql://nobody@127.0.0.1:1/nothing").unwrap();
        let database = Database::connect(&DatabaseSettings::new(url)).await;
        let lab = Arc::new(Lab {
            permits: Semaphore::new(0),
            notes: Mutex::default(),
        });
        let mut test = Self {
            lab,
            group: Arc::new(Group::new(alone_max, patience)),
            database: database.unwrap(),
            first: tokio::spawn(async { Ok(0) }),
        };
        test.first = test.call(0, Fate::Fine).await;
        test.expect(&["alone [0]"]);
        test
    }

    /// Calls, and waits until the call waits.
    async fn call(&self, key: usize, fate: Fate) -> JoinHandle<Result<usize, StoreError>> {
        let (group, database) = (Arc::clone(&self.group), self.database.clone());
        let lab = Arc::clone(&self.lab);
        let unit = Fake { key, fate, lab };
        let call = tokio::spawn(async move { group.run(&database, unit).await });
        settle().await;
        call
    }

    async fn calls<const N: usize>(
        &self,
        units: [(usize, Fate); N],
    ) -> Vec<JoinHandle<Result<usize, StoreError>>> {
        let mut calls = Vec::new();
        for (key, fate) in units {
            calls.push(self.call(key, fate).await);
        }
        calls
    }

    /// Lets the transaction that runs end, and the next one begin.
    async fn go_on(&self) {
        self.lab.permits.add_permits(1);
        settle().await;
    }

    #[track_caller]
    fn expect(&self, notes: &[&str]) {
        assert_eq!(self.lab.notes(), notes);
    }

    /// Nobody is at work, and nobody waits.
    async fn expect_rest(&self) {
        self.expect(&[]);
        let last = self.call(99, Fate::Fine).await;
        self.expect(&["alone [99]"]);
        self.go_on().await;
        assert_eq!(last.await.unwrap().unwrap(), 99);
    }
}

/// Everything that can go on has gone on: there is one thread.
async fn settle() {
    for _ in 0..50 {
        yield_now().await;
    }
}

async fn answers(calls: Vec<JoinHandle<Result<usize, StoreError>>>) -> Vec<Option<usize>> {
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap().ok());
    }
    answers
}

#[tokio::test]
async fn units_that_come_while_one_runs_share_the_next_transaction() {
    let test = Test::begin().await;
    let calls = test
        .calls([(1, Fate::Fine), (2, Fate::Refused), (3, Fate::Fine)])
        .await;
    test.expect(&[]);
    test.go_on().await;
    test.expect(&["together [1, 2, 3]"]);
    let late = test.calls([(4, Fate::Fine), (5, Fate::Fine)]).await;
    test.expect(&[]);
    test.go_on().await;
    assert_eq!(answers(calls).await, [Some(1), None, Some(3)]);
    test.expect(&["together [4, 5]"]);
    test.go_on().await;
    assert_eq!(answers(late).await, [Some(4), Some(5)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn a_unit_that_nobody_joins_runs_alone() {
    let test = Test::begin().await;
    let calls = test.calls([(1, Fate::Panics)]).await;
    test.go_on().await;
    test.expect(&["alone [1]"]);
    test.go_on().await;
    assert_eq!(answers(calls).await, [Some(1)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn a_few_run_alone_at_once_where_the_database_takes_several() {
    let test = Test::with(3, Duration::from_secs(30)).await;
    let mut calls = test.calls([1, 2, 3, 4].map(|key| (key, Fate::Fine))).await;
    test.expect(&["alone [1]", "alone [2]"]);
    // The end of any of them lets those who wait begin, but no more than one transaction of these.
    test.go_on().await;
    test.expect(&["together [3, 4]"]);
    calls.push(test.call(5, Fate::Fine).await);
    test.go_on().await;
    test.expect(&[]);
    calls.push(test.call(6, Fate::Fine).await);
    test.lab.permits.add_permits(2);
    settle().await;
    test.expect(&["together [5, 6]"]);
    test.go_on().await;
    assert_eq!(answers(calls).await, [1, 2, 3, 4, 5, 6].map(Some));
    test.expect_rest().await;
}

#[tokio::test]
async fn of_two_units_with_one_key_the_second_waits_for_the_next_transaction() {
    let test = Test::begin().await;
    let keys = [1, 2, 1, 1, 3].map(|key| (key, Fate::Fine));
    let calls = test.calls(keys).await;
    test.go_on().await;
    test.expect(&["together [1, 2, 3]"]);
    let late = test.calls([(4, Fate::Fine)]).await;
    test.go_on().await;
    test.expect(&["together [1, 4]"]);
    test.go_on().await;
    test.expect(&["alone [1]"]);
    test.go_on().await;
    let expected = [1, 2, 1, 1, 3].map(Some);
    assert_eq!(answers(calls).await, expected);
    assert_eq!(answers(late).await, [Some(4)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn a_transaction_takes_so_many_units_and_no_more() {
    let test = Test::begin().await;
    let mut calls = Vec::new();
    for key in 1..=UNITS_MAX + 2 {
        calls.push(test.call(key, Fate::Fine).await);
    }
    test.go_on().await;
    let first: Vec<_> = (1..=UNITS_MAX).collect();
    test.expect(&[&format!("together {first:?}")]);
    test.go_on().await;
    test.expect(&[&format!("together {:?}", [UNITS_MAX + 1, UNITS_MAX + 2])]);
    test.go_on().await;
    assert!(answers(calls).await.iter().all(Option::is_some));
    test.expect_rest().await;
}

#[tokio::test]
async fn a_transaction_goes_on_when_its_leader_goes_away() {
    let test = Test::begin().await;
    let mut calls = test
        .calls([(1, Fate::Fine), (2, Fate::Fine), (3, Fate::Fine)])
        .await;
    test.go_on().await;
    test.expect(&["together [1, 2, 3]"]);
    let late = test.calls([(4, Fate::Fine)]).await;
    for _ in 0..2 {
        calls.remove(0).abort();
        settle().await;
    }
    test.go_on().await;
    // The transaction was neither given up nor begun again.
    test.expect(&["alone [4]"]);
    assert_eq!(answers(calls).await, [Some(3)]);
    test.go_on().await;
    assert_eq!(answers(late).await, [Some(4)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn a_transaction_that_nobody_waits_for_any_more_is_given_up() {
    let test = Test::begin().await;
    let calls = test.calls([(1, Fate::Fine), (2, Fate::Fine)]).await;
    test.go_on().await;
    test.expect(&["together [1, 2]"]);
    let late = test.calls([(3, Fate::Fine)]).await;
    for call in calls {
        call.abort();
    }
    settle().await;
    test.expect(&["gave up [1, 2]", "alone [3]"]);
    test.go_on().await;
    assert_eq!(answers(late).await, [Some(3)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn a_lone_unit_that_is_dropped_leaves_the_lead_to_the_next() {
    let test = Test::begin().await;
    let calls = test.calls([(1, Fate::Fine), (2, Fate::Fine)]).await;
    test.first.abort();
    settle().await;
    test.expect(&["gave up [0]", "together [1, 2]"]);
    test.go_on().await;
    assert_eq!(answers(calls).await, [Some(1), Some(2)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn units_whose_callers_are_gone_are_left_out() {
    let test = Test::begin().await;
    let mut calls = test.calls([1, 2, 3, 4].map(|key| (key, Fate::Fine))).await;
    calls.remove(2).abort();
    calls.remove(0).abort();
    settle().await;
    test.go_on().await;
    test.expect(&["together [2, 4]"]);
    test.go_on().await;
    assert_eq!(answers(calls).await, [Some(2), Some(4)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn whoever_is_dropped_with_the_lead_in_hand_passes_it_on() {
    let test = Test::begin().await;
    let mut calls = test.calls([1, 2, 3].map(|key| (key, Fate::Fine))).await;
    // The lead is on its way to the first, who has not woken up yet.
    test.lab.permits.add_permits(1);
    while !test.first.is_finished() {
        yield_now().await;
    }
    calls.remove(0).abort();
    settle().await;
    test.expect(&["together [2, 3]"]);
    test.go_on().await;
    assert_eq!(answers(calls).await, [Some(2), Some(3)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn when_a_conflict_stays_each_goes_on_alone() {
    for stage in [Stage::Inside, Stage::Commit] {
        let test = Test::begin().await;
        let calls = test.calls([(1, Fate::Fine), (2, Fate::Fails(stage))]).await;
        test.go_on().await;
        test.expect(&["together [1, 2]"]);
        test.go_on().await;
        test.expect(&["alone [1]", "alone [2]"]);
        test.lab.permits.add_permits(2);
        assert_eq!(answers(calls).await, [Some(1), Some(2)]);
        test.expect_rest().await;
    }
}

#[tokio::test]
async fn units_of_a_transaction_whose_end_is_unknown_are_not_done_again() {
    for stage in [Stage::Connect, Stage::Inside, Stage::Commit] {
        let test = Test::begin().await;
        let fates = [(1, Fate::Fine), (2, Fate::LosesItsConnection(stage))];
        let calls = test.calls(fates).await;
        test.go_on().await;
        test.expect(&["together [1, 2]"]);
        test.go_on().await;
        // Nobody goes on alone.
        test.expect(&[]);
        for call in calls {
            let told = call.await.unwrap();
            assert!(
                matches!(told, Err(StoreError::Unavailable { .. })),
                "{told:?}"
            );
        }
        test.expect_rest().await;
    }
}

#[tokio::test]
async fn a_panic_strands_nobody() {
    let test = Test::begin().await;
    let calls = test.calls([(1, Fate::Fine), (2, Fate::Panics)]).await;
    test.go_on().await;
    test.expect(&["together [1, 2]"]);
    let late = test.calls([(3, Fate::Fine)]).await;
    test.go_on().await;
    for call in calls {
        let told = call.await.unwrap();
        assert!(
            matches!(told, Err(StoreError::Unavailable { .. })),
            "{told:?}"
        );
    }
    test.expect(&["alone [3]"]);
    test.go_on().await;
    assert_eq!(answers(late).await, [Some(3)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn a_unit_whose_turn_does_not_come_in_time_is_never_done() {
    let test = Test::with(1, Duration::from_millis(20)).await;
    let calls = test.calls([(1, Fate::Fine), (2, Fate::Fine)]).await;
    for call in calls {
        let told = call.await.unwrap();
        assert!(
            matches!(told, Err(StoreError::Unavailable { .. })),
            "{told:?}"
        );
    }
    test.go_on().await;
    test.expect_rest().await;
}

#[tokio::test]
async fn a_unit_that_is_under_way_is_waited_for() {
    let test = Test::with(1, Duration::from_millis(20)).await;
    let calls = test.calls([(1, Fate::Fine), (2, Fate::Fine)]).await;
    test.go_on().await;
    test.expect(&["together [1, 2]"]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    test.go_on().await;
    assert_eq!(answers(calls).await, [Some(1), Some(2)]);
    test.expect_rest().await;
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let test = Test::begin().await;
    let waiting: Vec<_> = (1..=WAITING_MAX)
        .map(|key| {
            let (fate, lab) = (Fate::Fine, Arc::clone(&test.lab));
            test.group.enter(Fake { key, fate, lab }).unwrap()
        })
        .collect();
    let refused = test.call(1, Fate::Fine).await.await.unwrap();
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
    drop(waiting);
    test.go_on().await;
    test.expect_rest().await;
}
