//! Ports that fail, or whose caller dies, at one chosen call; and that pause before every call, so
//! that a test decides who moves next.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use std::time::Duration;

use async_trait::async_trait;
use kernel::{
    Fence, IdempotencyKey, OrderId, PaymentKey, ProductId, StoreError, Timestamp, UserId,
};
use payment_domain::model::{
    Attempt, Cancel, Change, HistoryEntry, OutboxKey, OutboxMessage, Payment, RestockLine,
    Transaction,
};
use payment_domain::port::{
    Applied, CancelRequest, CheckoutKey, ConfirmRequest, DuePayment, GatewayAnswer, HoldReply,
    HoldRequest, Inserted, LookUp, News, NewsPort, PaymentGateway, PaymentRepository,
    PricedProduct, ProductPort, Vitals,
};

use crate::shop::lost;

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails and does nothing.
    FailBefore,
    /// It does its work, and the answer is lost (as after a lost answer to COMMIT).
    FailAfter,
    /// The server dies before the call.
    CrashBefore,
    /// The server dies after the call.
    CrashAfter,
    /// The call is made twice; the second answer counts.
    Twice,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [
        Self::FailBefore,
        Self::FailAfter,
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Twice,
    ];
}

/// Counts one server's port calls, and strikes at one of them.
pub(crate) struct Fuse {
    calls: AtomicU32,
    strike: Option<(u32, Fault)>,
    pauses: bool,
}

impl Fuse {
    /// Strikes at the call with this number (from 0).
    pub(crate) fn at(call: u32, fault: Fault) -> Arc<Self> {
        Self::new(Some((call, fault)), false)
    }

    /// Never strikes.
    pub(crate) fn sound() -> Arc<Self> {
        Self::new(None, false)
    }

    /// Never strikes, and is pending once before every call.
    pub(crate) fn pausing() -> Arc<Self> {
        Self::new(None, true)
    }

    fn new(strike: Option<(u32, Fault)>, pauses: bool) -> Arc<Self> {
        let calls = AtomicU32::new(0);
        Arc::new(Self {
            calls,
            strike,
            pauses,
        })
    }

    /// Whether the chosen call was reached.
    pub(crate) fn has_struck(&self) -> bool {
        let calls = self.calls.load(Ordering::SeqCst);
        self.strike.is_some_and(|(call, _)| call < calls)
    }

    async fn call<T, F: Future<Output = T>>(
        &self,
        work: impl Fn() -> F,
        failure: impl Fn() -> T,
    ) -> T {
        if self.pauses {
            pause().await;
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        match self.strike {
            Some((call, fault)) if call == number => match fault {
                Fault::FailBefore => failure(),
                Fault::FailAfter => {
                    work().await;
                    failure()
                }
                Fault::CrashBefore => std::future::pending().await,
                Fault::CrashAfter => {
                    work().await;
                    std::future::pending().await
                }
                Fault::Twice => {
                    work().await;
                    work().await
                }
            },
            Some(_) | None => work().await,
        }
    }

    /// A call of a store.
    async fn store<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        work: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        let failure = || {
            Err(StoreError::Unavailable {
                action: "pass the fuse",
                source: "the fuse blew".into(),
            })
        };
        self.call(work, failure).await
    }
}

/// Pending once; the test polls again when it is this one's turn.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut paused, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// A port behind a fuse.
pub(crate) struct Fused<P: ?Sized> {
    pub(crate) fuse: Arc<Fuse>,
    pub(crate) port: Arc<P>,
}

#[async_trait]
impl PaymentRepository for Fused<dyn PaymentRepository> {
    async fn insert<'a>(
        &self,
        payment: &Payment,
        key: Option<&'a CheckoutKey>,
    ) -> Result<Inserted, StoreError> {
        self.fuse.store(|| self.port.insert(payment, key)).await
    }

    async fn find_checkout(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<(OrderId, String)>, StoreError> {
        self.fuse
            .store(|| self.port.find_checkout(user_id, key))
            .await
    }

    async fn find(&self, order_id: &OrderId) -> Result<Option<Payment>, StoreError> {
        self.fuse.store(|| self.port.find(order_id)).await
    }

    async fn apply(&self, change: &Change) -> Result<Applied, StoreError> {
        self.fuse.store(|| self.port.apply(change)).await
    }

    async fn due(
        &self,
        now: Timestamp,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError> {
        self.fuse
            .store(|| self.port.due(now, after.clone(), limit))
            .await
    }

    async fn hasten(
        &self,
        longer_than: Duration,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        self.fuse
            .store(|| self.port.hasten(longer_than, now, limit))
            .await
    }

    async fn vitals(&self, now: Timestamp) -> Result<Vitals, StoreError> {
        self.fuse.store(|| self.port.vitals(now)).await
    }

    async fn attempts(&self, order_id: &OrderId) -> Result<Vec<Attempt>, StoreError> {
        self.fuse.store(|| self.port.attempts(order_id)).await
    }

    async fn cancels(&self, order_id: &OrderId) -> Result<Vec<Cancel>, StoreError> {
        self.fuse.store(|| self.port.cancels(order_id)).await
    }

    async fn history(&self, order_id: &OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        self.fuse.store(|| self.port.history(order_id)).await
    }

    async fn transactions(&self, order_id: &OrderId) -> Result<Vec<Transaction>, StoreError> {
        self.fuse.store(|| self.port.transactions(order_id)).await
    }

    async fn due_messages(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        self.fuse.store(|| self.port.due_messages(now, limit)).await
    }

    async fn messages_of(&self, order_id: &OrderId) -> Result<Vec<OutboxMessage>, StoreError> {
        self.fuse.store(|| self.port.messages_of(order_id)).await
    }

    async fn message_delivered(&self, key: &OutboxKey) -> Result<(), StoreError> {
        self.fuse.store(|| self.port.message_delivered(key)).await
    }

    async fn message_failed(&self, key: &OutboxKey, retry_at: Timestamp) -> Result<(), StoreError> {
        self.fuse
            .store(|| self.port.message_failed(key, retry_at))
            .await
    }
}

#[async_trait]
impl ProductPort for Fused<dyn ProductPort> {
    async fn price(&self, ids: &[ProductId]) -> Result<Vec<PricedProduct>, StoreError> {
        self.fuse.store(|| self.port.price(ids)).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<HoldReply, StoreError> {
        self.fuse.store(|| self.port.hold(request)).await
    }

    async fn release(&self, order_id: &OrderId, fence: Fence) -> Result<(), StoreError> {
        self.fuse.store(|| self.port.release(order_id, fence)).await
    }

    async fn restock(
        &self,
        order_id: &OrderId,
        fence: Fence,
        lines: &[RestockLine],
    ) -> Result<(), StoreError> {
        self.fuse
            .store(|| self.port.restock(order_id, fence, lines))
            .await
    }

    async fn sell(&self, order_id: &OrderId) -> Result<(), StoreError> {
        self.fuse.store(|| self.port.sell(order_id)).await
    }
}

fn unavailable() -> LookUp {
    LookUp::Unavailable {
        reason: "the fuse blew".into(),
    }
}

#[async_trait]
impl NewsPort for Fused<dyn NewsPort> {
    fn is_awaited(&self) -> bool {
        self.port.is_awaited()
    }

    async fn tell(&self, news: &News) -> Result<(), StoreError> {
        self.fuse.store(|| self.port.tell(news)).await
    }
}

#[async_trait]
impl PaymentGateway for Fused<dyn PaymentGateway> {
    async fn is_back(&self) -> bool {
        self.port.is_back().await
    }

    async fn confirm(&self, request: &ConfirmRequest) -> GatewayAnswer {
        self.fuse.call(|| self.port.confirm(request), lost).await
    }

    async fn cancel(&self, request: &CancelRequest) -> GatewayAnswer {
        self.fuse.call(|| self.port.cancel(request), lost).await
    }

    async fn look_up(&self, payment_key: &PaymentKey) -> LookUp {
        self.fuse
            .call(|| self.port.look_up(payment_key), unavailable)
            .await
    }

    async fn look_up_order(&self, order_id: &OrderId) -> LookUp {
        self.fuse
            .call(|| self.port.look_up_order(order_id), unavailable)
            .await
    }
}
