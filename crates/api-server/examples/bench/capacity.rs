//! What a server carries in a closed loop: group commit on against off (R1 to R3), with one client
//! (R10), one hot product against many (R4), checkouts against confirms (R13), five order lines
//! against one (R12), and small tables against large ones (R11, R14).

use std::ops::Range;

use anyhow::Context as _;

use crate::plan::Plan;
use crate::reading::reading;
use crate::round::{Furnished, Round, Way, checkouts, confirms, side};
use crate::sample::{Row, Side, quantile};
use crate::stage::{Place, Store};
use crate::work::Shape;

/// Payments in the small tables of R11 and R14.
const FEW_ROWS: u64 = 10_000;

const fn grouped(shape: Shape) -> Way {
    Way {
        group_commit: true,
        shape,
    }
}

const fn on_and_off(shape: Shape) -> [Way; 2] {
    let off = Way {
        group_commit: false,
        shape,
    };
    [grouped(shape), off]
}

/// Many clients, orders spread over the products.
pub(crate) async fn spread(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    let id = match store {
        Store::MySql => "R1",
        Store::Sqlite => "R3",
    };
    if !plan.wants(&[id, "R13"]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, store, "bench_spread").await?;
    let ways = on_and_off(Shape::SPREAD);
    let [on, off] = set.pairs(plan, plan.clients, ways).await?;
    set.end(place).await?;
    let case = format!("{}, {} clients, spread", store.name(), plan.clients);
    let what = "confirms/s, group commit on ÷ off";
    let confirmed = Row::ratio(id, &case, what, confirms("on", &on), confirms("off", &off));
    let what = "checkouts/s ÷ confirms/s, group commit on";
    let (out, paid) = (checkouts("checkout", &on), confirms("confirm", &on));
    Ok(vec![confirmed, Row::ratio("R13", case, what, out, paid)])
}

/// Many clients who all want one product.
pub(crate) async fn hot(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let case = |more: &str| format!("{}, {} clients{more}", store.name(), plan.clients);
    if store == Store::MySql && plan.wants(&["R2"]) {
        let set = Furnished::new(place, store, "bench_hot").await?;
        let ways = on_and_off(Shape::HOT);
        let [on, off] = set.pairs(plan, plan.clients, ways).await?;
        set.end(place).await?;
        rows.push(Row::ratio(
            "R2",
            case(", one hot product"),
            "confirms/s, group commit on ÷ off",
            confirms("on", &on),
            confirms("off", &off),
        ));
    }
    if plan.wants(&["R4"]) {
        let set = Furnished::new(place, store, "bench_hot").await?;
        let ways = [Shape::HOT, Shape::SPREAD].map(grouped);
        let [hot, spread] = set.pairs(plan, plan.clients, ways).await?;
        set.end(place).await?;
        rows.push(Row::ratio(
            "R4",
            case(""),
            "confirms/s, one hot product ÷ spread over all",
            confirms("hot", &hot),
            confirms("spread", &spread),
        ));
    }
    Ok(rows)
}

fn p50(name: &str, rounds: &[Round]) -> Side {
    side(name, "ms p50", rounds, |round| {
        quantile(&round.confirm.latencies_ms, 500)
    })
}

/// What group commit costs whoever is alone.
pub(crate) async fn alone(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    if !plan.wants(&["R10"]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, store, "bench_alone").await?;
    let [on, off] = set.pairs(plan, 1, on_and_off(Shape::SPREAD)).await?;
    set.end(place).await?;
    Ok(vec![Row::ratio(
        "R10",
        format!("{}, one client", store.name()),
        "p50 of a confirm, group commit on ÷ off",
        p50("on", &on),
        p50("off", &off),
    )])
}

/// What long orders cost whoever is alone.
pub(crate) async fn lines(place: &Place, plan: &Plan, store: Store) -> anyhow::Result<Vec<Row>> {
    if !plan.wants(&["R12"]) {
        return Ok(Vec::new());
    }
    let set = Furnished::new(place, store, "bench_lines").await?;
    let five = Shape {
        lines: 5,
        ..Shape::SPREAD
    };
    let ways = [five, Shape::SPREAD].map(grouped);
    let [five, one] = set.pairs(plan, 1, ways).await?;
    set.end(place).await?;
    Ok(vec![Row::ratio(
        "R12",
        format!("{}, one client", store.name()),
        "p50 of a confirm, five order lines ÷ one",
        p50("five", &five),
        p50("one", &one),
    )])
}

/// What many payments in the tables cost, to those who pay (R11) and to those who read (R14); on
/// MySQL alone, where rows can be added on the side.
#[expect(clippy::print_stdout, reason = "progress")]
pub(crate) async fn size(place: &Place, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    if place.mysql.is_none() || plan.rows == 0 || !plan.wants(&["R11", "R14"]) {
        return Ok(Vec::new());
    }
    let large = Furnished::new(place, Store::MySql, "bench_large").await?;
    let small = Furnished::new(place, Store::MySql, "bench_small").await?;
    let (many, twice) = (plan.rows, plan.rows * 2);
    let source = fill(&large, 0..many).await?;
    fill(&small, 0..FEW_ROWS).await?;
    let mut rows = Vec::new();
    if plan.wants(&["R11"]) {
        rows.push(paying(plan, &large, &small).await?);
    }
    if plan.wants(&["R14"]) {
        crate::mysql::fill(&large.stage.database_url, &source, many..twice).await?;
        println!("  {twice} payments in the tables");
        rows.extend(reading(plan, (&large, twice), (&small, FEW_ROWS)).await?);
    }
    large.end(place).await?;
    small.end(place).await?;
    Ok(rows)
}

/// Pays one order and fills the tables with copies of it. Returns its id.
#[expect(clippy::print_stdout, reason = "progress")]
async fn fill(set: &Furnished, range: Range<u64>) -> anyhow::Result<String> {
    let server = set.stage.start(true).await?;
    let order = set.prepare(1).await?;
    let paid = set.warm_up(&server, order).await?;
    server.end();
    let paid = paid.first();
    let paid = paid.context("the order that was to be copied was refused")?;
    let rows = range.end;
    crate::mysql::fill(&set.stage.database_url, &paid.order_id, range).await?;
    println!("  {rows} payments in the tables");
    Ok(paid.order_id.clone())
}

/// R11: confirms/s on the large tables ÷ on the small ones.
#[expect(clippy::print_stdout, reason = "progress")]
async fn paying(plan: &Plan, large: &Furnished, small: &Furnished) -> anyhow::Result<Row> {
    let way = grouped(Shape::SPREAD);
    let mut rounds = [Vec::new(), Vec::new()];
    for pair in 0..plan.pairs {
        for side in [pair % 2, 1 - pair % 2] {
            let set = [large, small][side];
            let round = set.round(way, plan.load(plan.clients)).await?;
            let rate = round.confirm.per_second;
            println!("  {} of {}: {rate:.0} confirms/s", pair + 1, plan.pairs);
            rounds[side].push(round);
        }
    }
    let [large, small] = rounds;
    let many = plan.rows.to_string();
    Ok(Row::ratio(
        "R11",
        format!("MySQL, {} clients, spread", plan.clients),
        format!("confirms/s, {many} payments in the tables ÷ {FEW_ROWS}"),
        confirms(&many, &large),
        confirms(&FEW_ROWS.to_string(), &small),
    ))
}
