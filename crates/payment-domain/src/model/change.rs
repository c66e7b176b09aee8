use kernel::{Fence, Money, OrderId, PaymentKey, Timestamp};

use super::{Attempt, AttemptChange, AttemptPurpose, Cancel, Payment, PaymentFact, PaymentStatus};

/// One line of a payment's history. Entry `n` leads to fence `n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The payment's fence after the change.
    pub fence: Fence,
    /// The status before; `None` for the checkout.
    pub from: Option<PaymentStatus>,
    /// The status after.
    pub to: PaymentStatus,
    /// What happened.
    pub fact: PaymentFact,
    /// When.
    pub at: Timestamp,
    /// What a person should know besides, without personal data; at most 510 characters.
    pub note: Option<String>,
}

/// What kind of money movement a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionKind {
    /// Money came in.
    Approval,
    /// Money went back.
    Cancel,
}

impl TransactionKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Approval, Self::Cancel];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "APPROVAL",
            Self::Cancel => "CANCEL",
        }
    }

    /// The kind with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A money movement. A payment's balance is the sum of its transactions' amounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Which way the money went.
    pub kind: TransactionKind,
    /// Won: positive for an approval, negative for a cancel.
    pub amount_won: i64,
    /// Toss's key of the movement.
    pub transaction_key: Option<String>,
    /// Why money went back.
    pub reason: Option<String>,
    /// When Toss moved it.
    pub at: Timestamp,
}

/// What product-domain must be told because of a change; it goes through the outbox, and so does the
/// change itself where merchants are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockInstruction {
    /// The order's stock is sold.
    Sell,
    /// The order's stock goes back; no hold up to this change's fence may come later.
    Release,
    /// Sold stock goes back: what the cancel that this change ended says.
    Restock,
    /// Stock stays where it is: merchants alone are told.
    Keep,
}

impl StockInstruction {
    /// Every instruction.
    pub const ALL: [Self; 4] = [Self::Sell, Self::Release, Self::Restock, Self::Keep];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sell => "STOCK_SELL",
            Self::Release => "STOCK_RELEASE",
            Self::Restock => "STOCK_RESTOCK",
            Self::Keep => "STOCK_KEEP",
        }
    }

    /// The instruction with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|instruction| instruction.as_str() == text)
    }
}

/// Names one message of the outbox: the change that wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxKey {
    /// Which payment.
    pub order_id: OrderId,
    /// The fence after the change that wrote the message.
    pub fence: Fence,
}

/// A message that was committed with its cause and is delivered at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Its name.
    pub key: OutboxKey,
    /// What product-domain is to do.
    pub instruction: StockInstruction,
    /// When to deliver it next.
    pub due_at: Timestamp,
    /// How often delivery failed.
    pub failures: u32,
}

/// One change of a payment, made by the pure model and stored whole or not at all: the payment's
/// next state, its history entry, and what must be true together with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The status that the stored payment must still have.
    pub expected_status: PaymentStatus,
    /// The fence that the stored payment must still have.
    pub expected_fence: Fence,
    /// The payment afterwards. Order id, name, buyer, lines, total, creation and expiry never
    /// change.
    pub after: Payment,
    /// The history entry, with the payment's new fence.
    pub history: HistoryEntry,
    /// An attempt that begins or ends with this change.
    pub attempt: Option<AttemptChange>,
    /// A money movement that this change records.
    pub transaction: Option<Transaction>,
    /// A cancel that begins, is tried again or ends with this change, as it is afterwards.
    pub cancel: Option<Box<Cancel>>,
    /// A message for the outbox, due at once.
    pub stock: Option<StockInstruction>,
}

impl Change {
    /// Begins the payment's next attempt with this change, and returns its number.
    pub(crate) fn begin_attempt(
        &mut self,
        purpose: AttemptPurpose,
        payment_key: PaymentKey,
        amount: Money,
    ) -> u32 {
        self.after.attempts += 1;
        let number = self.after.attempts;
        self.attempt = Some(AttemptChange::Start(Attempt {
            number,
            purpose,
            payment_key,
            amount,
            started_at: self.history.at,
            result: None,
            finished_at: None,
        }));
        number
    }

    /// The outbox message that is stored with this change, if one is.
    pub fn message(&self) -> Option<OutboxMessage> {
        self.stock.map(|instruction| OutboxMessage {
            key: OutboxKey {
                order_id: self.after.order_id.clone(),
                fence: self.history.fence,
            },
            instruction,
            due_at: self.history.at,
            failures: 0,
        })
    }
}
