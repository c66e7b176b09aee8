use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use kernel::{PaymentKey, StoreError, Timestamp, from_micros};
use payment_domain::model::{OutboxMessage, Payment};
use payment_domain::port::Vitals;
use payment_domain::{
    CancelCommand, CancelError, CancelOutcome, CheckoutCommand, CheckoutError, CheckoutOutcome,
    ConfirmCommand, ConfirmError, ConfirmOutcome, Examined, Observed, PaymentView, ReadError,
    ResolveCommand, ResolveError,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;

const INTERVAL: Duration = Duration::from_secs(60);
/// How long Toss takes.
const CALL: Duration = Duration::from_millis(10);

/// A row that nothing moves, because it cannot be read.
const BAD: &str = "bad-";
/// A payment about which Toss says nothing.
const SILENT: &str = "silent-";
/// A payment at which a recovery panics.
const PANIC: &str = "panic-";

/// Payments that are due until they are recovered.
#[derive(Default)]
struct Backlog {
    due: Mutex<BTreeSet<DuePayment>>,
    /// Recoveries begun, by order.
    begun: Mutex<BTreeMap<OrderId, u32>>,
    running: Mutex<Vec<OrderId>>,
    running_max: AtomicUsize,
    /// Recoveries that asked about a payment while another one did.
    collisions: AtomicUsize,
    deliveries: AtomicUsize,
    hastenings: AtomicUsize,
}

impl Backlog {
    fn of(names: impl IntoIterator<Item = String>) -> Arc<Self> {
        let due = (0..).zip(names).map(|(since, name)| DuePayment {
            due_at: moment(since),
            order_id: name.parse().unwrap(),
        });
        Arc::new(Self {
            due: Mutex::new(due.collect()),
            ..Self::default()
        })
    }

    fn left(&self) -> usize {
        self.due.lock().unwrap().len()
    }

    fn begun(&self, prefix: &str) -> BTreeSet<u32> {
        let begun = self.begun.lock().unwrap();
        let of_prefix = begun
            .iter()
            .filter(|(id, _)| id.as_str().starts_with(prefix));
        of_prefix.map(|(_, times)| *times).collect()
    }
}

fn moment(since: i64) -> Timestamp {
    from_micros(since)
}

fn named(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{prefix}{number:06}"))
}

#[async_trait]
impl PaymentReceiver for Backlog {
    async fn due(
        &self,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        let due = self.due.lock().unwrap();
        let behind = due
            .iter()
            .filter(|due| after.as_ref().is_none_or(|after| *due > after));
        Ok(behind.take(limit as usize).cloned().collect())
    }

    async fn recover(&self, order_id: &OrderId) -> Result<(), StoreError> {
        *self
            .begun
            .lock()
            .unwrap()
            .entry(order_id.clone())
            .or_default() += 1;
        assert!(!order_id.as_str().starts_with(PANIC), "planted");
        if order_id.as_str().starts_with(BAD) {
            return Err(StoreError::Corrupt {
                action: "read a payment",
                source: "planted".into(),
            });
        }
        let find =
            |due: &BTreeSet<DuePayment>| due.iter().find(|due| due.order_id == *order_id).cloned();
        let Some(found) = find(&self.due.lock().unwrap()) else {
            return Ok(());
        };
        {
            let mut running = self.running.lock().unwrap();
            if running.contains(order_id) {
                self.collisions.fetch_add(1, Ordering::SeqCst);
            }
            running.push(order_id.clone());
            self.running_max.fetch_max(running.len(), Ordering::SeqCst);
        }
        if order_id.as_str().starts_with(SILENT) {
            std::future::pending::<()>().await;
        }
        sleep(CALL).await;
        self.due.lock().unwrap().remove(&found);
        let mut running = self.running.lock().unwrap();
        let place = running.iter().position(|id| id == order_id).unwrap();
        running.swap_remove(place);
        Ok(())
    }

    async fn deliver(&self, _: &OrderId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn deliver_message(&self, _: &OutboxMessage) -> Result<(), StoreError> {
        Ok(())
    }

    async fn deliver_due(&self, _: u32) -> Result<usize, StoreError> {
        self.deliveries.fetch_add(1, Ordering::SeqCst);
        Ok(0)
    }

    async fn check_out(&self, _: CheckoutCommand) -> Result<CheckoutOutcome, CheckoutError> {
        unreachable!()
    }

    async fn examine(&self, _: &ConfirmCommand) -> Result<Examined, ConfirmError> {
        unreachable!()
    }

    async fn confirm(&self, _: Payment, _: PaymentKey) -> Result<ConfirmOutcome, ConfirmError> {
        unreachable!()
    }

    async fn cancel(&self, _: CancelCommand) -> Result<CancelOutcome, CancelError> {
        unreachable!()
    }

    async fn observe(&self, _: &OrderId) -> Result<Observed, StoreError> {
        unreachable!()
    }

    async fn read(&self, _: &OrderId) -> Result<PaymentView, ReadError> {
        unreachable!()
    }

    async fn hasten(&self) -> Result<usize, StoreError> {
        self.hastenings.fetch_add(1, Ordering::SeqCst);
        // Toss is silent, and the question takes its time.
        sleep(CALL).await;
        Ok(0)
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        unreachable!()
    }

    async fn recover_now(&self, _: &OrderId) -> Result<(), ReadError> {
        unreachable!()
    }

    async fn resolve(&self, _: ResolveCommand) -> Result<(), ResolveError> {
        unreachable!()
    }
}

/// Splitmix64.
struct Seeded(AtomicU64);

impl Randomness for Seeded {
    fn next_u64(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(step, Ordering::SeqCst).wrapping_add(step);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

struct Worker {
    task: JoinHandle<()>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

fn start(backlog: &Arc<Backlog>, concurrency: u32, seed: u64) -> Worker {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let pace = Pace {
        interval: INTERVAL,
        concurrency,
    };
    let payments = Arc::clone(backlog) as Arc<dyn PaymentReceiver>;
    let randomness = Arc::new(Seeded(AtomicU64::new(seed)));
    let task = tokio::spawn(run(payments, randomness, pace, tasks.clone(), stop.clone()));
    Worker { task, tasks, stop }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_many_pages_is_drained_within_one_interval() {
    let backlog = Backlog::of(named("order-", 5_000));
    let _worker = start(&backlog, 20, 1);
    sleep(INTERVAL.checked_sub(CALL).unwrap()).await;
    assert_eq!(backlog.left(), 0);
    assert_eq!(backlog.begun("order-"), BTreeSet::from([1]));
    assert_eq!(backlog.running_max.load(Ordering::SeqCst), 20);
}

#[tokio::test(start_paused = true)]
async fn payments_that_do_not_move_stop_no_other_and_are_tried_once_per_interval() {
    // More than a page of them, and all of them before the others.
    let backlog = Backlog::of(named(BAD, 300).chain(named("order-", 300)));
    let _worker = start(&backlog, 2, 1);
    sleep(INTERVAL / 2).await;
    assert_eq!(backlog.left(), 300);
    assert_eq!(backlog.begun("order-"), BTreeSet::from([1]));
    assert_eq!(backlog.begun(BAD), BTreeSet::from([1]));
    sleep(INTERVAL).await;
    assert_eq!(backlog.begun(BAD), BTreeSet::from([2]));
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_panics_leaves_its_place_to_another() {
    let backlog = Backlog::of(named(PANIC, 5).chain(named("order-", 5)));
    let _worker = start(&backlog, 1, 1);
    sleep(INTERVAL / 2).await;
    assert_eq!(backlog.left(), 5);
    assert_eq!(backlog.begun("order-"), BTreeSet::from([1]));
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_being_recovered_is_not_begun_again() {
    let backlog = Backlog::of(named(SILENT, 3));
    let _worker = start(&backlog, 10, 1);
    sleep(INTERVAL * 5).await;
    assert_eq!(backlog.begun(SILENT), BTreeSet::from([1]));
}

#[tokio::test(start_paused = true)]
async fn the_outbox_and_the_look_for_toss_go_on_while_recovery_waits_for_toss() {
    let backlog = Backlog::of(named(SILENT, 100));
    let _worker = start(&backlog, 4, 1);
    sleep(INTERVAL * 5).await;
    assert_eq!(backlog.running_max.load(Ordering::SeqCst), 4);
    assert_eq!(backlog.deliveries.load(Ordering::SeqCst), 5);
    assert_eq!(backlog.hastenings.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn two_instances_rarely_take_the_same_payment() {
    let backlog = Backlog::of(named("order-", 4_000));
    let _one = start(&backlog, 20, 1);
    let began = Instant::now();
    let _other = start(&backlog, 20, 2);
    while backlog.left() > 0 {
        sleep(CALL).await;
    }
    // Each has half of the work, of which a page's end takes a little more.
    let alone = CALL * 4_000 / 20;
    assert!(began.elapsed() < alone * 6 / 10, "{:?}", began.elapsed());
    let collisions = backlog.collisions.load(Ordering::SeqCst);
    assert!(collisions < 4_000 / 10, "{collisions} of 4000");
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_worker_and_lets_running_recoveries_finish() {
    let backlog = Backlog::of(named("order-", 1_000));
    let worker = start(&backlog, 4, 1);
    sleep(CALL / 2).await;
    worker.stop.cancel();
    worker.task.await.unwrap();
    assert_eq!(backlog.left(), 1_000);
    worker.tasks.close();
    worker.tasks.wait().await;
    assert_eq!(backlog.left(), 996);
}
