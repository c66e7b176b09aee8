//! One side of a pair: a fresh server, checkouts for a while, then confirms of what was checked out.

use std::sync::Arc;

use crate::closed::{self, Carried, Load};
use crate::plan::Plan;
use crate::sample::{Side, quantile};
use crate::stage::{Place, Server, Stage, Store};
use crate::work::{Checkouts, Confirms, Order, Shape};

/// Clients that prepare orders.
const PREPARERS: usize = 64;

/// What a server carried.
pub(crate) struct Round {
    pub(crate) checkout: Carried,
    pub(crate) confirm: Carried,
}

/// Whether the server of a round groups commits, and what is ordered from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) group_commit: bool,
    pub(crate) shape: Shape,
}

/// A stage with its products.
pub(crate) struct Furnished {
    pub(crate) stage: Stage,
    products: Vec<i64>,
    name: String,
}

impl Furnished {
    pub(crate) async fn new(place: &Place, store: Store, name: &str) -> anyhow::Result<Self> {
        let stage = Stage::new(place, store, name).await?;
        Ok(Self {
            products: stage.furnish().await?,
            stage,
            name: name.to_owned(),
        })
    }

    pub(crate) async fn round(&self, way: Way, load: Load) -> anyhow::Result<Round> {
        let server = self.stage.start(way.group_commit).await?;
        let (port, program) = (server.port, &server.program);
        let checkouts = Checkouts::new(self.products.clone(), way.shape, usize::MAX);
        let checkouts = Arc::new(checkouts);
        let checkout = closed::run(port, program, load, &checkouts).await?;
        let orders = self.stage.authenticate(checkouts.orders());
        let confirms = Arc::new(Confirms::new(orders));
        let confirm = closed::run(port, program, load, &confirms).await?;
        self.stage.note_paid(confirms.paid());
        server.end();
        Ok(Round { checkout, confirm })
    }

    /// Both ways in turn, the one that begins changing from pair to pair.
    pub(crate) async fn pairs(
        &self,
        plan: &Plan,
        clients: usize,
        ways: [Way; 2],
    ) -> anyhow::Result<[Vec<Round>; 2]> {
        let mut rounds = [Vec::new(), Vec::new()];
        for pair in 0..plan.pairs {
            for side in [pair % 2, 1 - pair % 2] {
                let round = self.round(ways[side], plan.load(clients)).await?;
                tell(&self.name, pair, plan.pairs, ways[side], &round);
                rounds[side].push(round);
            }
        }
        Ok(rounds)
    }

    /// So many orders that can be confirmed.
    pub(crate) async fn prepare(&self, count: usize) -> anyhow::Result<Vec<(Order, String)>> {
        let server = self.stage.start(true).await?;
        let checkouts = Checkouts::new(self.products.clone(), Shape::SPREAD, count);
        let checkouts = Arc::new(checkouts);
        closed::exhaust(server.port, PREPARERS, &checkouts).await?;
        server.end();
        Ok(self.stage.authenticate(checkouts.orders()))
    }

    /// Confirms these, so that connections are open and caches are filled.
    pub(crate) async fn warm_up(
        &self,
        server: &Server,
        orders: Vec<(Order, String)>,
    ) -> anyhow::Result<Vec<Order>> {
        let confirms = Arc::new(Confirms::new(orders));
        closed::exhaust(server.port, PREPARERS, &confirms).await?;
        self.stage.note_paid(confirms.paid());
        Ok(confirms.paid())
    }

    /// Checks what was paid, and removes the database.
    #[expect(clippy::print_stdout, reason = "progress")]
    pub(crate) async fn end(self, place: &Place) -> anyhow::Result<()> {
        let paid = self.stage.verify().await?;
        println!("  {paid} paid: DONE here, approved once at the bank");
        anyhow::ensure!(paid > 0, "nothing was paid");
        if let (Some(mysql), Store::MySql) = (&place.mysql, self.stage.store) {
            mysql.drop_database(&self.name).await?;
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "progress")]
fn tell(name: &str, pair: usize, pairs: usize, way: Way, round: &Round) {
    let Round { checkout, confirm } = round;
    println!(
        "  {name} {}/{pairs} group commit {}, {} line(s): {:.0} checkouts/s, {:.0} confirms/s, \
         p50 {:.2} ms, {:.0} µs of CPU per confirm, {} refused",
        pair + 1,
        if way.group_commit { "on" } else { "off" },
        way.shape.lines,
        checkout.per_second,
        confirm.per_second,
        quantile(&confirm.latencies_ms, 500),
        confirm.cpu_us,
        checkout.refused + confirm.refused
    );
}

/// A number of each round, as a side of a row.
pub(crate) fn side(
    name: &str,
    unit: &'static str,
    rounds: &[Round],
    number: impl Fn(&Round) -> f64,
) -> Side {
    Side::new(name, unit, rounds.iter().map(number).collect())
}

pub(crate) fn confirms(name: &str, rounds: &[Round]) -> Side {
    side(name, "confirms/s", rounds, |round| round.confirm.per_second)
}

pub(crate) fn checkouts(name: &str, rounds: &[Round]) -> Side {
    side(name, "checkouts/s", rounds, |round| {
        round.checkout.per_second
    })
}
