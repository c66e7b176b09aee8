//! Failpoints, for chaos runs only: places around the calls of the payment ports at which this
//! process kills itself. Compiled in only with the feature `failpoints`; without the setting
//! `FAILPOINTS` they do nothing. The domain does not know about them.
//!
//! A point is a call and a side of it: `gateway.confirm.after` is reached when Toss has answered and
//! nothing of the answer is stored. Changes of a payment have names of their own by what they mean:
//! `payments.claim.after` is between the claim and the hold of stock, `payments.finish.before`
//! between Toss's approval and the record of it.

mod ports;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kernel::Randomness;
use payment_domain::Ports;
use payment_domain::model::PaymentFact;
use rustix::process::{Signal, getpid, kill_process};

/// Probabilities are kept in parts of this.
const WHOLE: u32 = 1_000_000;

/// A call of a port, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Insert,
    FindCheckout,
    Find,
    Claim,
    Attempt,
    Look,
    Undecided,
    Finish,
    Quarantine,
    Orphan,
    Due,
    Attempts,
    Cancels,
    Transactions,
    DueMessages,
    MessagesOf,
    MessageDelivered,
    MessageFailed,
    Price,
    Hold,
    Release,
    Restock,
    Sell,
    Confirm,
    Cancel,
    LookUp,
    LookUpOrder,
}

impl Call {
    const ALL: [Self; 27] = [
        Self::Insert,
        Self::FindCheckout,
        Self::Find,
        Self::Claim,
        Self::Attempt,
        Self::Look,
        Self::Undecided,
        Self::Finish,
        Self::Quarantine,
        Self::Orphan,
        Self::Due,
        Self::Attempts,
        Self::Cancels,
        Self::Transactions,
        Self::DueMessages,
        Self::MessagesOf,
        Self::MessageDelivered,
        Self::MessageFailed,
        Self::Price,
        Self::Hold,
        Self::Release,
        Self::Restock,
        Self::Sell,
        Self::Confirm,
        Self::Cancel,
        Self::LookUp,
        Self::LookUpOrder,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Insert => "payments.insert",
            Self::FindCheckout => "payments.find_checkout",
            Self::Find => "payments.find",
            Self::Claim => "payments.claim",
            Self::Attempt => "payments.attempt",
            Self::Look => "payments.look",
            Self::Undecided => "payments.undecided",
            Self::Finish => "payments.finish",
            Self::Quarantine => "payments.quarantine",
            Self::Orphan => "payments.orphan",
            Self::Due => "payments.due",
            Self::Attempts => "payments.attempts",
            Self::Cancels => "payments.cancels",
            Self::Transactions => "payments.transactions",
            Self::DueMessages => "payments.due_messages",
            Self::MessagesOf => "payments.messages_of",
            Self::MessageDelivered => "payments.message_delivered",
            Self::MessageFailed => "payments.message_failed",
            Self::Price => "products.price",
            Self::Hold => "products.hold",
            Self::Release => "products.release",
            Self::Restock => "products.restock",
            Self::Sell => "products.sell",
            Self::Confirm => "gateway.confirm",
            Self::Cancel => "gateway.cancel",
            Self::LookUp => "gateway.look_up",
            Self::LookUpOrder => "gateway.look_up_order",
        }
    }

    /// The name of `PaymentRepository::apply` with a change for this reason.
    const fn of_change(fact: PaymentFact) -> Self {
        match fact {
            PaymentFact::Claimed | PaymentFact::CancelClaimed => Self::Claim,
            PaymentFact::AttemptStarted => Self::Attempt,
            PaymentFact::LookStarted => Self::Look,
            PaymentFact::AnswerMissing | PaymentFact::CancelUnanswered => Self::Undecided,
            PaymentFact::Quarantined => Self::Quarantine,
            PaymentFact::OrphanSought | PaymentFact::OrphanFound | PaymentFact::OrphanReturned => {
                Self::Orphan
            }
            PaymentFact::CheckedOut
            | PaymentFact::CheckoutLapsed
            | PaymentFact::Approved
            | PaymentFact::DepositAwaited
            | PaymentFact::Declined
            | PaymentFact::StockShort
            | PaymentFact::KeyRefused
            | PaymentFact::CredentialsRefused
            | PaymentFact::NeverSeen
            | PaymentFact::NeverSeenAndLapsed
            | PaymentFact::Deposited
            | PaymentFact::DepositLapsed
            | PaymentFact::DepositReversed
            | PaymentFact::CancelRefused
            | PaymentFact::CanceledInPart
            | PaymentFact::CanceledInFull
            | PaymentFact::ResolvedAsDone
            | PaymentFact::ResolvedAsFailed => Self::Finish,
        }
    }
}

/// A place at which the process may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    call: Call,
    /// After the call returned, whatever it returned; else before it is made.
    after: bool,
}

impl Point {
    fn all() -> impl Iterator<Item = Self> {
        Call::ALL
            .into_iter()
            .flat_map(|call| [false, true].map(|after| Self { call, after }))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.after { "after" } else { "before" };
        write!(f, "{}.{side}", self.call.name())
    }
}

/// The name of every point.
pub fn names() -> Vec<String> {
    Point::all().map(|point| point.to_string()).collect()
}

/// Which points end the process, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failpoints {
    /// Parts of [`WHOLE`].
    armed: BTreeMap<Point, u32>,
}

impl Failpoints {
    /// Reads `name=probability,…` with probabilities above 0 and at most 1.
    ///
    /// # Errors
    /// With one line, which lists the names when one is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut armed = BTreeMap::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, share) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` is not name=probability"))?;
            let point = Point::all().find(|point| point.to_string() == name);
            let point = point.ok_or_else(|| {
                let names = names().join(", ");
                format!("there is no point `{name}`; the points are {names}")
            })?;
            armed.insert(
                point,
                parts(share).ok_or_else(|| {
                    format!(
                        "the probability of {name} must be above 0 and at most 1, not `{share}`"
                    )
                })?,
            );
        }
        Ok(Self { armed })
    }

    fn is_armed(&self) -> bool {
        !self.armed.is_empty()
    }
}

/// A probability in parts of [`WHOLE`].
fn parts(share: &str) -> Option<u32> {
    let share: f64 = share.parse().ok()?;
    if !(share > 0.0 && share <= 1.0) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000000"
    )]
    let parts = (share * f64::from(WHOLE)).ceil() as u32;
    Some(parts)
}

/// The same ports, which end the process at the armed points. Without any they are left alone.
pub(crate) fn arm(ports: Ports, failpoints: &Failpoints) -> Ports {
    if !failpoints.is_armed() {
        return ports;
    }
    let trigger = Arc::new(Trigger {
        armed: failpoints.armed.clone(),
        randomness: Arc::clone(&ports.randomness),
    });
    tracing::warn!(points = ?failpoints.armed, "failpoints are armed: this process will kill itself");
    ports::with(ports, &trigger)
}

/// Decides at each point.
struct Trigger {
    armed: BTreeMap<Point, u32>,
    randomness: Arc<dyn Randomness>,
}

impl Trigger {
    fn reach(&self, point: Point) {
        let Some(share) = self.armed.get(&point) else {
            return;
        };
        if self.randomness.below(u64::from(WHOLE)) < u64::from(*share) {
            end_process(point);
        }
    }

    async fn around<T>(&self, call: Call, work: impl Future<Output = T>) -> T {
        self.reach(Point { call, after: false });
        let outcome = work.await;
        self.reach(Point { call, after: true });
        outcome
    }
}

/// SIGKILL, as from outside: no destructor, no flush, no goodbye to the database.
fn end_process(point: Point) -> ! {
    eprintln!("failpoint {point}: this process kills itself");
    if let Err(error) = kill_process(getpid(), Signal::KILL) {
        eprintln!("failpoint {point}: no SIGKILL ({error})");
    }
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own_that_is_understood() {
        let names = names();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 54);
        for name in names {
            let armed = Failpoints::parse(&format!("{name}=0.5")).unwrap().armed;
            let armed: Vec<_> = armed.into_iter().collect();
            assert_eq!(armed.len(), 1);
            assert_eq!((armed[0].0.to_string(), armed[0].1), (name, WHOLE / 2));
        }
    }

    #[test]
    fn nothing_is_armed_by_an_empty_setting() {
        for text in ["", " ", ","] {
            assert_eq!(Failpoints::parse(text), Ok(Failpoints::default()));
        }
    }

    #[test]
    fn wrong_names_and_probabilities_are_refused_in_one_line() {
        for (text, part) in [
            ("gateway.confirm=1", "the points are payments.insert.before"),
            ("gateway.confirm.after", "not name=probability"),
            ("gateway.confirm.after=", "above 0 and at most 1"),
            ("gateway.confirm.after=0", "above 0 and at most 1"),
            ("gateway.confirm.after=1.5", "above 0 and at most 1"),
            ("gateway.confirm.after=NaN", "above 0 and at most 1"),
            (
                "payments.find.before=1,gateway.after=1",
                "no point `gateway.after`",
            ),
        ] {
            let refusal = Failpoints::parse(text).unwrap_err();
            assert!(refusal.contains(part), "{text}: {refusal}");
            assert_eq!(refusal.lines().count(), 1, "{refusal}");
        }
    }

    #[test]
    fn the_smallest_probability_is_not_rounded_to_never() {
        let armed = Failpoints::parse("products.hold.after=0.00000001").unwrap();
        assert_eq!(armed.armed.into_values().collect::<Vec<_>>(), [1]);
    }
}
