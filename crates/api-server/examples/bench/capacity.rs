//! What a server carries in a closed loop: group commit on against off (R1 to R4, R13), with one
//! client (R10), five order lines against one (R12), and small tables against large ones (R11).

use crate::plan::Plan;
use crate::round::{Furnished, Round, Way, checkouts, confirms, side};
use crate::sample::{Row, quantile};
use crate::stage::{Place, Store};
use crate::work::Shape;

/// Payments in the small tables of R11.
const FEW_ROWS: u64 = 10_000;

const fn on_and_off(shape: Shape) -> [Way; 2] {
    let on = Way {
        group_commit: true,
        shape,
    };
    [
        on,
        Way {
            group_commit: false,
            shape,
        },
    ]
}

/// Many clients, orders spread over the products.
pub(crate) async fn spread(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    let id = match store {
        Store::MySql => "R1",
        Store::Sqlite => "R3",
    };
    if !plan.wants(&[id, "R4"]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, store, "bench_spread").await?;
    let ways = on_and_off(Shape::SPREAD);
    let [on, off] = set.pairs(plan, plan.clients, ways).await?;
    set.end(place).await?;
    let case = format!("{}, {} clients, spread", store.name(), plan.clients);
    let what = "confirms/s, group commit on ÷ off";
    let confirmed = Row::ratio(id, &case, what, confirms("on", &on), confirms("off", &off));
    let what = "checkouts/s, group commit on ÷ off";
    let (on, off) = (checkouts("on", &on), checkouts("off", &off));
    Ok(vec![confirmed, Row::ratio("R4", case, what, on, off)])
}

/// Many clients who all want one product.
pub(crate) async fn hot(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    let id = match store {
        Store::MySql => "R2",
        Store::Sqlite => "R13",
    };
    if !plan.wants(&[id]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, store, "bench_hot").await?;
    let [on, off] = set
        .pairs(plan, plan.clients, on_and_off(Shape::HOT))
        .await?;
    set.end(place).await?;
    Ok(vec![Row::ratio(
        id,
        format!(
            "{}, {} clients, one hot product",
            store.name(),
            plan.clients
        ),
        "confirms/s, group commit on ÷ off",
        confirms("on", &on),
        confirms("off", &off),
    )])
}

/// What group commit costs whoever is alone.
pub(crate) async fn alone(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    if !plan.wants(&["R10"]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, store, "bench_alone").await?;
    let [on, off] = set.pairs(plan, 1, on_and_off(Shape::SPREAD)).await?;
    set.end(place).await?;
    let p50 = |name, rounds: &[Round]| {
        side(name, "ms p50", rounds, |round| {
            quantile(&round.confirm.latencies_ms, 500)
        })
    };
    Ok(vec![Row::ratio(
        "R10",
        format!("{}, one client", store.name()),
        "p50 of a confirm, group commit on ÷ off",
        p50("on", &on),
        p50("off", &off),
    )])
}

/// What long orders cost.
pub(crate) async fn lines(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    if !plan.wants(&["R12"]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, store, "bench_lines").await?;
    let five = Shape {
        lines: 5,
        ..Shape::SPREAD
    };
    let ways = [five, Shape::SPREAD].map(|shape| Way {
        group_commit: true,
        shape,
    });
    let [five, one] = set.pairs(plan, plan.clients, ways).await?;
    set.end(place).await?;
    Ok(vec![Row::ratio(
        "R12",
        format!("{}, {} clients, spread", store.name(), plan.clients),
        "confirms/s, five order lines ÷ one",
        confirms("five", &five),
        confirms("one", &one),
    )])
}

/// What many payments in the tables cost; on MySQL alone, where rows can be added on the side.
#[expect(clippy::print_stdout, reason = "progress")]
pub(crate) async fn size(place: &Place, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    if place.mysql.is_none() || plan.rows == 0 || !plan.wants(&["R11"]) {
        return Ok(Vec::new());
    }
    let large = Furnished::new(place, Store::MySql, "bench_large").await?;
    let small = Furnished::new(place, Store::MySql, "bench_small").await?;
    for (set, rows) in [(&large, plan.rows), (&small, FEW_ROWS)] {
        let server = set.stage.start(true).await?;
        let order = set.prepare(1).await?;
        let paid = set.warm_up(&server, order).await?;
        server.end();
        let Some(paid) = paid.first() else {
            anyhow::bail!("the order that was to be copied was refused");
        };
        crate::mysql::fill(&set.stage.database_url, &paid.order_id, rows).await?;
        println!("  {rows} payments in the tables");
    }
    let way = Way {
        group_commit: true,
        shape: Shape::SPREAD,
    };
    let mut rounds = [Vec::new(), Vec::new()];
    for pair in 0..plan.pairs {
        for side in [pair % 2, 1 - pair % 2] {
            let set = [&large, &small][side];
            let round = set.round(way, plan.load(plan.clients)).await?;
            let rate = round.confirm.per_second;
            println!("  {} of {}: {rate:.0} confirms/s", pair + 1, plan.pairs);
            rounds[side].push(round);
        }
    }
    large.end(place).await?;
    small.end(place).await?;
    let [large, small] = rounds;
    let many = plan.rows.to_string();
    Ok(vec![Row::ratio(
        "R11",
        format!("MySQL, {} clients, spread", plan.clients),
        format!("confirms/s, {many} payments in the tables ÷ {FEW_ROWS}"),
        confirms(&many, &large),
        confirms(&FEW_ROWS.to_string(), &small),
    )])
}
