use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use kernel::{Fence, Money, OrderId, PaymentKey, ProductId, Quantity, Timestamp, UserId};

use super::{Change, HistoryEntry, IllegalTransition, PaymentFact, PaymentStatus};

/// The most order lines of one checkout.
pub const LINES_MAX: usize = 100;
/// Toss's limit of `orderName`, in characters.
const ORDER_NAME_CHARS_MAX: usize = 100;

/// Who pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    /// The shop's user.
    pub user_id: UserId,
    /// The name under which Toss knows the user; says nothing of the person.
    pub customer_key: String,
}

/// A product as it was quoted for a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotedLine {
    /// Which product.
    pub product_id: ProductId,
    /// Its name then.
    pub name: String,
    /// The price of one piece then.
    pub unit_price: Money,
    /// How many pieces the buyer wants.
    pub quantity: Quantity,
}

/// One line of an order (the predecessor's `PaymentOrder`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLine {
    /// Which product.
    pub product_id: ProductId,
    /// Its name at checkout.
    pub name: String,
    /// How many pieces.
    pub quantity: Quantity,
    /// The price of one piece at checkout.
    pub unit_price: Money,
    /// Unit price times quantity.
    pub amount: Money,
}

/// An account that waits for the buyer's deposit.
#[derive(Clone, PartialEq, Eq)]
pub struct VirtualAccount {
    /// Toss's bank code.
    pub bank_code: String,
    /// Where to send the money.
    pub account_number: String,
    /// Until when, if Toss said so.
    pub due_date: Option<Timestamp>,
    /// Whose name the deposit should carry.
    pub customer_name: Option<String>,
}

impl fmt::Debug for VirtualAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualAccount")
            .field("bank_code", &self.bank_code)
            .field("due_date", &self.due_date)
            .finish_non_exhaustive()
    }
}

/// What kind of end a failed payment had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Toss declined.
    Declined,
    /// This product's stock did not suffice.
    StockShort(ProductId),
}

/// Why a payment failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of end it was.
    pub kind: FailureKind,
    /// Toss's code, or ours for a short stock.
    pub code: String,
    /// Toss's message, or ours; at most 510 characters.
    pub message: String,
}

/// One checkout and everything that came of it (the predecessor's `PaymentEvent`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The order's id; knowing it is the right to read it.
    pub order_id: OrderId,
    /// What the buyer sees in Toss's window, 1 to 100 characters.
    pub order_name: String,
    /// Who pays.
    pub buyer: Buyer,
    /// What is bought, 1 to 100 lines.
    pub lines: Vec<PaymentLine>,
    /// What is to be paid.
    pub total: Money,
    /// What was paid and not given back.
    pub balance: Money,
    /// Where the payment stands.
    pub status: PaymentStatus,
    /// Its version; see [`Fence`].
    pub fence: Fence,
    /// When time-driven work is due next: lease end, look, expiry or deposit poll.
    pub due_at: Option<Timestamp>,
    /// How many attempts were started.
    pub attempts: u32,
    /// How often recovery has looked since the last certain answer.
    pub looks: u32,
    /// How many looks in a row found nothing at Toss.
    pub absences: u32,
    /// The key it is being, or was, paid with.
    pub payment_key: Option<PaymentKey>,
    /// How the buyer paid, in Toss's words.
    pub method: Option<String>,
    /// Toss's receipt page.
    pub receipt_url: Option<String>,
    /// When Toss approved.
    pub approved_at: Option<Timestamp>,
    /// The account that waits for a deposit.
    pub virtual_account: Option<VirtualAccount>,
    /// Authenticates Toss's deposit callbacks.
    pub gateway_secret: Option<GatewaySecret>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it was checked out.
    pub created_at: Timestamp,
    /// Until when the buyer may confirm.
    pub expires_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// Toss's `secret` of a payment, shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct GatewaySecret(String);

impl GatewaySecret {
    /// Wraps the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for storing and comparing only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GatewaySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewaySecret(redacted)")
    }
}

/// Why an order cannot be checked out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckoutRefusal {
    /// No line, or more than [`LINES_MAX`].
    #[error("an order has 1 to {LINES_MAX} lines")]
    LineCount,
    /// A product is named twice.
    #[error("product {0} is named twice")]
    DuplicateProduct(ProductId),
    /// The total is above [`Money::MAX`].
    #[error("the total is above {}", Money::MAX)]
    TotalTooLarge,
}

/// Whether an order can have these lines: 1 to [`LINES_MAX`] of them, each of another product.
pub(crate) fn check_lines(
    products: impl ExactSizeIterator<Item = ProductId>,
) -> Result<(), CheckoutRefusal> {
    if !(1..=LINES_MAX).contains(&products.len()) {
        return Err(CheckoutRefusal::LineCount);
    }
    let mut seen = BTreeSet::new();
    for id in products {
        if !seen.insert(id) {
            return Err(CheckoutRefusal::DuplicateProduct(id));
        }
    }
    Ok(())
}

impl Payment {
    /// A new order out of quoted lines.
    pub fn check_out(
        order_id: OrderId,
        buyer: Buyer,
        quoted: Vec<QuotedLine>,
        now: Timestamp,
        expiry: Duration,
    ) -> Result<Self, CheckoutRefusal> {
        check_lines(quoted.iter().map(|line| line.product_id))?;
        let order_name = order_name(&quoted);
        let mut lines = Vec::with_capacity(quoted.len());
        for QuotedLine {
            product_id,
            name,
            unit_price,
            quantity,
        } in quoted
        {
            let amount = unit_price
                .checked_mul(quantity)
                .ok_or(CheckoutRefusal::TotalTooLarge)?;
            lines.push(PaymentLine {
                product_id,
                name,
                quantity,
                unit_price,
                amount,
            });
        }
        let total = Money::checked_sum(lines.iter().map(|line| line.amount))
            .ok_or(CheckoutRefusal::TotalTooLarge)?;
        let expires_at = now + expiry;
        Ok(Self {
            order_id,
            order_name,
            buyer,
            lines,
            total,
            balance: Money::ZERO,
            status: PaymentStatus::Ready,
            fence: Fence::FIRST,
            due_at: Some(expires_at),
            attempts: 0,
            looks: 0,
            absences: 0,
            payment_key: None,
            method: None,
            receipt_url: None,
            approved_at: None,
            virtual_account: None,
            gateway_secret: None,
            failure: None,
            created_at: now,
            expires_at,
            updated_at: now,
        })
    }

    /// The payment as it was when it was checked out: what never changes, and nothing of what came
    /// later.
    #[must_use]
    pub fn as_checked_out(self) -> Self {
        Self {
            balance: Money::ZERO,
            status: PaymentStatus::Ready,
            fence: Fence::FIRST,
            due_at: Some(self.expires_at),
            attempts: 0,
            looks: 0,
            absences: 0,
            payment_key: None,
            method: None,
            receipt_url: None,
            approved_at: None,
            virtual_account: None,
            gateway_secret: None,
            failure: None,
            updated_at: self.created_at,
            ..self
        }
    }

    /// The history's first entry.
    pub fn checked_out_entry(&self) -> HistoryEntry {
        HistoryEntry {
            fence: self.fence,
            from: None,
            to: self.status,
            fact: PaymentFact::CheckedOut,
            at: self.created_at,
            note: None,
        }
    }

    /// The change that records `fact`: next status, next fence, a history entry, nothing due.
    /// Callers add what else the fact brings.
    pub(crate) fn change(
        &self,
        fact: PaymentFact,
        now: Timestamp,
    ) -> Result<Change, IllegalTransition> {
        let to = fact.apply(self.status)?;
        let mut after = self.clone();
        after.status = to;
        after.fence = self.fence.next();
        after.due_at = None;
        after.updated_at = now;
        Ok(Change {
            expected_status: self.status,
            expected_fence: self.fence,
            history: HistoryEntry {
                fence: after.fence,
                from: Some(self.status),
                to,
                fact,
                at: now,
                note: None,
            },
            after,
            attempt: None,
            transaction: None,
            cancel: None,
            stock: None,
        })
    }

    /// Whether time-driven work is due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due| due <= now)
    }

    /// Whether the buyer's time to confirm is over.
    pub fn is_lapsed(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}

/// The first product's name, and how many other kinds there are: `티셔츠 외 1건`.
fn order_name(lines: &[QuotedLine]) -> String {
    let Some(first) = lines.first() else {
        return String::new();
    };
    let rest = match lines.len() - 1 {
        0 => String::new(),
        others => format!(" 외 {others}건"),
    };
    let room = ORDER_NAME_CHARS_MAX - rest.chars().count();
    let mut name: String = first.name.chars().take(room).collect();
    name.push_str(&rest);
    name
}

#[cfg(test)]
mod tests {
    use kernel::{Clock, SystemClock};

    use super::*;

    fn quoted(id: i64, price: i64, pieces: i64) -> QuotedLine {
        QuotedLine {
            product_id: ProductId::new(id).unwrap(),
            name: format!("상품 {id}"),
            unit_price: Money::from_won(price).unwrap(),
            quantity: Quantity::new(pieces).unwrap(),
        }
    }

    fn check_out(lines: Vec<QuotedLine>) -> Result<Payment, CheckoutRefusal> {
        let buyer = Buyer {
            user_id: UserId::new(1).unwrap(),
            customer_key: "k".into(),
        };
        let expiry = Duration::from_secs(1800);
        Payment::check_out(
            "order-000001".parse().unwrap(),
            buyer,
            lines,
            SystemClock.now(),
            expiry,
        )
    }

    #[test]
    fn a_total_is_the_sum_of_price_times_quantity() {
        let payment = check_out(vec![quoted(1, 50_000, 3), quoted(2, 30_000, 2)]).unwrap();
        assert_eq!(payment.total.won(), 210_000);
        assert_eq!(payment.order_name, "상품 1 외 1건");
        assert_eq!(
            (payment.status, payment.fence),
            (PaymentStatus::Ready, Fence::FIRST)
        );
        assert_eq!(payment.due_at, Some(payment.expires_at));
    }

    #[test]
    fn empty_doubled_and_overflowing_orders_are_refused() {
        assert_eq!(check_out(vec![]), Err(CheckoutRefusal::LineCount));
        let id = ProductId::new(1).unwrap();
        let doubled = check_out(vec![quoted(1, 1, 1), quoted(1, 1, 2)]);
        assert_eq!(doubled, Err(CheckoutRefusal::DuplicateProduct(id)));
        let huge = check_out(vec![quoted(1, Money::MAX.won(), 2)]);
        assert_eq!(huge, Err(CheckoutRefusal::TotalTooLarge));
        let sum = check_out(vec![quoted(1, Money::MAX.won(), 1), quoted(2, 1, 1)]);
        assert_eq!(sum, Err(CheckoutRefusal::TotalTooLarge));
        let lines = (1..=101).map(|id| quoted(id, 1, 1)).collect();
        assert_eq!(check_out(lines), Err(CheckoutRefusal::LineCount));
    }

    #[test]
    fn an_order_name_keeps_toss_s_limit() {
        let mut line = quoted(1, 1, 1);
        line.name = "가".repeat(100);
        let payment = check_out(vec![line, quoted(2, 1, 1)]).unwrap();
        assert_eq!(payment.order_name.chars().count(), 100);
        assert!(payment.order_name.ends_with(" 외 1건"));
    }

    #[test]
    fn debug_output_hides_the_secret_and_the_account() {
        let mut payment = check_out(vec![quoted(1, 1, 1)]).unwrap();
        payment.gateway_secret = Some(GatewaySecret::new("ps_hidden".into()));
        payment.virtual_account = Some(VirtualAccount {
            bank_code: "20".into(),
            account_number: "X6505636518308".into(),
            due_date: None,
            customer_name: Some("박토스".into()),
        });
        let shown = format!("{payment:?}");
        for secret in ["ps_hidden", "X6505636518308", "박토스"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    }
}
