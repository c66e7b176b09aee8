//! Reconciliation: the payments, their stock and their transactions of a period against Toss's list
//! of transactions, and against Toss's word where the two differ.
//!
//! Toss's list is read first and kept as two sums per order; then the payments here are walked
//! through page by page. Whatever the sums do not settle, Toss is asked about. So the list only
//! saves questions: nothing is called a break on its word alone as long as Toss answers.

mod check;
mod evidence;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kernel::{Clock, IdGenerator, OrderId, StoreError};

use self::check::check;
use self::evidence::Evidence;
use crate::model::{
    Books, Finding, FindingKind, Listed, Period, StockState, agrees_with_list, compare_books,
    compare_pieces, compare_stock,
};
use crate::port::{
    Found, GatewayLedger, LedgerRow, LedgerUnavailable, LookUp, PaymentGateway, PaymentRepository,
    Place, ProductPort, ReconcileRepository, Run, Scope, StockLedger, Totals,
};
use crate::receiver::PaymentReceiver;

/// Payments of one page of the walk, and ids of one question to a store.
const PAGE: u32 = 500;
/// Orders about which Toss is asked at once.
const AT_ONCE: usize = 16;
/// Orders outside the walk that are kept until the list is read; further ones are checked at once.
const ASIDE_MAX: usize = 10_000;
/// Products of one page.
const PRODUCTS: u32 = 500;
/// How long before the period a payment may have been checked out that changed within it. A virtual
/// account waits a week for its deposit, unless told otherwise.
const LOOK_BACK: Duration = Duration::from_hours(8 * 24);

/// Everything that a reconciliation needs of the outside.
#[derive(Clone)]
pub struct ReconcilePorts {
    /// The payments' books, and where findings are kept.
    pub books: Arc<dyn ReconcileRepository>,
    /// Where payments are kept.
    pub payments: Arc<dyn PaymentRepository>,
    /// Who mends: only use cases change payments.
    pub receiver: Arc<dyn PaymentReceiver>,
    /// Toss's answers about single payments.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Toss's list of transactions.
    pub ledger: Arc<dyn GatewayLedger>,
    /// The stock's books.
    pub stock: Arc<dyn StockLedger>,
    /// Who takes stock instructions again.
    pub products: Arc<dyn ProductPort>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New run ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// What is to be reconciled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconcileWish {
    /// Which period.
    pub period: Period,
    /// Whether the safe kinds of findings are mended: undecided and unpaid payments are asked about
    /// at Toss again, and stock instructions are delivered again. Never changes a status by itself.
    pub mends: bool,
}

/// Who hears of a reconciliation while it runs.
pub trait ReconcileObserver: Send + Sync {
    /// Something was found.
    fn found(&self, found: &Found);

    /// So far this was compared. Called often; takes no time.
    fn progress(&self, totals: &Totals);
}

/// Why a reconciliation broke off. What it had found by then is stored.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Toss's list could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerUnavailable),
    /// Toss's list does not end: a page repeats.
    #[error("Toss's list of transactions repeats itself after {0}")]
    Repeats(String),
}

/// Compares the books with Toss.
pub struct Reconciler {
    ports: ReconcilePorts,
}

impl Reconciler {
    /// A reconciler over these ports.
    pub fn new(ports: ReconcilePorts) -> Self {
        Self { ports }
    }

    /// Reconciles a period and returns the run as it is stored.
    pub async fn run(
        &self,
        wish: ReconcileWish,
        observer: &dyn ReconcileObserver,
    ) -> Result<Run, ReconcileError> {
        let run = Run {
            id: self.ports.ids.token(),
            period: wish.period,
            mends: wish.mends,
            started_at: self.ports.clock.now(),
            finished_at: None,
            totals: Totals::default(),
        };
        self.ports.books.begin_run(&run).await?;
        let mut audit = Audit {
            ports: &self.ports,
            scope: Scope {
                created_from: wish.period.from() - LOOK_BACK,
                changed_from: wish.period.from(),
                until: wish.period.to(),
            },
            run,
            evidence: Evidence::default(),
            aside: Vec::new(),
            stored: 0,
            observer,
        };
        audit.read_list().await?;
        audit.walk_payments().await?;
        audit.count_pieces().await?;
        audit.run.finished_at = Some(self.ports.clock.now());
        self.ports.books.end_run(&audit.run).await?;
        Ok(audit.run)
    }
}

/// One run under way.
struct Audit<'a> {
    ports: &'a ReconcilePorts,
    scope: Scope,
    run: Run,
    evidence: Evidence,
    /// Orders of Toss's list that the walk will not come by.
    aside: Vec<String>,
    /// Breaks that are stored.
    stored: u64,
    observer: &'a dyn ReconcileObserver,
}

impl Audit<'_> {
    /// Reads Toss's list, and then checks the orders in it that the walk will not come by.
    async fn read_list(&mut self) -> Result<(), ReconcileError> {
        let mut after: Option<String> = None;
        loop {
            let rows = self.ports.ledger.page(&self.run.period, after.as_deref());
            let rows = rows.await?;
            let Some(last) = rows.last() else {
                break;
            };
            let last = last.transaction_key.clone();
            if after.as_deref() == Some(&last) {
                return Err(ReconcileError::Repeats(last));
            }
            self.run.totals.transactions += rows.len() as u64;
            for part in rows.chunks(PAGE as usize) {
                self.note_rows(part).await?;
            }
            self.observer.progress(&self.run.totals);
            after = Some(last);
        }
        for order_id in std::mem::take(&mut self.aside) {
            let listed = self.evidence.of(&order_id).unwrap_or_default();
            self.check_alone(&order_id, listed).await?;
        }
        Ok(())
    }

    async fn note_rows(&mut self, rows: &[LedgerRow]) -> Result<(), ReconcileError> {
        // Sorted, so that the same list is worked on in the same order every time.
        let mut orders: BTreeMap<&str, Listed> = BTreeMap::new();
        let mut nameless = Vec::new();
        for row in rows {
            let Some(order_id) = &row.order_id else {
                nameless.push(nameless_row(row));
                continue;
            };
            evidence::add(orders.entry(order_id).or_default(), row.moved_won);
        }
        self.tell(nameless).await?;
        let ids: Vec<OrderId> = orders.keys().filter_map(|id| id.parse().ok()).collect();
        let known = self.ports.books.books(&ids).await?;
        let known: HashMap<String, Books> = known
            .into_iter()
            .map(|books| (books.order_id.to_string(), books))
            .collect();
        for (order_id, seen) in orders {
            let remembered = self.evidence.note(order_id, &seen);
            let walked = known
                .get(order_id)
                .is_some_and(|books| self.scope.covers(books));
            if (walked && remembered) || !self.evidence.first_check(order_id) {
                continue;
            }
            if remembered && self.aside.len() < ASIDE_MAX {
                self.aside.push(order_id.to_owned());
            } else {
                self.check_alone(order_id, seen).await?;
            }
        }
        Ok(())
    }

    /// Checks an order that the walk will not come by.
    async fn check_alone(&mut self, order_id: &str, listed: Listed) -> Result<(), ReconcileError> {
        let known = match order_id.parse::<OrderId>() {
            Ok(id) => self.ports.books.books(&[id]).await?.pop(),
            Err(_) => None,
        };
        let found = match known {
            Some(books) => {
                self.run.totals.payments += 1;
                check(self.ports, &books.order_id, listed, self.run.mends).await?
            }
            None => self.stranger(order_id, &listed).await,
        };
        self.tell(found).await?;
        self.observer.progress(&self.run.totals);
        Ok(())
    }

    /// Toss's list names an order that nobody checked out here.
    async fn stranger(&self, order_id: &str, listed: &Listed) -> Vec<Found> {
        let answer = match order_id.parse::<OrderId>() {
            Ok(id) => self.ports.gateway.look_up_order(&id).await,
            Err(_) => LookUp::Absent,
        };
        let balance = match answer {
            LookUp::Found(payment) => payment.balance.or(payment.total).map(kernel::Money::won),
            LookUp::Absent if listed.unreadable => None,
            LookUp::Absent => Some(listed.net_won().max(0)),
            LookUp::Unavailable { reason } => {
                let finding = Finding::new(FindingKind::Unasked, reason);
                return vec![of_order(order_id, finding)];
            }
        };
        let detail = match balance {
            Some(0) => return Vec::new(),
            Some(won) => format!("unknown here, and Toss shows {won} won"),
            None => "unknown here, and Toss shows money in an amount that is not won".to_owned(),
        };
        let finding = Finding::new(FindingKind::MissingHere, detail);
        vec![of_order(order_id, finding)]
    }

    async fn walk_payments(&mut self) -> Result<(), ReconcileError> {
        let mut after: Option<Place> = None;
        loop {
            let page = self.ports.books.walk(&self.scope, after.as_ref(), PAGE);
            let page = page.await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(Place {
                created_at: last.created_at,
                order_id: last.order_id.clone(),
            });
            let odd = self.odd_ones(&page).await?;
            self.run.totals.payments += (page.len() - odd.len()) as u64;
            for part in odd.chunks(AT_ONCE) {
                let checks = part
                    .iter()
                    .map(|(order_id, listed)| check(self.ports, order_id, *listed, self.run.mends));
                for found in join_all(checks).await {
                    self.tell(found?).await?;
                }
                self.run.totals.payments += part.len() as u64;
                self.observer.progress(&self.run.totals);
            }
            self.observer.progress(&self.run.totals);
        }
    }

    /// Those payments of a page that the list does not settle.
    async fn odd_ones(&self, page: &[Books]) -> Result<Vec<(OrderId, Listed)>, StoreError> {
        let ids: Vec<_> = page.iter().map(|books| books.order_id.clone()).collect();
        let states = self.ports.stock.states(&ids).await?;
        let states: HashMap<_, _> = states.into_iter().collect();
        let now = self.ports.clock.now();
        let odd = page.iter().filter_map(|books| {
            let listed = self.evidence.of(books.order_id.as_str());
            let stock = states.get(&books.order_id).copied();
            let plain = agrees_with_list(books, listed.as_ref())
                && compare_books(books).is_none()
                && compare_stock(books, stock.unwrap_or(StockState::None), now).is_none();
            (!plain).then(|| (books.order_id.clone(), listed.unwrap_or_default()))
        });
        Ok(odd.collect())
    }

    async fn count_pieces(&mut self) -> Result<(), ReconcileError> {
        let mut after = None;
        loop {
            let page = self.ports.stock.pieces(after, PRODUCTS).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.product_id);
            self.run.totals.products += page.len() as u64;
            let found = page.iter().filter_map(|pieces| {
                let Finding { kind, detail } = compare_pieces(pieces)?;
                Some(Found {
                    kind,
                    order_id: None,
                    product_id: Some(pieces.product_id),
                    detail,
                    action: None,
                    mended: false,
                })
            });
            self.tell(found.collect()).await?;
            self.observer.progress(&self.run.totals);
        }
    }

    /// Counts, stores and tells of what was found.
    async fn tell(&mut self, found: Vec<Found>) -> Result<(), StoreError> {
        for found in &found {
            let totals = &mut self.run.totals;
            match found.kind {
                FindingKind::Pending => totals.pending += 1,
                FindingKind::Unasked => totals.unasked += 1,
                FindingKind::MissingHere
                | FindingKind::MissingThere
                | FindingKind::Amount
                | FindingKind::Status
                | FindingKind::Stock => totals.breaks += 1,
            }
            totals.mended += u64::from(found.mended);
            self.observer.found(found);
        }
        let breaks: Vec<_> = found
            .into_iter()
            .filter(|found| found.kind.is_break())
            .collect();
        if breaks.is_empty() {
            return Ok(());
        }
        let first = self.stored + 1;
        self.stored += breaks.len() as u64;
        let books = &self.ports.books;
        books.add_breaks(&self.run.id, first, &breaks).await
    }
}

fn of_order(order_id: &str, Finding { kind, detail }: Finding) -> Found {
    Found {
        kind,
        order_id: Some(order_id.to_owned()),
        product_id: None,
        detail,
        action: None,
        mended: false,
    }
}

/// Toss names an order with every transaction; one without belongs to nobody here.
fn nameless_row(row: &LedgerRow) -> Found {
    let amount = row.moved_won.map_or("?".to_owned(), |won| won.to_string());
    let key = &row.transaction_key;
    Found {
        kind: FindingKind::MissingHere,
        order_id: None,
        product_id: None,
        detail: format!("transaction {key} of {amount} won names no order"),
        action: None,
        mended: false,
    }
}
