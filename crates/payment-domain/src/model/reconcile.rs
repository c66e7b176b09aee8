//! What a payment's books here say against what Toss says, as pure values.

use std::time::Duration;

use kernel::{Fence, Money, OrderId, PaymentKey, ProductId, Timestamp};

use super::{GatewayPayment, GatewayStatus, PaymentStatus};

/// How old an undelivered stock instruction may be before it counts as a break: younger ones are
/// on their way.
const DELIVERY_GRACE: Duration = Duration::from_secs(60);

/// A stretch of time: `from` belongs to it, `to` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    from: Timestamp,
    to: Timestamp,
}

/// A period must begin before it ends and be at most [`Period::DAYS_MAX`] days long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a period begins before it ends and has at most {} days",
    Period::DAYS_MAX
)]
pub struct InvalidPeriod;

impl Period {
    /// The longest period, in days.
    pub const DAYS_MAX: u64 = 92;

    /// From `from` until right before `to`.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, InvalidPeriod> {
        let longest = Duration::from_secs(Self::DAYS_MAX * 86_400);
        match (to - from).to_std() {
            Ok(length) if !length.is_zero() && length <= longest => Ok(Self { from, to }),
            Ok(_) | Err(_) => Err(InvalidPeriod),
        }
    }

    /// Its first moment.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// The first moment after it.
    pub fn to(&self) -> Timestamp {
        self.to
    }
}

/// A payment as its books here have it, without what a comparison does not need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// Which order.
    pub order_id: OrderId,
    /// What was to be paid.
    pub total: Money,
    /// What was paid and not given back, as the payment says.
    pub balance: Money,
    /// Where it stands.
    pub status: PaymentStatus,
    /// Its version.
    pub fence: Fence,
    /// When time-driven work is due next.
    pub due_at: Option<Timestamp>,
    /// How many attempts were started.
    pub attempts: u32,
    /// The key it is being, or was, paid with.
    pub payment_key: Option<PaymentKey>,
    /// When it was checked out.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// The sum of its approvals, in won.
    pub approved_won: i64,
    /// The sum of all its transactions, in won.
    pub moved_won: i64,
    /// Its oldest stock instruction that was not delivered.
    pub undelivered: Option<Undelivered>,
}

/// A stock instruction that waits in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undelivered {
    /// When it is delivered next.
    pub due_at: Timestamp,
    /// How often its delivery failed.
    pub failures: u32,
}

/// Where an order's stock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockState {
    /// Nothing was ever taken.
    None,
    /// Taken, and waiting for the payment's end.
    Held,
    /// Gone for good.
    Sold,
    /// Given back, or barred from being taken.
    Released,
}

/// One product's pieces, counted in one moment. Nothing was lost while
/// `initial + adjusted = available + held + sold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductPieces {
    /// Which product.
    pub product_id: ProductId,
    /// Pieces when it was created.
    pub initial: i64,
    /// The sum of all adjustments.
    pub adjusted: i64,
    /// Pieces that nobody holds.
    pub available: i64,
    /// Pieces that orders hold.
    pub held: i64,
    /// Pieces that are sold.
    pub sold: i64,
}

/// What Toss's list of transactions shows for an order within the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listed {
    /// The sum of approvals, in won.
    pub approved_won: i64,
    /// The sum of cancels, in won, as a positive number.
    pub returned_won: i64,
    /// Whether an amount could not be read as won.
    pub unreadable: bool,
}

impl Listed {
    /// Approvals less cancels, in won; negative when only the cancels lie in the period.
    pub fn net_won(&self) -> i64 {
        self.approved_won.saturating_sub(self.returned_won)
    }
}

/// What Toss shows of an order when it is asked for each of its payments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct There {
    /// The sum of what was approved, in won.
    pub approved_won: i64,
    /// The sum of what was approved and not given back, in won.
    pub balance_won: i64,
    /// Whether an amount is no whole number of won.
    pub unreadable: bool,
    /// The status of the payment that counts most: one with money, else any.
    pub status: Option<GatewayStatus>,
}

impl There {
    /// Adds one payment of this order.
    pub fn add(&mut self, payment: &GatewayPayment) {
        let moved = match payment.status {
            GatewayStatus::Done | GatewayStatus::Canceled | GatewayStatus::PartialCanceled => true,
            GatewayStatus::Ready
            | GatewayStatus::InProgress
            | GatewayStatus::WaitingForDeposit
            | GatewayStatus::Aborted
            | GatewayStatus::Expired
            | GatewayStatus::Other(_) => false,
        };
        if !moved {
            self.status.get_or_insert(payment.status.clone());
            return;
        }
        self.status = Some(payment.status.clone());
        let whole = if payment.status == GatewayStatus::Canceled {
            Some(Money::ZERO)
        } else {
            payment.balance.or(payment.total)
        };
        match (payment.total, whole, payment.currency.as_str()) {
            (Some(total), Some(balance), "KRW") => {
                self.approved_won = self.approved_won.saturating_add(total.won());
                self.balance_won = self.balance_won.saturating_add(balance.won());
            }
            _ => self.unreadable = true,
        }
    }
}

/// What a comparison can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Toss has money for an order that is unknown or unpaid here.
    MissingHere,
    /// The order is paid here, and Toss approved nothing.
    MissingThere,
    /// The amounts differ.
    Amount,
    /// Both know of the money, and the statuses differ.
    Status,
    /// The stock does not fit the payment, or pieces came or went without a trace.
    Stock,
    /// Not decided yet, or quarantined: no break.
    Pending,
    /// Toss gave no usable answer, so nothing is known: no break, and no peace either.
    Unasked,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::MissingHere,
        Self::MissingThere,
        Self::Amount,
        Self::Status,
        Self::Stock,
        Self::Pending,
        Self::Unasked,
    ];

    /// The spelling that is printed and stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingHere => "MISSING_HERE",
            Self::MissingThere => "MISSING_THERE",
            Self::Amount => "AMOUNT",
            Self::Status => "STATUS",
            Self::Stock => "STOCK",
            Self::Pending => "PENDING",
            Self::Unasked => "UNASKED",
        }
    }

    /// The kind with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether the two sides contradict each other.
    pub const fn is_break(self) -> bool {
        match self {
            Self::MissingHere | Self::MissingThere | Self::Amount | Self::Status | Self::Stock => {
                true
            }
            Self::Pending | Self::Unasked => false,
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// What exactly, in one sentence without personal data.
    pub detail: String,
}

impl Finding {
    /// A finding of this kind.
    pub fn new(kind: FindingKind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { kind, detail }
    }
}

/// Whether the books and Toss's list agree so well that Toss need not be asked about the order:
/// every won that the one knows of, the other knows of. Anything undecided is asked about.
pub fn agrees_with_list(books: &Books, listed: Option<&Listed>) -> bool {
    let listed = listed.copied().unwrap_or_default();
    if listed.unreadable {
        return false;
    }
    match books.status {
        PaymentStatus::Ready | PaymentStatus::Failed | PaymentStatus::Expired => {
            listed.net_won() == 0
        }
        PaymentStatus::Done | PaymentStatus::PartialCanceled | PaymentStatus::Canceled => {
            listed.approved_won == books.approved_won
                && listed.net_won() == books.balance.won()
                && listed.approved_won > 0
        }
        PaymentStatus::InProgress
        | PaymentStatus::Unknown
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Quarantined => false,
    }
}

/// Compares the books with what Toss shows.
pub fn compare(books: &Books, there: &There, listed: &Listed) -> Option<Finding> {
    // The list may know of a payment whose key was never sent from here.
    let more = listed.approved_won > there.approved_won;
    let approved = there.approved_won.max(listed.approved_won);
    let balance = if more {
        there.balance_won.max(listed.net_won())
    } else {
        there.balance_won
    };
    let status = books.status;
    let shown = shown(there, approved, balance);
    match status {
        PaymentStatus::InProgress | PaymentStatus::Unknown | PaymentStatus::Quarantined => {
            let detail = format!("{status} here; {shown}");
            Some(Finding::new(FindingKind::Pending, detail))
        }
        PaymentStatus::WaitingForDeposit => {
            let waits = there.status == Some(GatewayStatus::WaitingForDeposit) && balance == 0;
            (!waits).then(|| {
                let detail = format!("{status} here; {shown}");
                Finding::new(FindingKind::Pending, detail)
            })
        }
        PaymentStatus::Ready | PaymentStatus::Failed | PaymentStatus::Expired => {
            if balance == 0 && !there.unreadable {
                return None;
            }
            let (kind, then) = if look_to_come(books) {
                (FindingKind::Pending, "Toss is asked again when it is due")
            } else {
                (FindingKind::MissingHere, "nobody will ask Toss again")
            };
            let detail = format!("{status} here, and {shown}; {then}");
            Some(Finding::new(kind, detail))
        }
        PaymentStatus::Done | PaymentStatus::PartialCanceled | PaymentStatus::Canceled => {
            if there.unreadable {
                let detail = format!("{status} here; Toss shows an amount that is not won");
                return Some(Finding::new(FindingKind::Amount, detail));
            }
            let mut finding = compare_paid(books, approved, balance, &shown)?;
            // A cancel is under way: Toss may have done it already.
            if books.due_at.is_some() && balance <= books.balance.won() {
                finding.kind = FindingKind::Pending;
            }
            Some(finding)
        }
    }
}

/// Compares a payment that is paid here.
fn compare_paid(books: &Books, approved: i64, balance: i64, shown: &str) -> Option<Finding> {
    let status = books.status;
    if approved == 0 {
        let detail = format!("{status} here with {} won, and {shown}", books.balance);
        return Some(Finding::new(FindingKind::MissingThere, detail));
    }
    if approved != books.approved_won {
        let here = books.approved_won;
        let detail = format!("{here} won approved here, and {shown}");
        return Some(Finding::new(FindingKind::Amount, detail));
    }
    let implied = match balance {
        0 => PaymentStatus::Canceled,
        whole if whole == approved => PaymentStatus::Done,
        _ => PaymentStatus::PartialCanceled,
    };
    if implied != status {
        let detail = format!("{status} here, and {shown}");
        return Some(Finding::new(FindingKind::Status, detail));
    }
    (balance != books.balance.won()).then(|| {
        let detail = format!("{} won left here, and {shown}", books.balance);
        Finding::new(FindingKind::Amount, detail)
    })
}

/// Whether recovery will ask Toss about this unpaid payment by itself.
fn look_to_come(books: &Books) -> bool {
    match books.status {
        PaymentStatus::Failed | PaymentStatus::Expired => books.due_at.is_some(),
        // It expires, and what was ever sent to Toss is then looked at once more.
        PaymentStatus::Ready => books.attempts > 0,
        PaymentStatus::InProgress
        | PaymentStatus::Unknown
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Done
        | PaymentStatus::PartialCanceled
        | PaymentStatus::Canceled
        | PaymentStatus::Quarantined => false,
    }
}

fn shown(there: &There, approved: i64, balance: i64) -> String {
    if there.unreadable {
        return "Toss shows money in an amount that is not won".to_owned();
    }
    match &there.status {
        _ if approved > 0 => format!("Toss shows {approved} won approved, {balance} won left"),
        Some(status) => format!("Toss shows {status:?} without money"),
        None => "Toss shows no payment".to_owned(),
    }
}

/// Whether the payment's own books add up.
pub fn compare_books(books: &Books) -> Option<Finding> {
    if books.moved_won != books.balance.won() {
        let detail = format!(
            "the balance is {} won, its transactions add up to {}",
            books.balance, books.moved_won
        );
        return Some(Finding::new(FindingKind::Amount, detail));
    }
    (books.status == PaymentStatus::Done && books.approved_won != books.total.won()).then(|| {
        let detail = format!(
            "the order is {} won, {} won are approved here",
            books.total, books.approved_won
        );
        Finding::new(FindingKind::Amount, detail)
    })
}

/// Whether the order's stock fits its payment.
pub fn compare_stock(books: &Books, stock: StockState, now: Timestamp) -> Option<Finding> {
    let status = books.status;
    let fits = match status {
        PaymentStatus::Done | PaymentStatus::PartialCanceled => stock == StockState::Sold,
        PaymentStatus::Canceled => stock != StockState::Held,
        PaymentStatus::Ready | PaymentStatus::Failed | PaymentStatus::Expired => {
            matches!(stock, StockState::None | StockState::Released)
        }
        PaymentStatus::WaitingForDeposit => matches!(stock, StockState::Held | StockState::Sold),
        // The stock of an undecided payment may be anywhere.
        PaymentStatus::InProgress | PaymentStatus::Unknown | PaymentStatus::Quarantined => true,
    };
    if fits {
        return None;
    }
    let state = match stock {
        StockState::None => "was never taken",
        StockState::Held => "is still held",
        StockState::Sold => "is sold",
        StockState::Released => "was given back",
    };
    let on_its_way = stock == StockState::Held
        && books
            .undelivered
            .is_some_and(|message| message.failures == 0 && now < message.due_at + DELIVERY_GRACE);
    if on_its_way {
        let detail = format!("{status}, and its stock {state}: the instruction is on its way");
        return Some(Finding::new(FindingKind::Pending, detail));
    }
    let why = match books.undelivered {
        Some(message) => format!(": an instruction failed {} times", message.failures),
        None => String::new(),
    };
    let detail = format!("{status}, and its stock {state}{why}");
    Some(Finding::new(FindingKind::Stock, detail))
}

/// Whether a product's pieces are all accounted for.
pub fn compare_pieces(pieces: &ProductPieces) -> Option<Finding> {
    let ProductPieces {
        initial,
        adjusted,
        available,
        held,
        sold,
        ..
    } = *pieces;
    let sum = |parts: &[i64]| {
        parts
            .iter()
            .fold(0_i64, |sum, part| sum.saturating_add(*part))
    };
    let negative = available.min(held).min(sold) < 0;
    let lost = sum(&[initial, adjusted]) != sum(&[available, held, sold]);
    (negative || lost).then(|| {
        let detail = format!(
            "{initial} pieces at first and {adjusted} by adjustment, but {available} available, \
             {held} held and {sold} sold"
        );
        Finding::new(FindingKind::Stock, detail)
    })
}

#[cfg(test)]
mod tests;
