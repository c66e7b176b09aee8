//! Clients that buy and retry, and what they were told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Clock, SystemClock, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::stage::{API_KEY, PRICE, Stage};

/// How long a client waits when a checkout was refused or not answered.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// Confirms of one tab of a browser.
const TRIES_MAX: u32 = 6;

/// What a client was told for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Paid,
    Failed,
}

/// An order that a client knows of.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Which of the two products.
    pub(crate) product: usize,
    /// When a confirm last ended without a certain answer.
    pub(crate) uncertain_at: Option<Timestamp>,
    pub(crate) told: Option<Told>,
}

/// What all clients have seen and done.
#[derive(Default)]
pub(crate) struct Seen {
    orders: Mutex<BTreeMap<String, Order>>,
    /// Answered confirms by HTTP status.
    answers: Mutex<BTreeMap<u16, u64>>,
    breaks: Mutex<Vec<String>>,
    pub(crate) answered: AtomicU64,
    unanswered: AtomicU64,
    two_tabs: AtomicU64,
    abandoned: AtomicU64,
    keyed_checkouts: AtomicU64,
    replays: AtomicU64,
    operator_looks: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Seen {
    pub(crate) fn orders(&self) -> MutexGuard<'_, BTreeMap<String, Order>> {
        lock(&self.orders)
    }

    /// Where clients were told things that contradict each other.
    pub(crate) fn told_breaks(&self) -> Vec<String> {
        lock(&self.breaks).clone()
    }

    fn is_broken(&self, what: String) {
        lock(&self.breaks).push(what);
    }

    /// The counts, for the report.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        let mut counts = Vec::new();
        for (name, counter) in [
            ("confirms answered", &self.answered),
            ("unanswered", &self.unanswered),
            ("orders confirmed in two tabs at once", &self.two_tabs),
            ("orders abandoned", &self.abandoned),
            ("checkouts with a key", &self.keyed_checkouts),
            ("repeated checkouts", &self.replays),
            ("looks asked for by an operator", &self.operator_looks),
        ] {
            counts.push((name.to_owned(), counter.load(Ordering::Relaxed)));
        }
        let answers = lock(&self.answers);
        let answers = answers
            .iter()
            .map(|(status, n)| (format!("HTTP {status}"), *n));
        counts.extend(answers);
        counts
    }

    fn note_answer(&self, order_id: &str, answer: Option<&(u16, Value)>) -> Option<Told> {
        let told = match answer {
            Some((200, body)) if body["data"]["status"] == "DONE" => Some(Told::Paid),
            Some((_, body)) => match body["error"]["code"].as_str() {
                Some("E03010" | "E03013") => Some(Told::Failed),
                Some(_) | None => None,
            },
            None => None,
        };
        match answer {
            Some((status, _)) => {
                count(&self.answered);
                *lock(&self.answers).entry(*status).or_default() += 1;
            }
            None => count(&self.unanswered),
        }
        let mut orders = self.orders();
        let order = orders.get_mut(order_id)?;
        match (order.told, told) {
            (Some(before), Some(now)) if before != now => {
                drop(orders);
                self.is_broken(format!(
                    "{order_id}: a client was told {before:?}, then {now:?}"
                ));
            }
            (_, Some(_)) => order.told = told,
            (None, None) => order.uncertain_at = Some(SystemClock.now()),
            // Certain once is certain for ever, whatever another tab is told.
            (Some(_), None) => {}
        }
        told
    }
}

/// One client.
pub(crate) struct Client<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) seen: &'a Seen,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) products: [i64; 2],
    pub(crate) number: u64,
}

impl Client<'_> {
    /// Buys until told to stop.
    pub(crate) async fn buy(&self) {
        let seed = self.stage.options.seed ^ ((self.number + 1) << 32);
        let mut random = SmallRng::seed_from_u64(seed);
        let mut wishes = 0;
        while !self.stopped() {
            wishes += 1;
            let product = usize::from(random.random_bool(0.01));
            let Some(order_id) = self.check_out(&mut random, product, wishes).await else {
                tokio::time::sleep(AFTER_REFUSAL).await;
                continue;
            };
            if random.random_bool(0.06) {
                count(&self.seen.abandoned);
                continue;
            }
            let Some(claim) = self.authenticate(&order_id).await else {
                continue;
            };
            let told = if random.random_bool(0.2) {
                count(&self.seen.two_tabs);
                let mut other = SmallRng::seed_from_u64(random.random());
                let (first, second) = tokio::join!(
                    self.confirm(&mut random, &order_id, &claim),
                    self.confirm(&mut other, &order_id, &claim),
                );
                first.or(second)
            } else {
                self.confirm(&mut random, &order_id, &claim).await
            };
            self.look_again(&mut random, &order_id, told).await;
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn url(&self, random: &mut SmallRng, path: &str) -> String {
        let instances = &self.stage.instances;
        let port = instances[random.random_range(0..instances.len())].port;
        format!("http://127.0.0.1:{port}/api/v1/payments/{path}")
    }

    /// An order, with an idempotency key in half of all cases; then it is asked for until there is
    /// an answer, and sometimes once more.
    async fn check_out(&self, random: &mut SmallRng, product: usize, wish: u64) -> Option<String> {
        let line = json!({"productId": self.products[product], "quantity": 1});
        let body = json!({"userId": 1, "orderedProductList": [line]});
        let key = random
            .random_bool(0.5)
            .then(|| format!("client-{}-{wish}", self.number));
        let tries = if key.is_some() { 4 } else { 1 };
        let mut first = None;
        for _ in 0..tries {
            let mut post = self.stage.http.post(self.url(random, "checkout"));
            if let Some(key) = &key {
                post = post.header("Idempotency-Key", key);
            }
            if let Some((200, answer)) = send(post.json(&body)).await {
                let order_id = answer["data"]["orderId"].as_str()?.to_owned();
                match &first {
                    None => {
                        let order = Order {
                            product,
                            uncertain_at: None,
                            told: None,
                        };
                        self.seen.orders().insert(order_id.clone(), order);
                        first = Some(order_id);
                        if key.is_none() || random.random_bool(0.7) {
                            break;
                        }
                        count(&self.seen.replays);
                    }
                    Some(first) if *first != order_id => {
                        self.seen
                            .is_broken(format!("one key made {first} and {order_id}"));
                        break;
                    }
                    Some(_) => break,
                }
            } else if first.is_some() || self.stopped() {
                break;
            } else {
                tokio::time::sleep(AFTER_REFUSAL).await;
            }
        }
        if key.is_some() && first.is_some() {
            count(&self.seen.keyed_checkouts);
        }
        first
    }

    /// As if the buyer had pressed Pay in the window.
    async fn authenticate(&self, order_id: &str) -> Option<Value> {
        let window = format!("{}/sandbox/payments", self.stage.bank);
        let wish = json!({"orderId": order_id, "amount": PRICE});
        let (_, opened) = send(self.stage.http.post(window).json(&wish)).await?;
        let key = opened["paymentKey"].as_str()?;
        Some(json!({"userId": 1, "orderId": order_id, "amount": PRICE, "paymentKey": key}))
    }

    /// Confirms, anywhere, until the answer is certain or patience is at its end.
    async fn confirm(&self, random: &mut SmallRng, order_id: &str, claim: &Value) -> Option<Told> {
        for _ in 0..random.random_range(1..=TRIES_MAX) {
            let url = self.url(random, "confirm");
            let answer = send(self.stage.http.post(url).json(claim)).await;
            let told = self.seen.note_answer(order_id, answer.as_ref());
            if told.is_some() || self.stopped() {
                return told;
            }
            let pause = Duration::from_millis(random.random_range(0..300));
            tokio::time::sleep(pause).await;
        }
        None
    }

    /// Some clients read their order afterwards, and an operator has some failed orders looked at
    /// once more for money that came after all.
    async fn look_again(&self, random: &mut SmallRng, order_id: &str, told: Option<Told>) {
        if random.random_bool(0.1) {
            let url = self.url(random, order_id);
            self.stage.get(&url).await;
        }
        if told == Some(Told::Failed) && random.random_bool(0.3) {
            count(&self.seen.operator_looks);
            let url = self.url(random, &format!("{order_id}/recover"));
            send(self.stage.http.post(url).bearer_auth(API_KEY)).await;
        }
    }
}

async fn send(request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
    let answer = request.send().await.ok()?;
    Some((answer.status().as_u16(), answer.json().await.ok()?))
}
