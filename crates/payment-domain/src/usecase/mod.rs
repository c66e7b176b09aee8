//! The use cases. Each file reads from top to bottom: load, decide (pure), store, ask Toss, store.

mod announce;
mod cancel;
mod checkout;
mod confirm;
mod deliver;
mod disagree;
mod hasten;
mod notices;
mod observe;
mod orphan;
mod reconcile;
mod recover;
mod resolve;
mod settle;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use notices::Notices;
pub use reconcile::{ReconcileError, ReconcileObserver, ReconcilePorts, ReconcileWish, Reconciler};

use async_trait::async_trait;
use kernel::{Clock, IdGenerator, OrderId, PaymentKey, Randomness, StoreError};

use crate::model::{OutboxMessage, Payment, Policy};
use crate::port::{
    BuyerPort, DuePayment, NewsPort, PaymentGateway, PaymentRecords, PaymentRepository,
    ProductPort, Vitals,
};
use crate::receiver::{
    CancelCommand, CancelError, CancelOutcome, CheckoutCommand, CheckoutError, CheckoutOutcome,
    ConfirmCommand, ConfirmError, ConfirmOutcome, Examined, Observed, PaymentReceiver, PaymentView,
    ReadError, ResolveCommand, ResolveError,
};

/// Everything the use cases need of the outside.
#[derive(Clone)]
pub struct Ports {
    /// Where payments are kept.
    pub payments: Arc<dyn PaymentRepository>,
    /// What is recorded of payments.
    pub records: Arc<dyn PaymentRecords>,
    /// Whoever tells merchants.
    pub news: Arc<dyn NewsPort>,
    /// Products and stock.
    pub products: Arc<dyn ProductPort>,
    /// Buyers.
    pub buyers: Arc<dyn BuyerPort>,
    /// Toss Payments.
    pub gateway: Arc<dyn PaymentGateway>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New order ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Jitter.
    pub randomness: Arc<dyn Randomness>,
}

/// The payment use cases over their ports.
pub struct PaymentService {
    ports: Ports,
    policy: Policy,
    /// Toss answers again, and the undecided payments have not been told.
    toss_is_back: AtomicBool,
}

impl PaymentService {
    /// A service over these ports, with these time limits.
    pub fn new(ports: Ports, policy: Policy) -> Self {
        Self {
            ports,
            policy,
            toss_is_back: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl PaymentReceiver for PaymentService {
    async fn check_out(&self, command: CheckoutCommand) -> Result<CheckoutOutcome, CheckoutError> {
        self.check_out_order(command).await
    }

    async fn examine(&self, command: &ConfirmCommand) -> Result<Examined, ConfirmError> {
        self.examine_claim(command).await
    }

    async fn confirm(
        &self,
        payment: Payment,
        payment_key: PaymentKey,
    ) -> Result<ConfirmOutcome, ConfirmError> {
        self.confirm_payment(payment, payment_key).await
    }

    async fn cancel(&self, command: CancelCommand) -> Result<CancelOutcome, CancelError> {
        self.cancel_payment(command).await
    }

    async fn read(&self, order_id: &OrderId) -> Result<PaymentView, ReadError> {
        let payment = self.ports.payments.find(order_id).await?;
        let payment = payment.ok_or_else(|| ReadError::UnknownOrder(order_id.clone()))?;
        let transactions = self.ports.payments.transactions(order_id).await?;
        Ok(PaymentView {
            payment,
            transactions,
        })
    }

    async fn due(
        &self,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        let now = self.ports.clock.now();
        self.ports.payments.due(now, after, limit).await
    }

    async fn recover(&self, order_id: &OrderId) -> Result<(), StoreError> {
        self.recover_payment(order_id).await
    }

    async fn observe(&self, order_id: &OrderId) -> Result<Observed, StoreError> {
        self.observe_payment(order_id).await
    }

    async fn hasten(&self) -> Result<usize, StoreError> {
        self.hasten_undecided().await
    }

    async fn recover_now(&self, order_id: &OrderId) -> Result<(), ReadError> {
        self.recover_payment_now(order_id).await
    }

    async fn resolve(&self, command: ResolveCommand) -> Result<(), ResolveError> {
        self.resolve_quarantined(command).await
    }

    async fn vitals(&self) -> Result<Vitals, StoreError> {
        self.ports.payments.vitals(self.ports.clock.now()).await
    }

    async fn deliver(&self, order_id: &OrderId) -> Result<(), StoreError> {
        self.deliver_messages_of(order_id).await
    }

    async fn deliver_message(&self, message: &OutboxMessage) -> Result<(), StoreError> {
        self.deliver_one(message).await
    }

    async fn deliver_due(&self, limit: u32) -> Result<usize, StoreError> {
        self.deliver_due_messages(limit).await
    }
}
