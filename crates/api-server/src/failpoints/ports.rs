//! The ports with a point before and after each call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kernel::{
    Fence, IdempotencyKey, OrderId, PaymentKey, ProductId, StoreError, Timestamp, UserId,
};
use payment_domain::Ports;
use payment_domain::model::{
    Attempt, Cancel, Change, HistoryEntry, OutboxKey, OutboxMessage, Payment, RestockLine,
    Transaction,
};
use payment_domain::port::{
    Applied, CancelRequest, CheckoutKey, ConfirmRequest, DuePayment, GatewayAnswer, HoldReply,
    HoldRequest, Inserted, LookUp, PaymentGateway, PaymentRepository, PricedProduct, ProductPort,
    Vitals,
};

use super::{Call, Trigger};

/// A port whose calls pass the trigger.
struct Pointed<P: ?Sized> {
    trigger: Arc<Trigger>,
    port: Arc<P>,
}

pub(super) fn with(ports: Ports, trigger: &Arc<Trigger>) -> Ports {
    fn pointed<P: ?Sized>(trigger: &Arc<Trigger>, port: Arc<P>) -> Arc<Pointed<P>> {
        let trigger = Arc::clone(trigger);
        Arc::new(Pointed { trigger, port })
    }
    Ports {
        payments: pointed(trigger, ports.payments),
        products: pointed(trigger, ports.products),
        gateway: pointed(trigger, ports.gateway),
        ..ports
    }
}

#[async_trait]
impl PaymentRepository for Pointed<dyn PaymentRepository> {
    async fn insert<'a>(
        &self,
        payment: &Payment,
        key: Option<&'a CheckoutKey>,
    ) -> Result<Inserted, StoreError> {
        let work = self.port.insert(payment, key);
        self.trigger.around(Call::Insert, work).await
    }

    async fn find_checkout(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<(OrderId, String)>, StoreError> {
        let work = self.port.find_checkout(user_id, key);
        self.trigger.around(Call::FindCheckout, work).await
    }

    async fn find(&self, order_id: &OrderId) -> Result<Option<Payment>, StoreError> {
        let work = self.port.find(order_id);
        self.trigger.around(Call::Find, work).await
    }

    async fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        let call = Call::of_change(change.history.fact);
        self.trigger.around(call, self.port.apply(change)).await
    }

    async fn due(
        &self,
        now: Timestamp,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        let work = self.port.due(now, after, limit);
        self.trigger.around(Call::Due, work).await
    }

    /// No point: whatever is lost here, a payment is only looked at later.
    async fn hasten(
        &self,
        longer_than: Duration,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        self.port.hasten(longer_than, now, limit).await
    }

    /// No point: it changes nothing.
    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError> {
        self.port.vitals(now).await
    }

    async fn attempts(&self, order_id: &OrderId) -> Result<Vec<Attempt>, StoreError> {
        let work = self.port.attempts(order_id);
        self.trigger.around(Call::Attempts, work).await
    }

    async fn cancels(&self, order_id: &OrderId) -> Result<Vec<Cancel>, StoreError> {
        let work = self.port.cancels(order_id);
        self.trigger.around(Call::Cancels, work).await
    }

    /// No point: a server never reads a history.
    async fn history(&self, order_id: &OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.port.history(order_id).await
    }

    async fn transactions(&self, order_id: &OrderId) -> Result<Vec<Transaction>, StoreError> {
        let work = self.port.transactions(order_id);
        self.trigger.around(Call::Transactions, work).await
    }

    async fn due_messages(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let work = self.port.due_messages(now, limit);
        self.trigger.around(Call::DueMessages, work).await
    }

    async fn messages_of(&self, order_id: &OrderId) -> Result<Vec<OutboxMessage>, StoreError> {
        let work = self.port.messages_of(order_id);
        self.trigger.around(Call::MessagesOf, work).await
    }

    async fn message_delivered(&self, key: &OutboxKey) -> Result<(), StoreError> {
        let work = self.port.message_delivered(key);
        self.trigger.around(Call::MessageDelivered, work).await
    }

    async fn message_failed(&self, key: &OutboxKey, retry_at: Timestamp) -> Result<(), StoreError> {
        let work = self.port.message_failed(key, retry_at);
        self.trigger.around(Call::MessageFailed, work).await
    }
}

#[async_trait]
impl ProductPort for Pointed<dyn ProductPort> {
    async fn price(&self, ids: &[ProductId]) -> Result<Vec<PricedProduct>, StoreError> {
        self.trigger.around(Call::Price, self.port.price(ids)).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<HoldReply, StoreError> {
        let work = self.port.hold(request);
        self.trigger.around(Call::Hold, work).await
    }

    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError> {
        let work = self.port.release(order_id, fence);
        self.trigger.around(Call::Release, work).await
    }

    async fn restock(
        &self,
        order_id: &OrderId,
        fence: Fence,
        lines: &[RestockLine],
    ) -> Result<(), StoreError> {
        let work = self.port.restock(order_id, fence, lines);
        self.trigger.around(Call::Restock, work).await
    }

    async fn sell(&self, order_id: &OrderId) -> Result<(), StoreError> {
        let work = self.port.sell(order_id);
        self.trigger.around(Call::Sell, work).await
    }
}

#[async_trait]
impl PaymentGateway for Pointed<dyn PaymentGateway> {
    fn admits(&self) -> bool {
        self.port.admits()
    }

    async fn is_back(&self) -> bool {
        self.port.is_back().await
    }

    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer {
        let work = self.port.confirm(request);
        self.trigger.around(Call::Confirm, work).await
    }

    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer {
        let work = self.port.cancel(request);
        self.trigger.around(Call::Cancel, work).await
    }

    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp {
        let work = self.port.look_up(payment_key);
        self.trigger.around(Call::LookUp, work).await
    }

    async fn look_up_order(&self, order_id: &OrderId) -> LookUp {
        let work = self.port.look_up_order(order_id);
        self.trigger.around(Call::LookUpOrder, work).await
    }
}
