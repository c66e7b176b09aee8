//! The bank: the sandbox's engine, to which requests come in whatever order the network likes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Clock as _, OrderId};
use tokio::sync::oneshot;
use toss_sandbox::engine::{Answer, ApiRequest, Delivery, Engine, Method, Step};
use toss_sandbox::{DEFAULT_SECRET_KEY, Effect, Endpoint, Fault, LedgerRow, SandboxConfig, Target};

use crate::Mutant;
use crate::world::World;

/// What the bank's own books do not show.
#[derive(Default)]
struct Extra {
    /// Charges of a careless bank beyond the first, by order.
    charges: BTreeMap<String, u32>,
    /// Calls that arrived, by order.
    calls: BTreeMap<String, u32>,
    /// Copies of calls that were sent, by order.
    sent: BTreeMap<String, u32>,
    /// The latest-sent copy that has arrived, by order.
    newest: BTreeMap<String, u32>,
}

pub(crate) struct Bank {
    engine: Mutex<Engine>,
    extra: Mutex<Extra>,
    /// Whether every new idempotency key charges again, as with a bank that keeps no order ids.
    careless: bool,
}

impl Bank {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let config = SandboxConfig {
            seed,
            public_url: Some("http://bank".to_owned()),
            ..SandboxConfig::default()
        };
        Self {
            engine: Mutex::new(Engine::new(&config)),
            extra: Mutex::default(),
            careless: mutant == Some(Mutant::NewKeyAfterSilence),
        }
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extra(&self) -> MutexGuard<'_, Extra> {
        self.extra.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The buyer opens the window and authenticates; returns the payment key.
    pub(crate) fn authenticate(
        &self,
        world: &World,
        order_id: &OrderId,
        won: u64,
        with_account: bool,
    ) -> String {
        let method = if with_account {
            Method::VirtualAccount {
                bank_code: "20".to_owned(),
                customer_name: "박토스".to_owned(),
            }
        } else {
            Method::card()
        };
        self.engine()
            .authenticate(world.now(), order_id.as_str(), "주문", won, method)
    }

    /// The money arrives in a virtual account, if one was issued.
    pub(crate) fn deposit(&self, world: &World, payment_key: &str) -> bool {
        self.engine().deposit(world.now(), payment_key).is_ok()
    }

    /// The amount that the buyer authenticated, in won.
    pub(crate) fn amount(&self, world: &World, payment_key: &str) -> Option<u64> {
        self.engine()
            .payment(world.now(), payment_key, |payment, _| payment.amount)
    }

    /// What the bank did for an order.
    pub(crate) fn row(&self, order_id: &OrderId) -> LedgerRow {
        let row = self.engine().ledger_row(order_id.as_str());
        let mut row = row.unwrap_or_else(|| LedgerRow {
            order_id: order_id.to_string(),
            approvals: 0,
            approved: 0,
            canceled: 0,
            net: 0,
        });
        row.approvals += self
            .extra()
            .charges
            .get(order_id.as_str())
            .copied()
            .unwrap_or(0);
        row
    }

    /// The list of transactions between two moments of Korean time, as text that Toss would send.
    pub(crate) fn transactions(&self, world: &World, query: &str) -> Option<String> {
        let endpoint = Endpoint::Transactions;
        let request = ApiRequest::new(endpoint, DEFAULT_SECRET_KEY, query, String::new());
        match self.engine().call(world.now(), request) {
            Delivery::Answer(answer) if answer.status == 200 => Some(answer.body.to_string()),
            Delivery::Answer(_) | Delivery::Silence | Delivery::Reset => None,
        }
    }

    /// How many calls about an order have arrived.
    pub(crate) fn calls(&self, order_id: &OrderId) -> u32 {
        self.extra()
            .calls
            .get(order_id.as_str())
            .copied()
            .unwrap_or(0)
    }
}

/// A call of the bank.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) order_id: OrderId,
    /// The payment key or order id in the path.
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) key: Option<String>,
}

impl Call {
    /// A question about an order.
    pub(crate) fn look(order_id: &OrderId) -> Self {
        Self {
            endpoint: Endpoint::GetByOrder,
            order_id: order_id.clone(),
            subject: order_id.as_str().to_owned(),
            body: String::new(),
            key: None,
        }
    }

    fn request(&self) -> ApiRequest {
        let (subject, body) = (&self.subject, self.body.clone());
        let mut request = ApiRequest::new(self.endpoint, DEFAULT_SECRET_KEY, subject, body);
        request.idempotency_key.clone_from(&self.key);
        request
    }
}

/// One copy of a call travels to the bank, is worked on, and its answer travels back. Outlives
/// whoever sent it.
pub(crate) async fn carry(
    world: Arc<World>,
    call: Call,
    effect: Option<Effect>,
    there: Duration,
    back: Option<Duration>,
    reply: Option<oneshot::Sender<Answer>>,
) {
    let number = {
        let mut extra = world.bank.extra();
        let sent = extra.sent.entry(call.order_id.to_string()).or_default();
        *sent += 1;
        *sent
    };
    tokio::time::sleep(there).await;
    note_reordering(&world, &call, number);
    let step = receive(&world, &call, effect);
    let delivery = match step {
        Step::Deliver(delivery) => delivery,
        Step::Work(ticket) => {
            let busy = if world.is_stormy() {
                world.millis(1, 40)
            } else {
                Duration::from_millis(5)
            };
            tokio::time::sleep(busy).await;
            world.bank.engine().perform(world.now(), *ticket)
        }
    };
    settle(&world, &call, &delivery);
    let (Some(back), Some(reply), Delivery::Answer(answer)) = (back, reply, delivery) else {
        return;
    };
    tokio::time::sleep(back).await;
    // The sender may have given up.
    drop(reply.send(answer));
}

/// A message that arrives after one that was sent later was overtaken.
fn note_reordering(world: &World, call: &Call, number: u32) {
    let mut extra = world.bank.extra();
    let newest = extra.newest.entry(call.order_id.to_string()).or_default();
    let is_overtaken = *newest > number;
    *newest = number.max(*newest);
    drop(extra);
    if is_overtaken {
        world.count("requests to the bank overtaken by later ones");
        let (endpoint, id) = (call.endpoint, &call.order_id);
        world.note("bank", format_args!("{endpoint:?} {id} was overtaken"));
    }
}

fn receive(world: &World, call: &Call, effect: Option<Effect>) -> Step {
    let id = call.order_id.as_str();
    *world.bank.extra().calls.entry(id.to_owned()).or_default() += 1;
    let engine = &mut *world.bank.engine();
    if let Some(effect) = effect {
        // Hits this very call, which comes next.
        engine.inject(Fault {
            target: Target::default(),
            effect,
            times: Some(1),
        });
    }
    engine.receive(world.now(), call.request()).step
}

/// Notes what was done, and lets the judge look at it.
fn settle(world: &World, call: &Call, delivery: &Delivery) {
    let (endpoint, id) = (call.endpoint, &call.order_id);
    match delivery {
        Delivery::Answer(answer) => {
            let code = code_of(&answer.body);
            let key = call.key.as_deref().unwrap_or("-");
            let status = answer.status;
            world.note(
                "bank",
                format_args!("{endpoint:?} {id} key {key}: {status} {code}"),
            );
            let is_fresh = answer.first_trace_id.is_none();
            if world.bank.careless && is_fresh && code == "ALREADY_PROCESSED_PAYMENT" {
                let id = id.as_str().to_owned();
                *world.bank.extra().charges.entry(id).or_default() += 1;
            }
        }
        Delivery::Silence | Delivery::Reset => {
            world.note("bank", format_args!("{endpoint:?} {id}: no answer"));
        }
    }
    world.judge.after_the_bank(world, id);
}

/// The error's code, or the payment's status.
pub(crate) fn code_of(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let code = body.get("code").or_else(|| body.get("status"));
    code.and_then(|code| code.as_str())
        .unwrap_or("?")
        .to_owned()
}
