//! Calls that share a transaction are told what they would be told alone, and go through the same
//! accidents.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use diesel::connection::SimpleConnection as _;
use diesel_async::{
    AsyncConnection as _, AsyncMysqlConnection, RunQueryDsl as _,
    SimpleAsyncConnection as AsyncSimple,
};
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt as _, poll};
use kernel::{Fence, OrderId, ProductId, StoreError};
use payment_domain::model::{
    Attempt, AttemptChange, AttemptOutcome, AttemptPurpose, AttemptResult, Change, HistoryEntry,
    OutboxKey, Payment, PaymentFact, PaymentStatus, StockInstruction, Transaction, TransactionKind,
};
use payment_domain::port::{Applied, CheckoutKey, Inserted, PaymentRepository};
use product_domain::model::Hold;
use product_domain::{HoldOutcome, ProductRepository};
use storage::{
    Blocking, BlockingRunner, BoxError, Database, DatabaseSettings, SharedWrites, ThreadPool,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::{Fresh, PATIENCE, line, now, order, product, settings, stock};

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

/// A sequence that is always the same (a linear congruential generator's upper bits).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn fence(&mut self) -> Fence {
        Fence::from_stored(i64::try_from(2 + self.below(4)).unwrap())
    }
}

#[derive(Debug, Clone)]
enum Ask {
    Hold(Hold),
    Release(OrderId, Fence),
    Sell(OrderId),
}

async fn ask(products: &dyn ProductRepository, ask: &Ask) -> String {
    match ask {
        Ask::Hold(hold) => format!("{:?}", products.hold(hold, now()).await.unwrap()),
        Ask::Release(id, fence) => {
            products.release(id, *fence, now()).await.unwrap();
            String::new()
        }
        Ask::Sell(id) => format!("{:?}", products.sell(id, now()).await.unwrap()),
    }
}

/// One call for each order, about few products.
fn asks(dice: &mut Dice, ids: &[OrderId], shelf: &[ProductId]) -> Vec<Ask> {
    let mut asks = Vec::new();
    for id in ids {
        asks.push(match dice.below(6) {
            0 => Ask::Sell(id.clone()),
            1 | 2 => Ask::Release(id.clone(), dice.fence()),
            _ => {
                let (a, b) = (dice.below(4), dice.below(3));
                let mut lines = vec![line(shelf[usize::try_from(a).unwrap()], 1)];
                let other = shelf[usize::try_from((a + 1 + b) % 4).unwrap()];
                lines.extend((b > 0).then(|| line(other, i64::try_from(b).unwrap())));
                Ask::Hold(Hold {
                    order_id: id.clone(),
                    fence: dice.fence(),
                    lines,
                })
            }
        });
    }
    asks
}

#[tokio::test]
async fn orders_that_share_a_transaction_are_told_what_they_would_be_told_one_after_another() {
    for (fresh, mirror) in Fresh::all().await.into_iter().zip(Fresh::all().await) {
        let (grouped, plain) = (fresh.database.products(), mirror.plain().await.products());
        let mut shelf = Vec::new();
        for pieces in [3, 5, 8, 0] {
            shelf.push(product(&fresh.database, pieces).await);
            product(&mirror.database, pieces).await;
        }
        // Nobody has ever heard of this one.
        shelf[3] = ProductId::new(77).unwrap();
        let ids: Vec<_> = (0..24).map(|n| order(&format!("order-{n:02}"))).collect();
        let (mut dice, mut told_of_each_kind) = (Dice(7), BTreeSet::new());
        for round in 0..12 {
            let asks = asks(&mut dice, &ids, &shelf);
            let calls = asks.iter().map(|each| ask(&*grouped, each).boxed());
            let told = share(&fresh, calls.collect()).await;
            for (each, told) in asks.iter().zip(told) {
                assert_eq!(told, ask(&*plain, each).await, "round {round}: {each:?}");
                told_of_each_kind.insert(told.split('(').next().unwrap().to_owned());
            }
            for id in &ids {
                let (kept, wanted) = (grouped.reservation(id).await, plain.reservation(id).await);
                assert_eq!(kept.unwrap(), wanted.unwrap(), "round {round}");
            }
            let (have, want) = (
                grouped.balances(None, 9).await,
                plain.balances(None, 9).await,
            );
            assert_eq!(have.unwrap(), want.unwrap(), "round {round}");
        }
        let kinds = "|AlreadySold|Held|NotHeld|Sell|Short|Superseded|UnknownProduct";
        let told: Vec<_> = told_of_each_kind.into_iter().collect();
        assert_eq!(told.join("|"), kinds, "every answer was given");
    }
}

fn change(payment: &Payment, fact: PaymentFact, to: PaymentStatus) -> Change {
    let mut after = payment.clone();
    after.status = to;
    after.fence = payment.fence.next();
    after.due_at = Some(payment.expires_at);
    Change {
        expected_status: payment.status,
        expected_fence: payment.fence,
        history: HistoryEntry {
            fence: after.fence,
            from: Some(payment.status),
            to,
            fact,
            at: payment.expires_at,
            note: None,
        },
        after,
        attempt: None,
        transaction: None,
        stock: None,
    }
}

fn claim(payment: &Payment) -> Change {
    let mut claim = change(payment, PaymentFact::Claimed, PaymentStatus::InProgress);
    claim.after.payment_key = Some(payment_domain::testing::payment_key("tgen_key"));
    claim.attempt = Some(AttemptChange::Start(Attempt {
        number: 1,
        purpose: AttemptPurpose::Confirm,
        payment_key: payment_domain::testing::payment_key("tgen_key"),
        amount: payment.total,
        started_at: payment.created_at,
        result: None,
        finished_at: None,
    }));
    claim
}

/// The end of attempt `number`, with all that a change can bring.
fn finish(payment: &Payment, number: u32) -> Change {
    let mut done = change(payment, PaymentFact::Approved, PaymentStatus::Done);
    done.after.balance = payment.total;
    done.after.due_at = None;
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

fn named(id: &str) -> Payment {
    Payment {
        order_id: order(id),
        ..payment_domain::testing::payment()
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
        let fact = PaymentFact::Quarantined;
        let quarantine = change(&claimed(&parked), fact, PaymentStatus::Quarantined);
        let fact = PaymentFact::ResolvedAsFailed;
        let resolved = change(&quarantine.after, fact, PaymentStatus::Failed);
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

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

/// A row that was not there when the transaction looked must stop it, not be written over. The look
/// waits at the last order's row, and has passed the place where the new one then comes.
#[tokio::test]
async fn a_reservation_that_another_process_stores_meanwhile_is_not_overwritten() {
    let Some(fresh) = Fresh::mysql().await else {
        return;
    };
    let shirt = product(&fresh.database, 10).await;
    let mut stranger = AsyncMysqlConnection::establish(&fresh.text).await.unwrap();
    let products = fresh.database.products();
    let last = order("round-0-order-4");
    products.release(&last, Fence::FIRST, now()).await.unwrap();
    let lock =
        "BEGIN; SELECT * FROM stock_reservation WHERE order_id = 'round-0-order-4' FOR UPDATE";
    AsyncSimple::batch_execute(&mut stranger, lock)
        .await
        .unwrap();
    let calls = (0..5).map(|n| {
        let (products, hold) = (Arc::clone(&products), one_piece(0, n, shirt));
        async move { products.hold(&hold, now()).await.unwrap() }.boxed()
    });
    let held = share(&fresh, calls.collect());
    let committed = async {
        let mut observer = AsyncMysqlConnection::establish(&fresh.text).await.unwrap();
        let patience = Instant::now();
        loop {
            let waiting = "SELECT COUNT(*) AS count FROM performance_schema.data_locks \
                           WHERE object_schema = DATABASE() AND lock_status = 'WAITING'";
            let waiting = diesel::sql_query(waiting);
            let Count { count } = waiting.get_result(&mut observer).await.unwrap();
            if count > 0 {
                break;
            }
            assert!(patience.elapsed() < PATIENCE);
        }
        let store = "INSERT INTO stock_reservation VALUES ('round-0-order-2', 9, 'RELEASED', 0, 0); \
                     COMMIT";
        AsyncSimple::batch_execute(&mut stranger, store)
            .await
            .unwrap();
    };
    let (told, ()) = tokio::join!(held, committed);
    for (n, told) in told.into_iter().enumerate() {
        let expected = [HoldOutcome::Held, HoldOutcome::Superseded][usize::from(n == 2)];
        assert_eq!(told, expected, "order {n}");
    }
    assert_eq!(stock(&fresh.database, shirt).await, 6);
}

/// Runs jobs until the given one, whose end it reports only when it is told to.
struct PausesAt {
    jobs: AtomicUsize,
    reached: Semaphore,
    go_on: Arc<Semaphore>,
    /// Whether it then says that nobody heard the end.
    deaf: bool,
}

impl BlockingRunner for PausesAt {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<(), BoxError>> {
        let ran = ThreadPool.run(job);
        if self.jobs.fetch_sub(1, Ordering::SeqCst) != 1 {
            return ran;
        }
        self.reached.add_permits(1);
        let (go_on, deaf) = (Arc::clone(&self.go_on), self.deaf);
        let paused = async move {
            ran.await?;
            let permit = go_on.acquire().await;
            drop(permit);
            if deaf {
                return Err(BoxError::from("nobody heard the end"));
            }
            Ok(())
        };
        paused.boxed()
    }
}

impl PausesAt {
    /// Another process's view of the database, which stops at this job when it is counted from now.
    async fn job(job: usize, deaf: bool, fresh: &Fresh) -> (Arc<Self>, Database) {
        let runner = Arc::new(Self {
            jobs: AtomicUsize::new(usize::MAX),
            reached: Semaphore::new(0),
            go_on: Arc::new(Semaphore::new(0)),
            deaf,
        });
        let blocking = Blocking::new(Arc::clone(&runner) as Arc<dyn BlockingRunner>);
        let settings = settings(&fresh.url);
        let database = Database::connect_with(&settings, blocking).await.unwrap();
        database.ping().await.unwrap();
        runner.jobs.store(job, Ordering::SeqCst);
        (runner, database)
    }
}

/// A hold of one piece for the `n`th order of a round.
fn one_piece(round: usize, n: usize, product_id: ProductId) -> Hold {
    Hold {
        order_id: order(&format!("round-{round}-order-{n}")),
        fence: Fence::from_stored(2),
        lines: vec![line(product_id, 1)],
    }
}

/// In each round the call that leads is dropped one statement later: before, during and after the
/// transaction and its COMMIT. The others notice nothing, and the transaction is not begun twice.
#[tokio::test]
async fn a_leader_that_is_dropped_at_any_statement_disturbs_nobody() {
    let fresh = Fresh::sqlite().await;
    let shirt = product(&fresh.database, 1_000).await;
    let mut left = 1_000;
    for job in 1.. {
        let (runner, database) = PausesAt::job(job, false, &fresh).await;
        let products = database.products();
        let mut calls = Vec::new();
        for n in 0..5 {
            let (products, hold) = (Arc::clone(&products), one_piece(job, n, shirt));
            let call = async move { products.hold(&hold, now()).await };
            calls.push(tokio::spawn(call));
            // Each takes its place before the next one comes.
            tokio::task::yield_now().await;
        }
        while runner.reached.available_permits() == 0 && !calls.iter().all(JoinHandle::is_finished)
        {
            tokio::task::yield_now().await;
        }
        let reached = runner.reached.available_permits() > 0;
        // The first is alone, and then the second leads the others.
        let leader = usize::from(calls[0].is_finished());
        if reached {
            calls[leader].abort();
        }
        runner.go_on.add_permits(1);
        for (n, call) in calls.into_iter().enumerate() {
            match call.await {
                Ok(told) => assert_eq!(told.unwrap(), HoldOutcome::Held, "job {job}"),
                Err(_dropped) => assert!(reached && n == leader, "job {job}"),
            }
        }
        let mut held = 0;
        for n in 0..5 {
            let id = one_piece(job, n, shirt).order_id;
            let kept = fresh.database.products().reservation(&id).await.unwrap();
            held += kept.map_or(0, |kept| i64::try_from(kept.lines.len()).unwrap());
        }
        // Of those who share a transaction none is left out.
        assert!(
            held == 5 || (held == 4 && reached && leader == 0),
            "job {job}: {held}"
        );
        left -= held;
        assert_eq!(stock(&fresh.database, shirt).await, left, "job {job}");
        if !reached {
            // Begin, look, reservation, line, product, commit alone; then begin, look, reservations,
            // look, lines, product, commit together.
            assert_eq!(job - 1, 6 + 7);
            return;
        }
    }
}

/// In each round the end of another statement is not heard: whoever is told of success has it, and
/// whoever is told nothing certain was not done twice.
#[tokio::test]
async fn a_shared_transaction_whose_end_was_not_heard_is_not_run_again() {
    let fresh = Fresh::sqlite().await;
    let mut committed_unheard = 0;
    for job in 1.. {
        let payments = fresh.database.payments();
        let orders: Vec<_> = (0..4)
            .map(|n| named(&format!("round-{job}-order-{n}")))
            .collect();
        for payment in &orders {
            assert_eq!(
                payments.insert(payment, None).await.unwrap(),
                Inserted::Stored
            );
        }
        let (runner, database) = PausesAt::job(job, true, &fresh).await;
        runner.go_on.add_permits(1);
        let mine = database.payments();
        let calls = orders.iter().map(|payment| {
            let mine = Arc::clone(&mine);
            async move { mine.apply(&claim(payment)).await }.boxed()
        });
        let told = at_once(&fresh, calls.collect()).await;
        // Waits for the lock, and so for the end of whatever is still on its way.
        product(&fresh.database, 1).await;
        let mut unheard = 0;
        for (payment, told) in orders.iter().zip(told) {
            let stored = payments.find(&payment.order_id).await.unwrap().unwrap();
            let is_stored = stored.status == PaymentStatus::InProgress;
            match told {
                Ok(Applied::Yes) => assert!(is_stored, "job {job}"),
                Err(StoreError::Unavailable { .. }) => unheard += usize::from(is_stored),
                other => panic!("job {job}: {other:?}"),
            }
        }
        committed_unheard += unheard;
        if runner.reached.available_permits() == 0 {
            // Begin, change, history, attempt, commit alone; then begin, look, changes, attempts,
            // history, commit together.
            assert_eq!(job - 1, 5 + 6);
            break;
        }
    }
    // The lone one's COMMIT, and the one of the three that followed together.
    assert_eq!(committed_unheard, 1 + 3);
}

/// Two processes that share transactions and one that does not, all after the same few products.
#[tokio::test]
async fn several_processes_after_the_same_products_never_oversell_and_never_fail() {
    for fresh in Fresh::all().await {
        let (scarce, plenty) = (
            product(&fresh.database, 40).await,
            product(&fresh.database, 999).await,
        );
        let others = [fresh.second().await, fresh.plain().await];
        let databases = [fresh.database.clone(), others[0].clone(), others[1].clone()];
        let buy = |n: usize| {
            let products = databases[n % 3].products();
            async move {
                let order_id = order(&format!("crowd-{n}"));
                let mut lines = vec![line(scarce, 1), line(plenty, 2)];
                if n.is_multiple_of(2) {
                    lines.reverse();
                }
                let fence = Fence::from_stored(2);
                let hold = Hold {
                    order_id,
                    fence,
                    lines,
                };
                let id = &hold.order_id;
                let held = products.hold(&hold, now()).await.unwrap();
                match n % 5 {
                    _ if held != HoldOutcome::Held => {}
                    0 => drop(products.sell(id, now()).await.unwrap()),
                    1 => products
                        .release(id, Fence::from_stored(3), now())
                        .await
                        .unwrap(),
                    _ => {}
                }
            }
        };
        let crowd = (0..120).map(|n| tokio::spawn(buy(n)));
        for buyer in join_all(crowd).await {
            buyer.unwrap();
        }
        let balances = fresh.database.products().balances(None, 9).await.unwrap();
        for balance in &balances {
            assert_eq!(balance.excess(), 0, "{balances:?}");
            assert!(balance.available >= 0);
        }
        assert_eq!(
            2 * (balances[0].held + balances[0].sold),
            balances[1].held + balances[1].sold
        );
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

/// What the switch is for.
#[tokio::test]
async fn writes_share_transactions_unless_that_is_turned_off() {
    let fresh = Fresh::sqlite().await;
    let shirt = product(&fresh.database, 1_000).await;
    let mut jobs = Vec::new();
    for (round, group_commit) in [true, false].into_iter().enumerate() {
        let runner = Arc::new(PausesAt {
            jobs: AtomicUsize::new(usize::MAX),
            reached: Semaphore::new(0),
            go_on: Arc::new(Semaphore::new(0)),
            deaf: false,
        });
        let blocking = Blocking::new(Arc::clone(&runner) as Arc<dyn BlockingRunner>);
        let settings = DatabaseSettings {
            group_commit,
            pool_size: 1,
            ..settings(&fresh.url)
        };
        let database = Database::connect_with(&settings, blocking).await.unwrap();
        let products = database.products();
        let before = AtomicUsize::load(&runner.jobs, Ordering::SeqCst);
        let calls = (0..21).map(|n| {
            let (products, hold) = (Arc::clone(&products), one_piece(round, n, shirt));
            async move { products.hold(&hold, now()).await.unwrap() }.boxed()
        });
        let told = at_once(&fresh, calls.collect()).await;
        assert!(told.iter().all(|outcome| *outcome == HoldOutcome::Held));
        jobs.push(before - AtomicUsize::load(&runner.jobs, Ordering::SeqCst));
        let (transactions, writes) = if group_commit { (1, 20) } else { (0, 0) };
        let shared = SharedWrites {
            transactions,
            writes,
        };
        assert_eq!(database.shared_writes(), shared);
    }
    // One alone and twenty together; or twenty-one times begin, look, three writes, commit.
    assert_eq!(jobs, [6 + 7, 21 * 6]);
    assert_eq!(stock(&fresh.database, shirt).await, 1_000 - 42);
}
