//! The ports, watched: a point before and after every call, and the judge after every write.

use std::sync::Arc;

use std::time::Duration;

use async_trait::async_trait;
use kernel::{Fence, IdempotencyKey, OrderId, ProductId, StoreError, Timestamp, UserId};
use payment_domain::model::{
    Attempt, Buyer, Cancel, Change, HistoryEntry, OutboxKey, OutboxMessage, Payment, RestockLine,
    Transaction,
};
use payment_domain::port::{
    Applied, BuyerPort, CheckoutKey, DuePayment, HoldReply, HoldRequest, Inserted,
    PaymentRepository, PricedProduct, ProductPort, Vitals,
};

use crate::process::Process;
use crate::world::{Side, World};

struct Watch<P: ?Sized> {
    world: Arc<World>,
    process: Arc<Process>,
    port: Arc<P>,
}

impl<P: ?Sized> Watch<P> {
    fn new(world: &Arc<World>, process: &Arc<Process>, port: Arc<P>) -> Self {
        Self {
            world: Arc::clone(world),
            process: Arc::clone(process),
            port,
        }
    }

    async fn read<T>(&self, name: &'static str, call: impl Future<Output = T>) -> T {
        let inside = self.world.enter(name);
        self.world.point(&self.process, Side::Before, false).await;
        let outcome = call.await;
        self.world.point(&self.process, Side::After, false).await;
        drop(inside);
        outcome
    }

    /// A call that changes something of an order.
    async fn write<T>(
        &self,
        name: &'static str,
        order_id: &OrderId,
        call: impl Future<Output = T>,
    ) -> T {
        let judged = async {
            let outcome = call.await;
            self.world.judge.after_a_write(&self.world, name, order_id);
            outcome
        };
        self.read(name, judged).await
    }
}

pub(crate) struct WatchedPayments(Watch<dyn PaymentRepository>);
pub(crate) struct WatchedProducts(Watch<dyn ProductPort>);
pub(crate) struct WatchedBuyers(Watch<dyn BuyerPort>);

impl WatchedPayments {
    pub(crate) fn over(
        world: &Arc<World>,
        process: &Arc<Process>,
        port: Arc<dyn PaymentRepository>,
    ) -> Arc<dyn PaymentRepository> {
        Arc::new(Self(Watch::new(world, process, port)))
    }
}

impl WatchedProducts {
    pub(crate) fn over(
        world: &Arc<World>,
        process: &Arc<Process>,
        port: Arc<dyn ProductPort>,
    ) -> Arc<dyn ProductPort> {
        Arc::new(Self(Watch::new(world, process, port)))
    }
}

impl WatchedBuyers {
    pub(crate) fn over(
        world: &Arc<World>,
        process: &Arc<Process>,
        port: Arc<dyn BuyerPort>,
    ) -> Arc<dyn BuyerPort> {
        Arc::new(Self(Watch::new(world, process, port)))
    }
}

#[async_trait]
impl PaymentRepository for WatchedPayments {
    async fn insert<'a>(
        &self,
        payment: &Payment,
        key: Option<&'a CheckoutKey>,
    ) -> Result<Inserted, StoreError> {
        let call = self.0.port.insert(payment, key);
        self.0.write("insert", &payment.order_id, call).await
    }

    async fn find_checkout(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<(OrderId, String)>, StoreError> {
        let call = self.0.port.find_checkout(user_id, key);
        self.0.read("find_checkout", call).await
    }

    async fn find(&self, order_id: &OrderId) -> Result<Option<Payment>, StoreError> {
        self.0.read("find", self.0.port.find(order_id)).await
    }

    async fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        let id = &change.after.order_id;
        let applied = self.0.write("apply", id, self.0.port.apply(change)).await;
        let (fact, fence, name) = (
            change.history.fact,
            change.after.fence.get(),
            self.0.process.name(),
        );
        let said = match &applied {
            Ok(applied) => format!("{applied:?}"),
            Err(error) => error.to_string(),
        };
        self.0
            .world
            .note(name, format_args!("{id} {fact} -> fence {fence}: {said}"));
        applied
    }

    async fn due(
        &self,
        now: Timestamp,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        self.0.read("due", self.0.port.due(now, after, limit)).await
    }

    async fn hasten(
        &self,
        longer_than: Duration,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        let call = self.0.port.hasten(longer_than, now, limit);
        self.0.read("hasten", call).await
    }

    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError> {
        self.0.read("vitals", self.0.port.vitals(now)).await
    }

    async fn attempts(&self, order_id: &OrderId) -> Result<Vec<Attempt>, StoreError> {
        self.0
            .read("attempts", self.0.port.attempts(order_id))
            .await
    }

    async fn cancels(&self, order_id: &OrderId) -> Result<Vec<Cancel>, StoreError> {
        let call = self.0.port.cancels(order_id);
        self.0.read("cancels", call).await
    }

    async fn history(&self, order_id: &OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.0.read("history", self.0.port.history(order_id)).await
    }

    async fn transactions(&self, order_id: &OrderId) -> Result<Vec<Transaction>, StoreError> {
        self.0
            .read("transactions", self.0.port.transactions(order_id))
            .await
    }

    async fn due_messages(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        self.0
            .read("due_messages", self.0.port.due_messages(now, limit))
            .await
    }

    async fn messages_of(&self, order_id: &OrderId) -> Result<Vec<OutboxMessage>, StoreError> {
        self.0
            .read("messages_of", self.0.port.messages_of(order_id))
            .await
    }

    async fn message_delivered(&self, key: &OutboxKey) -> Result<(), StoreError> {
        let call = self.0.port.message_delivered(key);
        self.0.write("message_delivered", &key.order_id, call).await
    }

    async fn message_failed(&self, key: &OutboxKey, retry_at: Timestamp) -> Result<(), StoreError> {
        let call = self.0.port.message_failed(key, retry_at);
        self.0.write("message_failed", &key.order_id, call).await
    }
}

#[async_trait]
impl ProductPort for WatchedProducts {
    async fn price(&self, ids: &[ProductId]) -> Result<Vec<PricedProduct>, StoreError> {
        self.0.read("price", self.0.port.price(ids)).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<HoldReply, StoreError> {
        let call = self.0.port.hold(request);
        self.0.write("hold", &request.order_id, call).await
    }

    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError> {
        let call = self.0.port.release(order_id, fence);
        self.0.write("release", order_id, call).await
    }

    async fn restock(
        &self,
        order_id: &OrderId,
        fence: Fence,
        lines: &[RestockLine],
    ) -> Result<(), StoreError> {
        let call = self.0.port.restock(order_id, fence, lines);
        self.0.write("restock", order_id, call).await
    }

    async fn sell(&self, order_id: &OrderId) -> Result<(), StoreError> {
        self.0
            .write("sell", order_id, self.0.port.sell(order_id))
            .await
    }
}

#[async_trait]
impl BuyerPort for WatchedBuyers {
    async fn buyer(&self, id: UserId) -> Result<Option<Buyer>, StoreError> {
        self.0.read("buyer", self.0.port.buyer(id)).await
    }
}
