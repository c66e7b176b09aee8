//! What clients ask for, and what they make of the answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::wire::{Answer, Request};

const CHECKOUT: &str = "/api/v1/payments/checkout";
const CONFIRM: &str = "/api/v1/payments/confirm";

/// What an answer means to a measurement.
pub(crate) enum Verdict {
    /// What was asked for.
    Good,
    /// The server said, with this code, that it cannot do it now.
    Refused(String),
    /// Something that must not happen, whatever the load.
    Wrong(String),
}

/// A stream of requests that any number of clients share.
pub(crate) trait Work: Send + Sync + 'static {
    /// The next one; none when all are made.
    fn next(&self) -> Option<Request>;
    /// Takes its answer.
    fn take(&self, tag: usize, answer: &Answer) -> Verdict;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Anything but the wished answer.
fn verdict_on(answer: &Answer) -> Verdict {
    let body = String::from_utf8_lossy(&answer.body);
    if answer.status == 503 {
        let code = body.split(r#""code":""#).nth(1).unwrap_or_default();
        return Verdict::Refused(code.split('"').next().unwrap_or_default().to_owned());
    }
    Verdict::Wrong(format!("HTTP {} {body}", answer.status))
}

/// What orders look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Everybody wants the first product.
    pub(crate) hot: bool,
    /// Products of one order, one piece of each.
    pub(crate) lines: usize,
}

impl Shape {
    pub(crate) const SPREAD: Self = Self {
        hot: false,
        lines: 1,
    };
    pub(crate) const HOT: Self = Self {
        hot: true,
        lines: 1,
    };
}

/// An order that can be confirmed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    pub(crate) order_id: String,
    pub(crate) total_amount: u64,
}

/// Checkouts without end, or as many as are wanted.
pub(crate) struct Checkouts {
    products: Vec<i64>,
    shape: Shape,
    count_max: usize,
    begun: AtomicUsize,
    orders: Mutex<Vec<Order>>,
}

impl Checkouts {
    pub(crate) fn new(products: Vec<i64>, shape: Shape, count_max: usize) -> Self {
        Self {
            products,
            shape,
            count_max,
            begun: AtomicUsize::new(0),
            orders: Mutex::default(),
        }
    }

    /// The orders so far; they are not here any more afterwards.
    pub(crate) fn orders(&self) -> Vec<Order> {
        std::mem::take(&mut *lock(&self.orders))
    }

    fn body(&self, number: usize) -> String {
        let lines = (0..self.shape.lines).map(|line| {
            let index = if self.shape.hot { line } else { number + line };
            let product = self.products[index % self.products.len()];
            format!(r#"{{"productId":{product},"quantity":1}}"#)
        });
        let lines = lines.collect::<Vec<_>>().join(",");
        format!(r#"{{"userId":1,"orderedProductList":[{lines}]}}"#)
    }
}

impl Work for Checkouts {
    fn next(&self) -> Option<Request> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        (number < self.count_max).then(|| Request {
            path: CHECKOUT,
            body: self.body(number),
            tag: number,
        })
    }

    fn take(&self, _: usize, answer: &Answer) -> Verdict {
        #[derive(Deserialize)]
        struct Made {
            data: Order,
        }
        if answer.status != 200 {
            return verdict_on(answer);
        }
        match serde_json::from_slice::<Made>(&answer.body) {
            Ok(Made { data }) => {
                lock(&self.orders).push(data);
                Verdict::Good
            }
            Err(error) => Verdict::Wrong(format!("an unreadable order: {error}")),
        }
    }
}

/// Confirms of orders that buyers have authenticated at the bank.
pub(crate) struct Confirms {
    orders: Vec<(Order, String)>,
    begun: AtomicUsize,
    paid: Mutex<Vec<usize>>,
}

impl Confirms {
    /// Of orders with their payment keys.
    pub(crate) fn new(orders: Vec<(Order, String)>) -> Self {
        Self {
            orders,
            begun: AtomicUsize::new(0),
            paid: Mutex::default(),
        }
    }

    /// Those whose clients were told that they are paid.
    pub(crate) fn paid(&self) -> Vec<Order> {
        let paid = lock(&self.paid);
        let paid = paid.iter().map(|tag| self.orders[*tag].0.clone());
        paid.collect()
    }
}

impl Work for Confirms {
    fn next(&self) -> Option<Request> {
        let tag = self.begun.fetch_add(1, Ordering::Relaxed);
        let (order, payment_key) = self.orders.get(tag)?;
        let Order {
            order_id,
            total_amount,
        } = order;
        let body = format!(
            r#"{{"userId":1,"orderId":"{order_id}","amount":{total_amount},"paymentKey":"{payment_key}"}}"#
        );
        Some(Request {
            path: CONFIRM,
            body,
            tag,
        })
    }

    fn take(&self, tag: usize, answer: &Answer) -> Verdict {
        let done: &[u8] = br#""status":"DONE""#;
        let says_done = answer.body.windows(done.len()).any(|at| at == done);
        if answer.status != 200 || !says_done {
            return verdict_on(answer);
        }
        lock(&self.paid).push(tag);
        Verdict::Good
    }
}

/// Confirms that nobody looks at, for the server that only echoes.
pub(crate) struct Echoes;

impl Work for Echoes {
    fn next(&self) -> Option<Request> {
        let body = r#"{"userId":1,"orderId":"0190b6a4-0000-7000-8000-000000000000","amount":50000,"paymentKey":"tgen_echo00000000"}"#;
        Some(Request {
            path: CONFIRM,
            body: body.to_owned(),
            tag: 0,
        })
    }

    fn take(&self, _: usize, answer: &Answer) -> Verdict {
        if answer.status == 200 {
            Verdict::Good
        } else {
            verdict_on(answer)
        }
    }
}
