//! One server over fakes that a test scripts by hand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kernel::{Clock, Money, ProductId, Quantity, StoreError, Timestamp, UserId};
use payment_domain::model::{
    Attempt, AttemptOutcome, Buyer, GatewayPayment, GatewayStatus, HistoryEntry, Payment,
    PaymentFact, PaymentStatus, Policy, Transaction,
};
use payment_domain::port::{
    BuyerPort, GatewayAnswer, GatewayRejection, LookUp, PaymentRepository, RejectionKind,
};
use payment_domain::testing::{
    FixedRandomness, InMemoryPayments, Listener, ManualClock, NumberedIds, ScriptedGateway, Shelf,
    buyer, gateway_payment, gateway_status, order_id, payment_key,
};
use payment_domain::{
    CheckoutCommand, ConfirmCommand, ConfirmError, ConfirmOutcome, Examined, PaymentReceiver,
    PaymentService, Ports,
};

pub(crate) const KEY: &str = "tgen_key";
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// User 1 exists, nobody else.
pub(crate) struct OneBuyer;

#[async_trait]
impl BuyerPort for OneBuyer {
    async fn buyer(&self, id: UserId) -> Result<Option<Buyer>, StoreError> {
        Ok((id == buyer().user_id).then(buyer))
    }
}

/// Three of product 1 and two of product 2: 210 000 won.
pub(crate) fn order() -> CheckoutCommand {
    CheckoutCommand {
        user_id: buyer().user_id,
        lines: vec![line(1, 3), line(2, 2)],
        key: None,
    }
}

pub(crate) fn line(product: i64, pieces: i64) -> (ProductId, Quantity) {
    (
        ProductId::new(product).unwrap(),
        Quantity::new(pieces).unwrap(),
    )
}

pub(crate) fn won(amount: i64) -> Money {
    Money::from_won(amount).unwrap()
}

/// What the buyer's browser rightly claims of `order-000001`.
pub(crate) fn claim(key: &str) -> ConfirmCommand {
    ConfirmCommand {
        user_id: buyer().user_id,
        order_id: order_id("order-000001"),
        amount: won(210_000),
        payment_key: payment_key(key),
    }
}

pub(crate) struct Shop {
    pub(crate) payments: Arc<InMemoryPayments>,
    pub(crate) shelf: Arc<Shelf>,
    /// Does not listen until it is told to.
    pub(crate) listener: Arc<Listener>,
    pub(crate) gateway: Arc<ScriptedGateway>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) service: Arc<PaymentService>,
}

impl Shop {
    /// Ten pieces of products 1 and 2, nothing checked out.
    pub(crate) fn new() -> Self {
        let payments = Arc::new(InMemoryPayments::new());
        let shelf = Arc::new(Shelf::with_stock(&[10, 10]));
        let listener = Arc::new(Listener::default());
        let gateway = Arc::new(ScriptedGateway::new());
        let clock = Arc::new(ManualClock::default());
        let ports = Ports {
            payments: payments.clone(),
            records: payments.clone(),
            news: listener.clone(),
            products: shelf.clone(),
            buyers: Arc::new(OneBuyer),
            gateway: gateway.clone(),
            clock: clock.clone(),
            ids: Arc::new(NumberedIds::default()),
            randomness: Arc::new(FixedRandomness(0)),
        };
        let service = Arc::new(PaymentService::new(ports, Policy::default()));
        Self {
            payments,
            shelf,
            listener,
            gateway,
            clock,
            service,
        }
    }

    /// `order-000001` is checked out.
    pub(crate) async fn with_order() -> Self {
        let shop = Self::new();
        shop.service.check_out(order()).await.unwrap();
        shop
    }

    /// `order-000001` was confirmed, and the answer did not come.
    pub(crate) async fn with_unheard_confirm() -> Self {
        let shop = Self::with_order().await;
        let outcome = shop.confirm(KEY).await;
        assert!(matches!(outcome, Err(ConfirmError::Undecided)));
        assert_eq!(shop.status().await, PaymentStatus::Unknown);
        shop
    }

    /// `order-000001` waits for the deposit to its virtual account.
    pub(crate) async fn with_virtual_account() -> Self {
        let shop = Self::with_order().await;
        let issued = shop.shown(GatewayStatus::WaitingForDeposit).await;
        shop.gateway.on_confirm(done(issued));
        shop.confirm(KEY).await.unwrap();
        shop
    }

    /// What the server does with a confirm: examine, and claim what is payable.
    pub(crate) async fn confirm(&self, key: &str) -> Result<ConfirmOutcome, ConfirmError> {
        let command = claim(key);
        match self.service.examine(&command).await? {
            Examined::Payable(payment) => self.service.confirm(*payment, command.payment_key).await,
            Examined::Answered(outcome) => Ok(outcome),
            Examined::Running | Examined::Overdue(_) => Err(ConfirmError::Undecided),
        }
    }

    pub(crate) async fn payment(&self) -> Payment {
        let found = self.payments.find(&order_id("order-000001")).await.unwrap();
        found.unwrap()
    }

    pub(crate) async fn status(&self) -> PaymentStatus {
        self.payment().await.status
    }

    pub(crate) async fn attempts(&self) -> Vec<Attempt> {
        let id = order_id("order-000001");
        self.payments.attempts(&id).await.unwrap()
    }

    /// How the attempts ended; `None` where nobody noted an answer.
    pub(crate) async fn outcomes(&self) -> Vec<Option<AttemptOutcome>> {
        let attempts = self.attempts().await;
        let outcomes = attempts.iter().map(|attempt| attempt.result.as_ref());
        outcomes
            .map(|result| result.map(|result| result.outcome))
            .collect()
    }

    pub(crate) async fn history(&self) -> Vec<HistoryEntry> {
        let id = order_id("order-000001");
        self.payments.history(&id).await.unwrap()
    }

    pub(crate) async fn facts(&self) -> Vec<PaymentFact> {
        let history = self.history().await;
        history.iter().map(|entry| entry.fact).collect()
    }

    pub(crate) async fn transactions(&self) -> Vec<Transaction> {
        let id = order_id("order-000001");
        self.payments.transactions(&id).await.unwrap()
    }

    /// Signed amounts of all money movements.
    pub(crate) async fn movements(&self) -> Vec<i64> {
        let transactions = self.transactions().await;
        transactions.iter().map(|moved| moved.amount_won).collect()
    }

    pub(crate) async fn messages(&self) -> usize {
        let id = order_id("order-000001");
        self.payments.messages_of(&id).await.unwrap().len()
    }

    /// Moves the clock to the moment at which the payment is due.
    pub(crate) async fn wait_until_due(&self) -> Timestamp {
        let due = self.payment().await.due_at.unwrap();
        if let Ok(pause) = (due - self.clock.now()).to_std() {
            self.clock.advance(pause);
        }
        due
    }

    /// Waits until the payment is due, and does what the worker does.
    pub(crate) async fn look(&self) {
        self.wait_until_due().await;
        for due in self.service.due(None, 10).await.unwrap() {
            self.service.recover(&due.order_id).await.unwrap();
        }
    }

    /// Toss's picture of the payment in this status, under the key that the order names or `KEY`.
    pub(crate) async fn shown(&self, status: GatewayStatus) -> GatewayPayment {
        let mut truth = gateway_status(&self.payment().await, status);
        truth.payment_key = KEY.into();
        truth
    }

    /// Toss's picture of the payment, approved.
    pub(crate) async fn approved(&self) -> GatewayPayment {
        let mut truth = gateway_payment(&self.payment().await);
        truth.payment_key = KEY.into();
        truth
    }
}

pub(crate) fn done(payment: GatewayPayment) -> GatewayAnswer {
    GatewayAnswer::Done {
        payment: Box::new(payment),
        trace_id: Some("trace-1".into()),
    }
}

pub(crate) fn found(payment: GatewayPayment) -> LookUp {
    LookUp::Found(Box::new(payment))
}

pub(crate) fn rejected(kind: RejectionKind, code: &str) -> GatewayAnswer {
    GatewayAnswer::Rejected(GatewayRejection {
        kind,
        code: code.into(),
        message: "거절 사유".into(),
        trace_id: Some("trace-2".into()),
    })
}

pub(crate) fn lost() -> GatewayAnswer {
    GatewayAnswer::Unknown {
        reason: "read timed out".into(),
    }
}
