//! Confirms per second that a database stores, with shared transactions (`grouped`) and with one
//! for each write (`plain`), in turns.
//!
//! A confirm here is what the server writes for one, without HTTP and without Toss: claim, hold,
//! finish, sell, delivered message. Orders are checked out before the clock starts.
//!
//! ```console
//! $ cargo run --profile ci -p storage --all-features --example commits -- \
//!       [--mysql mysql://root@HOST:PORT/NAME] [--clients 1,16,64,256] [--seconds 2] [--rounds 3] \
//!       [--pool 10] [--products 100]
//! ```
//!
//! Without `--mysql` the database is a new SQLite file in the present folder: measure on a disk, not
//! on a tmpfs. A MySQL database must be new too, on a server that syncs its logs at every commit.

#![expect(clippy::print_stdout, reason = "its report")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that fails is none"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use kernel::{Clock as _, Money, OrderId, PaymentKey, ProductId, Quantity, SellerId, SystemClock};
use payment_domain::model::{
    Attempt, AttemptChange, AttemptOutcome, AttemptPurpose, AttemptResult, Change, OutboxKey,
    Payment, PaymentFact, StockInstruction, Transaction, TransactionKind,
};
use payment_domain::port::{Applied, Inserted, PaymentRepository};
use payment_domain::testing::change;
use product_domain::model::{Hold, NewProduct, ReservationLine, SellDecision, Stock};
use product_domain::{HoldOutcome, ProductRepository};
use storage::{Database, DatabaseSettings, DatabaseUrl};

/// Orders that are checked out for each second and mode; more than any mode confirms.
const ORDERS_PER_SECOND: u64 = 12_000;

struct Options {
    mysql: Option<String>,
    clients: Vec<usize>,
    seconds: u64,
    rounds: usize,
    pool: usize,
    products: usize,
}

/// The write side of one mode.
#[derive(Clone)]
struct Store {
    payments: Arc<dyn PaymentRepository>,
    products: Arc<dyn ProductRepository>,
}

/// Orders that are checked out and not yet confirmed.
#[derive(Default)]
struct Orders {
    next: AtomicU64,
    ready: Mutex<Vec<Payment>>,
}

fn options() -> Options {
    let mut options = Options {
        mysql: None,
        clients: vec![1, 16, 64, 256],
        seconds: 2,
        rounds: 3,
        pool: 10,
        products: 100,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap();
        match flag.as_str() {
            "--mysql" => options.mysql = Some(value),
            "--clients" => {
                let clients = value.split(',').map(|text| text.parse().unwrap());
                options.clients = clients.collect();
            }
            "--seconds" => options.seconds = value.parse().unwrap(),
            "--rounds" => options.rounds = value.parse().unwrap(),
            "--pool" => options.pool = value.parse().unwrap(),
            "--products" => options.products = value.parse().unwrap(),
            other => panic!("unknown: {other}"),
        }
    }
    options
}

async fn store(options: &Options, url: &DatabaseUrl, group_commit: bool) -> (Database, Store) {
    let settings = DatabaseSettings {
        pool_size: options.pool,
        // 256 clients of one connection wait for long.
        acquire_timeout: Duration::from_secs(60),
        group_commit,
        ..DatabaseSettings::new(url.clone())
    };
    let database = Database::connect(&settings).await.unwrap();
    let store = Store {
        payments: database.payments(),
        products: database.products(),
    };
    (database, store)
}

async fn fill_the_shelf(store: &Store, products: usize) -> Vec<ProductId> {
    let new = NewProduct {
        name: "셔츠".into(),
        description: String::new(),
        price: Money::from_won(1_000).unwrap(),
        stock: Stock::new(Stock::MAX).unwrap(),
        seller_id: SellerId::new(1).unwrap(),
    };
    let mut ids = Vec::new();
    for _ in 0..products {
        let product = store.products.insert(&new, SystemClock.now()).await;
        ids.push(product.unwrap().id);
    }
    ids
}

impl Orders {
    /// Checks orders out until so many are ready.
    async fn top_up(self: &Arc<Self>, store: &Store, most: usize) {
        let clerks = (0..64).map(|_| {
            let (orders, store) = (Arc::clone(self), store.clone());
            tokio::spawn(async move {
                while orders.ready.lock().unwrap().len() < most {
                    let number = orders.next.fetch_add(1, Ordering::Relaxed);
                    let mut payment = payment_domain::testing::payment();
                    // Spread like random ids, and different in every run.
                    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    payment.order_id = format!("order-{spread:016x}-{number}").parse().unwrap();
                    let stored = store.payments.insert(&payment, None).await.unwrap();
                    assert_eq!(stored, Inserted::Stored);
                    orders.ready.lock().unwrap().push(payment);
                }
            })
        });
        for clerk in join_all(clerks).await {
            clerk.unwrap();
        }
    }

    fn take(&self) -> Payment {
        let ready = self.ready.lock().unwrap().pop();
        ready.expect("more orders than anybody confirms")
    }
}

fn claim(payment: &Payment) -> Change {
    let mut claim = change(payment, PaymentFact::Claimed, SystemClock.now());
    let key: PaymentKey = format!("tgen_{}", payment.order_id).parse().unwrap();
    let now = claim.history.at;
    claim.after.payment_key = Some(key.clone());
    claim.after.attempts = 1;
    claim.after.due_at = Some(now + Duration::from_secs(90));
    claim.attempt = Some(AttemptChange::Start(Attempt {
        number: 1,
        purpose: AttemptPurpose::Confirm,
        payment_key: key,
        amount: payment.total,
        started_at: now,
        result: None,
        finished_at: None,
    }));
    claim
}

fn finish(payment: &Payment) -> Change {
    let mut done = change(payment, PaymentFact::Approved, SystemClock.now());
    done.after.balance = payment.total;
    done.after.method = Some("카드".into());
    done.after.approved_at = Some(done.history.at);
    done.attempt = Some(AttemptChange::Finish {
        number: 1,
        result: AttemptResult {
            outcome: AttemptOutcome::Approved,
            code: None,
            message: None,
            trace_id: Some("trace".into()),
        },
    });
    done.transaction = Some(Transaction {
        kind: TransactionKind::Approval,
        amount_won: payment.total.won(),
        transaction_key: Some("transaction".into()),
        reason: None,
        at: done.history.at,
    });
    done.stock = Some(StockInstruction::Sell);
    done
}

async fn confirm(store: &Store, payment: &Payment, product_id: ProductId) {
    let claimed = claim(payment);
    let applied = store.payments.apply(&claimed).await.unwrap();
    assert_eq!(applied, Applied::Yes);
    let order_id: OrderId = payment.order_id.clone();
    let hold = Hold {
        order_id: order_id.clone(),
        fence: claimed.after.fence,
        lines: vec![ReservationLine {
            product_id,
            quantity: Quantity::new(1).unwrap(),
        }],
    };
    let held = store.products.hold(&hold, SystemClock.now()).await;
    assert_eq!(held.unwrap(), HoldOutcome::Held);
    let done = finish(&claimed.after);
    let applied = store.payments.apply(&done).await.unwrap();
    assert_eq!(applied, Applied::Yes);
    let sold = store.products.sell(&order_id, SystemClock.now()).await;
    assert_eq!(sold.unwrap(), SellDecision::Sell);
    let message = OutboxKey {
        order_id,
        fence: done.after.fence,
    };
    store.payments.message_delivered(&message).await.unwrap();
}

/// Confirms for so long, and how long each confirm took.
async fn measure(
    store: &Store,
    orders: &Arc<Orders>,
    shelf: &[ProductId],
    clients: usize,
    lasts: Duration,
) -> (f64, Vec<Duration>) {
    let began = Instant::now();
    let running = (0..clients).map(|client| {
        let (store, orders, shelf) = (store.clone(), Arc::clone(orders), shelf.to_vec());
        tokio::spawn(async move {
            let mut took = Vec::new();
            let mut shelf = shelf.iter().cycle().skip(client % shelf.len()).copied();
            while began.elapsed() < lasts {
                let payment = orders.take();
                let asked = Instant::now();
                confirm(&store, &payment, shelf.next().unwrap()).await;
                took.push(asked.elapsed());
            }
            took
        })
    });
    let mut took = Vec::new();
    for client in join_all(running).await {
        took.extend(client.unwrap());
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    (rate, took)
}

fn median<T: Copy + PartialOrd>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let options = options();
    let folder = tempfile::tempdir_in(".").unwrap();
    let url = match &options.mysql {
        Some(text) => DatabaseUrl::parse(text).unwrap(),
        None => DatabaseUrl::sqlite(&folder.path().join("commits.db")),
    };
    let (database, grouped) = store(&options, &url, true).await;
    database.migrate().await.unwrap();
    let (_, plain) = store(&options, &url, false).await;
    let shelf = fill_the_shelf(&grouped, options.products).await;
    let orders = Arc::new(Orders::default());
    let most = usize::try_from(ORDERS_PER_SECOND * options.seconds).unwrap();
    for &clients in &options.clients {
        let (mut rates, mut took) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for round in 0..options.rounds {
            // Who comes second finds the database's caches and log as the first has left them.
            for turn in 0..2 {
                let mode = (round + turn) % 2;
                let store = [&plain, &grouped][mode];
                let wanted = if clients <= 16 { most / 4 } else { most };
                orders.top_up(&grouped, wanted).await;
                let lasts = Duration::from_secs(options.seconds);
                let (rate, each) = measure(store, &orders, &shelf, clients, lasts).await;
                rates[mode].push(rate);
                took[mode].extend(each);
            }
        }
        for (mode, name) in ["plain", "grouped"].into_iter().enumerate() {
            let p50 = median(&mut took[mode]);
            let rate = median(&mut rates[mode]);
            let (least, most) = (rates[mode][0], rates[mode][rates[mode].len() - 1]);
            println!(
                "{clients:>4} clients {name:>8}: {rate:>6.0} confirms/s ({least:.0}-{most:.0}), \
                 p50 {:.2} ms",
                p50.as_secs_f64() * 1_000.0
            );
        }
        let ratio = median(&mut rates[1]) / median(&mut rates[0]);
        let latency = median(&mut took[1]).as_secs_f64() / median(&mut took[0]).as_secs_f64();
        println!("{clients:>4} clients    ratio: {ratio:.2} of the rate, {latency:.2} of the p50");
    }
}
