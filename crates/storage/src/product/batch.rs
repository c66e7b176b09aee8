//! Several orders' stock in one transaction.
//!
//! As for one order, the reservations come first, in the order of their order ids, and the products
//! last, by rising id. The domain's own functions decide what happens to each reservation; what a
//! product has left is counted in Rust, unit after unit, while all products are locked.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{Fence, OrderId, StoreError, Timestamp, micros};
use product_domain::HoldOutcome;
use product_domain::model::{
    Hold, HoldDecision, ReleaseDecision, ReservationLine, ReservationState, SellDecision, Stock,
    decide_hold, decide_release, decide_sell,
};

use super::reservation::{self, HOLD, RELEASE, SELL};
use super::rows::{HeldLineRow, KeptRow};
use super::schema::{product, stock_reservation, stock_reservation_line};
use crate::bulk::{Inserts as _, Replaces as _, Reused, keys};
use crate::database::Database;
use crate::error::{Fault, raced};
use crate::group::{Answers, Unit};
use crate::transaction::{End, Failed, Locked, Tries};

/// One call of the repository about an order's stock.
pub(crate) enum StockUnit {
    Hold(Hold, Timestamp),
    Release(OrderId, Fence, Timestamp),
    Sell(OrderId, Timestamp),
}

/// What a [`StockUnit`] is told, by the same name.
#[derive(Debug)]
pub(crate) enum StockAnswer {
    Hold(HoldOutcome),
    Release,
    Sell(SellDecision),
}

impl StockAnswer {
    /// A unit was told what another kind of unit is told.
    pub(super) fn misplaced(self, action: &'static str) -> StoreError {
        Fault::corrupt(format!("the answer is {self:?}")).into_store_error(action)
    }
}

impl StockUnit {
    fn order_id(&self) -> &OrderId {
        match self {
            Self::Hold(hold, _) => &hold.order_id,
            Self::Release(order_id, ..) | Self::Sell(order_id, _) => order_id,
        }
    }

    fn at(&self) -> i64 {
        match self {
            Self::Hold(_, now) | Self::Release(_, _, now) | Self::Sell(_, now) => micros(*now),
        }
    }
}

impl Unit for StockUnit {
    type Key = OrderId;
    type Answer = StockAnswer;

    fn keys(&self) -> Vec<OrderId> {
        vec![self.order_id().clone()]
    }

    fn action(&self) -> &'static str {
        match self {
            Self::Hold(..) => HOLD,
            Self::Release(..) => RELEASE,
            Self::Sell(..) => SELL,
        }
    }

    async fn alone(&self, database: &Database) -> Result<StockAnswer, StoreError> {
        match self {
            Self::Hold(hold, now) => reservation::hold(database, hold, *now)
                .await
                .map(StockAnswer::Hold),
            Self::Release(order_id, fence, now) => {
                reservation::release(database, order_id, *fence, *now)
                    .await
                    .map(|()| StockAnswer::Release)
            }
            Self::Sell(order_id, now) => reservation::sell(database, order_id, *now)
                .await
                .map(StockAnswer::Sell),
        }
    }

    async fn together(units: &[Self], database: &Database) -> Result<Answers<Self>, Failed> {
        let tries = Tries::shared(database, "store several orders' stock");
        let ids = keys(units.iter().map(|unit| unit.order_id().as_str()));
        let at = units.iter().map(Self::at).max().unwrap_or_default();
        with_tx!(tries, |connection| {
            let query = stock_reservation::table
                .filter(stock_reservation::order_id.eq_any(&ids))
                .order(stock_reservation::order_id)
                .select(KeptRow::as_select());
            let rows: Vec<KeptRow> = Reused(Locked(query)).get_results(connection).await?;
            let mut plan = Plan::of(units, rows);
            let Plan { new, changed, .. } = &plan;
            connection.insert_all(new.clone()).await.map_err(raced)?;
            connection.replace_all(changed.clone()).await?;

            let returning = plan.returning();
            let mut lines = Vec::new();
            if !returning.is_empty() {
                let query = stock_reservation_line::table
                    .filter(stock_reservation_line::order_id.eq_any(keys(&returning)))
                    .order((
                        stock_reservation_line::order_id,
                        stock_reservation_line::product_id,
                    ))
                    .select(HeldLineRow::as_select());
                lines = Reused(query).load(connection).await?;
            }
            let lines = by_order(lines);
            let mut shelf = Shelf::default();
            let products = plan.products(&lines);
            if !products.is_empty() {
                let query = product::table
                    .filter(product::product_id.eq_any(keys(products)))
                    .order(product::product_id)
                    .select((product::product_id, product::stock));
                shelf.fill(Reused(Locked(query)).get_results(connection).await?);
            }
            let Counted {
                answers,
                taken,
                refilled,
                gone,
                restored,
            } = plan.count(&mut shelf, &lines);
            if plan.new.len() + plan.changed.len() == gone.len() + restored.len() {
                return Ok(End::RollBack(answers));
            }
            if !gone.is_empty() {
                let gone = stock_reservation::order_id.eq_any(keys(&gone));
                let rows = diesel::delete(stock_reservation::table.filter(gone));
                Reused(rows).execute(connection).await?;
            }
            connection.replace_all(restored).await?;
            if !refilled.is_empty() {
                let former = stock_reservation_line::order_id.eq_any(keys(&refilled));
                let rows = diesel::delete(stock_reservation_line::table.filter(former));
                Reused(rows).execute(connection).await?;
            }
            connection.insert_all(taken).await?;
            for (pieces, products) in shelf.changes() {
                let changed = product::table.filter(product::product_id.eq_any(keys(products)));
                let update = diesel::update(changed).set((
                    product::stock.eq(product::stock + pieces),
                    product::updated_at.eq(at),
                ));
                Reused(update).execute(connection).await?;
            }
            Ok(End::Commit(answers))
        })
    }
}

fn by_order(lines: Vec<HeldLineRow>) -> BTreeMap<String, Vec<HeldLineRow>> {
    let mut by_order: BTreeMap<String, Vec<HeldLineRow>> = BTreeMap::new();
    for line in lines {
        by_order
            .entry(line.order_id.clone())
            .or_default()
            .push(line);
    }
    by_order
}

/// What one unit needs besides its reservation.
enum Step {
    /// Nothing.
    Told(Result<StockAnswer, Fault>),
    /// These pieces, or the reservation is put back as it was.
    Takes {
        lines: Vec<ReservationLine>,
        order_id: OrderId,
        former: Option<KeptRow>,
    },
    /// Its lines' pieces go back.
    Returns { former: KeptRow },
}

/// What is to be stored before the products are looked at.
struct Plan {
    steps: Vec<Step>,
    /// Orders' first reservations.
    new: Vec<KeptRow>,
    changed: Vec<KeptRow>,
}

/// What follows once they were looked at.
struct Counted {
    answers: Answers<StockUnit>,
    taken: Vec<HeldLineRow>,
    /// Orders whose former lines are replaced.
    refilled: Vec<String>,
    /// Orders that have no reservation after all.
    gone: Vec<String>,
    /// Reservations that stay as they were after all.
    restored: Vec<KeptRow>,
}

impl Plan {
    fn of(units: &[StockUnit], rows: Vec<KeptRow>) -> Self {
        let rows = rows.into_iter().map(|row| (row.order_id.clone(), row));
        let mut rows: BTreeMap<_, _> = rows.collect();
        let (steps, new, changed) = Default::default();
        let mut plan = Self {
            steps,
            new,
            changed,
        };
        for unit in units {
            let row = rows.remove(unit.order_id().as_str());
            let step = plan.step(unit, row);
            plan.steps
                .push(step.unwrap_or_else(|fault| Step::Told(Err(fault))));
        }
        plan.new.sort_by(|a, b| a.order_id.cmp(&b.order_id));
        plan
    }

    /// Stores this reservation: a change of the row that was found, or a new row.
    fn keep(
        &mut self,
        unit: &StockUnit,
        found: Option<&KeptRow>,
        state: ReservationState,
        fence: Fence,
    ) {
        let kept = KeptRow {
            order_id: unit.order_id().to_string(),
            fence: fence.get(),
            state: state.as_str().to_owned(),
            created_at: found.map_or(unit.at(), |row| row.created_at),
            updated_at: unit.at(),
        };
        match found {
            Some(_) => self.changed.push(kept),
            None => self.new.push(kept),
        }
    }

    fn step(&mut self, unit: &StockUnit, found: Option<KeptRow>) -> Result<Step, Fault> {
        let stored = found.as_ref().map(KeptRow::decode).transpose()?;
        let told = |answer| Ok(Step::Told(Ok(answer)));
        match unit {
            StockUnit::Hold(hold, _) => match decide_hold(stored, hold.fence) {
                HoldDecision::Superseded => told(StockAnswer::Hold(HoldOutcome::Superseded)),
                HoldDecision::KeepStock => {
                    let kept = found.filter(|row| row.fence < hold.fence.get());
                    let fence = hold.fence.get();
                    self.changed
                        .extend(kept.map(|row| KeptRow { fence, ..row }));
                    told(StockAnswer::Hold(HoldOutcome::Held))
                }
                HoldDecision::TakeStock => {
                    self.keep(unit, found.as_ref(), ReservationState::Held, hold.fence);
                    let mut lines = hold.lines.clone();
                    lines.sort_by_key(|line| line.product_id);
                    Ok(Step::Takes {
                        lines,
                        order_id: hold.order_id.clone(),
                        former: found,
                    })
                }
            },
            StockUnit::Release(_, fence, _) => match (decide_release(stored, *fence), found) {
                (ReleaseDecision::Ignore, _) => told(StockAnswer::Release),
                (ReleaseDecision::ReturnStock, Some(former)) => {
                    self.keep(unit, Some(&former), ReservationState::Released, *fence);
                    Ok(Step::Returns { former })
                }
                (ReleaseDecision::Entomb | ReleaseDecision::ReturnStock, found) => {
                    self.keep(unit, found.as_ref(), ReservationState::Released, *fence);
                    told(StockAnswer::Release)
                }
            },
            StockUnit::Sell(..) => {
                let decision = decide_sell(stored.map(|(state, _)| state));
                if let (SellDecision::Sell, Some((_, fence))) = (decision, stored) {
                    self.keep(unit, found.as_ref(), ReservationState::Sold, fence);
                }
                told(StockAnswer::Sell(decision))
            }
        }
    }

    /// The orders whose stock goes back.
    fn returning(&self) -> Vec<String> {
        let returning = self.steps.iter().filter_map(|step| match step {
            Step::Returns { former } => Some(former.order_id.clone()),
            Step::Told(_) | Step::Takes { .. } => None,
        });
        returning.collect()
    }

    /// The products that any unit takes from or gives back to, given the lines that go back.
    fn products(&self, returned: &BTreeMap<String, Vec<HeldLineRow>>) -> BTreeSet<i64> {
        let mut products: BTreeSet<i64> = BTreeSet::new();
        for step in &self.steps {
            if let Step::Takes { lines, .. } = step {
                products.extend(lines.iter().map(|line| line.product_id.get()));
            }
        }
        products.extend(returned.values().flatten().map(|line| line.product_id));
        products
    }

    /// Unit after unit, as if each were alone.
    fn count(
        &mut self,
        shelf: &mut Shelf,
        returned: &BTreeMap<String, Vec<HeldLineRow>>,
    ) -> Counted {
        let (answers, taken, refilled, gone, restored) = Default::default();
        let mut counted = Counted {
            answers,
            taken,
            refilled,
            gone,
            restored,
        };
        for step in self.steps.drain(..) {
            let answer = match step {
                Step::Told(answer) => answer,
                Step::Takes {
                    lines,
                    order_id,
                    former,
                } => {
                    let outcome = shelf.take(&lines);
                    let is_held = outcome == HoldOutcome::Held;
                    match former {
                        None if is_held => {}
                        Some(row) if is_held => counted.refilled.push(row.order_id),
                        None => counted.gone.push(order_id.to_string()),
                        Some(row) => counted.restored.push(row),
                    }
                    if is_held {
                        let rows = lines
                            .iter()
                            .map(|line| HeldLineRow::encode(&order_id, *line));
                        counted.taken.extend(rows);
                    }
                    Ok(StockAnswer::Hold(outcome))
                }
                Step::Returns { former } => {
                    let lines = returned
                        .get(&former.order_id)
                        .map_or(&[][..], Vec::as_slice);
                    let lines: Result<Vec<_>, _> = lines.iter().map(HeldLineRow::decode).collect();
                    match lines {
                        Ok(lines) => {
                            shelf.put_back(&lines);
                            Ok(StockAnswer::Release)
                        }
                        Err(fault) => {
                            counted.restored.push(former);
                            Err(fault)
                        }
                    }
                }
            };
            counted.answers.push(answer);
        }
        counted
    }
}

/// The products that are locked: what they had, and what they have now.
#[derive(Default)]
struct Shelf(BTreeMap<i64, (i64, i64)>);

impl Shelf {
    fn fill(&mut self, products: Vec<(i64, i64)>) {
        let products = products.into_iter();
        self.0
            .extend(products.map(|(id, stock)| (id, (stock, stock))));
    }

    /// All of the lines, or none.
    fn take(&mut self, lines: &[ReservationLine]) -> HoldOutcome {
        for ReservationLine {
            product_id,
            quantity,
        } in lines
        {
            match self.0.get(&product_id.get()) {
                None => return HoldOutcome::UnknownProduct(*product_id),
                Some((_, left)) if *left < i64::from(*quantity) => {
                    return HoldOutcome::Short(*product_id);
                }
                Some(_) => {}
            }
        }
        for (id, pieces) in pieces(lines) {
            self.0.entry(id).and_modify(|(_, left)| *left -= pieces);
        }
        HoldOutcome::Held
    }

    fn put_back(&mut self, lines: &[ReservationLine]) {
        for (id, pieces) in pieces(lines) {
            match self.0.get_mut(&id) {
                Some((_, left)) if *left <= Stock::MAX - pieces => *left += pieces,
                Some(_) | None => {
                    tracing::error!(product_id = id, pieces, "stock could not be given back");
                }
            }
        }
    }

    /// Products that gain (or, below zero, lose) the same number of pieces, together.
    fn changes(self) -> BTreeMap<i64, Vec<i64>> {
        let mut changes: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (id, (had, left)) in self.0 {
            if left != had {
                changes.entry(left - had).or_default().push(id);
            }
        }
        changes
    }
}

fn pieces(lines: &[ReservationLine]) -> impl Iterator<Item = (i64, i64)> {
    let line = |line: &ReservationLine| (line.product_id.get(), i64::from(line.quantity));
    lines.iter().map(line)
}
