use std::sync::Arc;

use async_trait::async_trait;
use kernel::{Money, OrderId, PaymentKey, ProductId, Quantity, StoreError, UserId};

use crate::model::{
    CancelKey, CancelRefusal, CheckoutRefusal, OutboxMessage, Payment, PaymentStatus,
    RefundAccount, RestockLine, RestockRefusal, Transaction,
};
use crate::port::{CheckoutKey, DuePayment, Vitals};

/// A buyer's wish to order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutCommand {
    /// Who orders.
    pub user_id: UserId,
    /// What: 1 to 100 lines, product ids unique.
    pub lines: Vec<(ProductId, Quantity)>,
    /// The client's idempotency key with the fingerprint of this request, if it sent one.
    pub key: Option<CheckoutKey>,
}

/// A checked-out order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutOutcome {
    /// The order as it was stored then (a later status does not show here).
    pub payment: Payment,
    /// Whether an earlier request with the same key made it.
    pub replayed: bool,
}

/// Why an order was not checked out. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// There is no such user.
    #[error("there is no user {0}")]
    UnknownUser(UserId),
    /// There is no such product.
    #[error("there is no product {0}")]
    UnknownProduct(ProductId),
    /// The order could not be filled at this moment.
    #[error("product {0} is short of stock")]
    StockShort(ProductId),
    /// The lines break a rule.
    #[error(transparent)]
    Refused(#[from] CheckoutRefusal),
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the buyer's browser claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmCommand {
    /// Who says so.
    pub user_id: UserId,
    /// Which order.
    pub order_id: OrderId,
    /// How much was authenticated.
    pub amount: Money,
    /// Toss's key of the payment.
    pub payment_key: PaymentKey,
}

/// What a confirm finds before it does anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examined {
    /// The order can be paid: call [`PaymentReceiver::confirm`].
    Payable(Box<Payment>),
    /// The same confirm is running somewhere.
    Running,
    /// The same confirm came to no end that is known, and nobody works on it now:
    /// [`PaymentReceiver::recover`] does.
    Overdue(Box<Payment>),
    /// It was paid (or a virtual account was issued) by the same confirm before.
    Answered(ConfirmOutcome),
}

/// A confirmed payment: `DONE` or `WAITING_FOR_DEPOSIT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmOutcome {
    /// The payment now.
    pub payment: Box<Payment>,
    /// What product-domain was not told yet: give it to [`PaymentReceiver::deliver_message`] when
    /// the buyer has been answered. It is in the outbox, so nothing is lost if nobody does.
    pub undelivered: Option<OutboxMessage>,
}

/// Why a confirm did not end in a paid order.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConfirmError {
    /// There is no such order.
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    /// The order belongs to another user.
    #[error("the order belongs to another user")]
    WrongUser,
    /// The amount is not the order's.
    #[error("the amount is not the order's")]
    AmountDiffers,
    /// The payment key is not this order's.
    #[error("the payment key is not this order's")]
    WrongPaymentKey,
    /// The order cannot be paid in its state.
    #[error("the order is {0}")]
    NotPayable(PaymentStatus),
    /// A product's stock does not suffice; the order has failed.
    #[error("product {0} is short of stock")]
    StockShort(ProductId),
    /// Toss declined; the order has failed.
    #[error("declined by Toss: {code}")]
    Declined {
        /// Toss's code.
        code: String,
        /// Toss's message.
        message: String,
    },
    /// No certain answer yet; recovery will find the truth.
    #[error("the outcome is not known yet")]
    Undecided,
    /// Toss is down or busy; nothing was begun and the order is as it was.
    #[error("Toss takes no confirms at this moment")]
    GatewayClosed,
    /// Toss refuses our credentials or configuration; the order is payable again.
    #[error("Toss refuses our configuration: {code}")]
    Misconfigured {
        /// Toss's code.
        code: String,
    },
    /// Another confirm took the order between examination and claim: examine again.
    #[error("another confirm took the order first")]
    LostClaim,
    /// The store failed before anything was claimed.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

impl From<StoreError> for ConfirmError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// A payment as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The payment.
    pub payment: Payment,
    /// Its money movements, oldest first.
    pub transactions: Vec<Transaction>,
}

/// Why a payment is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such order.
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operator's wish to give money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelCommand {
    /// Which order.
    pub order_id: OrderId,
    /// Why, as Toss and the buyer read it: 1 to 200 characters.
    pub reason: String,
    /// How much, above zero; `None` for all that is left.
    pub amount: Option<Money>,
    /// Where the money of a deposited virtual account goes.
    pub refund_account: Option<RefundAccount>,
    /// What goes back on the shelf; `None` for everything when no money is left, else nothing.
    pub restock: Option<Vec<RestockLine>>,
    /// The client's idempotency key with the fingerprint of this request, if it sent one.
    pub key: Option<CancelKey>,
}

/// What a cancel left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelOutcome {
    /// The payment right after this cancel.
    pub view: PaymentView,
    /// Whether an earlier request with the same key did it.
    pub replayed: bool,
}

/// Why no money went back, or why it is not known.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such order.
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    /// A payment of this status holds no money that could go back.
    #[error("the payment is {0}")]
    NotCancelable(PaymentStatus),
    /// More than what is left.
    #[error("only {0} won are left")]
    AmountExceeded(Money),
    /// A virtual account's money needs an account to go to.
    #[error("the money of a virtual account needs a refund account")]
    RefundAccountRequired,
    /// More pieces are to go back than the order has.
    #[error(transparent)]
    Restock(#[from] RestockRefusal),
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyReused,
    /// Another cancel of the payment, or the same one, is running: ask again soon.
    #[error("a cancel of the payment is running")]
    Running,
    /// Toss is down or busy; nothing was begun.
    #[error("Toss takes no requests at this moment")]
    GatewayClosed,
    /// Toss refused for good; no money moved.
    #[error("Toss refused: {}", .0.code)]
    Refused(CancelRefusal),
    /// No certain answer yet; recovery brings the cancel to its end.
    #[error("the outcome is not known yet")]
    Undecided,
    /// The store failed. Whether the cancel was begun is not known; if it was, recovery brings it to
    /// its end.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a hint led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// There is no such order.
    UnknownOrder,
    /// Toss shows nothing that is not known already; nothing was written.
    Nothing,
    /// Toss shows something new, and the payment was looked at.
    Acted,
    /// Toss gave no usable answer: ask again later.
    Unanswered,
}

/// How an operator settles a quarantined payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveCommand {
    /// Which order.
    pub order_id: OrderId,
    /// What the operator says became of it.
    pub to: Resolution,
    /// Why, for the history: 1 to 200 characters, without personal data.
    pub reason: String,
}

/// What an operator says became of a quarantined payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It was paid.
    Done,
    /// It was not paid, or everything was given back.
    Failed,
}

/// Why an operator's wish was not fulfilled. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such order.
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    /// The payment is not quarantined.
    #[error("the payment is {0}")]
    NotQuarantined(PaymentStatus),
    /// Toss shows something else.
    #[error("Toss contradicts: {0}")]
    Contradicted(String),
    /// Toss gave no usable answer.
    #[error("Toss could not be asked")]
    GatewaySilent,
    /// Someone else changed the payment meanwhile.
    #[error("the payment changed meanwhile")]
    Changed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What others may ask of payments.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PaymentReceiver: Send + Sync {
    /// Stores an order that can be paid. Takes no stock.
    async fn check_out(&self, command: CheckoutCommand) -> Result<CheckoutOutcome, CheckoutError>;

    /// Verifies what the browser claims. Writes nothing and calls nobody.
    async fn examine(&self, command: &ConfirmCommand) -> Result<Examined, ConfirmError>;

    /// Claims an examined payment, takes its stock, has Toss approve it and stores the outcome. A
    /// future that is dropped halfway leaves the payment to recovery.
    async fn confirm(
        &self,
        payment: Payment,
        payment_key: PaymentKey,
    ) -> Result<ConfirmOutcome, ConfirmError>;

    /// Gives money of a paid order back, as an operator wishes. A future that is dropped halfway
    /// leaves the cancel to recovery.
    async fn cancel(&self, command: CancelCommand) -> Result<CancelOutcome, CancelError>;

    /// Shows a payment.
    async fn read(&self, order_id: &OrderId) -> Result<PaymentView, ReadError>;

    /// Orders with time-driven work that is due, the longest due first, at most `limit`: the first
    /// ones, or those behind `after`.
    async fn due(
        &self,
        after: Option<DuePayment>,
        limit: u32,
    ) -> Result<Vec<DuePayment>, StoreError>;

    /// Does one order's due work: expiry, a look at an undecided payment, a deposit poll.
    async fn recover(&self, order_id: &OrderId) -> Result<(), StoreError>;

    /// Follows a hint (which may be forged) that something happened to an order at Toss: asks Toss,
    /// and acts if it shows something new.
    async fn observe(&self, order_id: &OrderId) -> Result<Observed, StoreError>;

    /// When Toss answers again after a long silence: makes undecided payments due now whose next
    /// look is further away than a lease, and returns how many.
    async fn hasten(&self) -> Result<usize, StoreError>;

    /// Asks Toss about an undecided payment now, due or not, and settles it if Toss says enough; and
    /// about an ended order, whose money goes back if Toss holds any.
    async fn recover_now(&self, order_id: &OrderId) -> Result<(), ReadError>;

    /// Settles a quarantined payment as an operator says, after asking Toss.
    async fn resolve(&self, command: ResolveCommand) -> Result<(), ResolveError>;

    /// Counts for whoever watches.
    async fn vitals(&self) -> Result<Vitals, StoreError>;

    /// Delivers one order's outbox messages. A failed delivery is put off, not an error.
    async fn deliver(&self, order_id: &OrderId) -> Result<(), StoreError>;

    /// Delivers one message that a confirm left, without reading it back from the outbox. A failed
    /// delivery is put off, not an error.
    async fn deliver_message(&self, message: &OutboxMessage) -> Result<(), StoreError>;

    /// Delivers outbox messages that are due, at most `limit`, and returns how many it tried.
    async fn deliver_due(&self, limit: u32) -> Result<usize, StoreError>;
}
