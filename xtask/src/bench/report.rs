//! The tables of the document.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::chart;
use super::goal::Goal;
use super::row::{Results, Row, Spread, shown};

/// Around what is replaced when something is published.
const BEGIN: &str = "<!-- measured: cargo xtask bench --publish writes from here -->";
const END: &str = "<!-- to here -->";

/// A line per row, with its goal.
pub(crate) fn table(results: &Results) -> String {
    let mut table = String::from(
        "| ratio | what | where | median | min – max | goal | reached |\n|---|---|---|---|---|---|---|\n",
    );
    for row in &results.rows {
        table.push_str(&line(row));
        table.push('\n');
    }
    table
}

fn line(row: &Row) -> String {
    let Row {
        id,
        what,
        case,
        unit,
        ..
    } = row;
    let Some(spread) = Spread::of(&row.samples) else {
        return format!("| {id} | {what} | {case} | – | – | – | – |");
    };
    let Spread { median, min, max } = spread;
    let goal = Goal::of(row);
    let reached = goal.map_or("–", |goal| {
        if goal.is_reached_by(spread) {
            "yes"
        } else {
            "**no**"
        }
    });
    let goal = goal.map_or_else(|| "–".to_owned(), Goal::sentence);
    format!(
        "| {id} | {what} | {case} | {} {unit} | {} – {} | {goal} | {reached} |",
        shown(median),
        shown(min),
        shown(max)
    )
}

/// What the ratios are made of.
fn sides(results: &Results) -> String {
    let mut table = String::from(
        "| ratio | where | side | median | min – max | n |\n|---|---|---|---|---|---|\n",
    );
    for row in &results.rows {
        for side in &row.sides {
            let Some(Spread { median, min, max }) = Spread::of(&side.samples) else {
                continue;
            };
            // Writing to a string cannot fail.
            let _written = writeln!(
                table,
                "| {} | {} | {} | {} {} | {} – {} | {} |",
                row.id,
                row.case,
                side.name,
                shown(median),
                side.unit,
                shown(min),
                shown(max),
                side.samples.len()
            );
        }
    }
    table
}

/// Puts the results into the document, between its two marks.
pub(crate) fn publish(document: &str, results: &Results) -> anyhow::Result<String> {
    let (before, rest) = document.split_once(BEGIN).context("no first mark")?;
    let (_, after) = rest.split_once(END).context("no second mark")?;
    let mut measured = format!("{}\n\n{}\n", origin(results), table(results));
    for (name, _) in chart::all(results) {
        let title = name.trim_end_matches(".svg");
        let _written = writeln!(measured, "![{title}](benchmarks/{name})\n");
    }
    let _written = writeln!(
        measured,
        "### What the ratios are made of\n\n{}",
        sides(results)
    );
    Ok(format!("{before}{BEGIN}\n\n{measured}{END}{after}"))
}

/// Machine, and which commits were measured at which length.
fn origin(results: &Results) -> String {
    let mut origins: Vec<(String, Vec<&str>)> = Vec::new();
    for row in &results.rows {
        let origin = format!("commit {}, {} run", row.commit, row.length);
        match origins.iter_mut().find(|(known, _)| *known == origin) {
            Some((_, ids)) if ids.contains(&row.id.as_str()) => {}
            Some((_, ids)) => ids.push(&row.id),
            None => origins.push((origin, vec![&row.id])),
        }
    }
    let origins = origins
        .iter()
        .map(|(origin, ids)| format!("{}: {origin}.", ids.join(", ")));
    let origins = origins.collect::<Vec<_>>().join(" ");
    format!("{} {origins}", results.machine.sentence())
}

#[cfg(test)]
mod tests {
    use super::super::row::Side;
    use super::super::row::tests::{results, row};
    use super::*;

    #[test]
    fn a_line_shows_median_range_goal_and_whether_it_is_reached() {
        let shown = line(&row("R10", "×", &[1.2, 1.0, 1.1]));
        assert_eq!(
            shown,
            "| R10 | what R10 is | case of R10 | 1.10 × | 1.00 – 1.20 | ≤ 1.05 | **no** |"
        );
        let shown = line(&row("E", "×", &[7.0]));
        assert!(shown.ends_with("| – | – |"), "{shown}");
    }

    #[test]
    fn publishing_replaces_what_is_between_the_marks_and_nothing_else() {
        let mut first = row("R1", "×", &[7.0]);
        first.sides.push(Side {
            name: "on".to_owned(),
            unit: "confirms/s".to_owned(),
            samples: vec![700.0],
        });
        let document = format!("# Head\n\n{BEGIN}\n\nold\n{END}\n\ntail\n");
        let text = publish(&document, &results(vec![first])).unwrap();
        assert!(text.starts_with("# Head\n") && text.ends_with("\n\ntail\n"));
        assert!(!text.contains("old") && text.contains("| R1 |"), "{text}");
        assert!(text.contains("on | 700 confirms/s"), "{text}");
        assert!(text.contains("R1: commit abc, full run."), "{text}");
        let again = publish(&text, &results(vec![row("R2", "×", &[1.0])])).unwrap();
        assert!(!again.contains("| R1 |") && again.contains("| R2 |"));
        assert!(publish("no marks", &results(Vec::new())).is_err());
    }

    #[test]
    fn the_document_of_this_project_has_its_marks() {
        let document = include_str!("../../../docs/benchmarks.md");
        assert!(publish(document, &results(Vec::new())).is_ok());
    }
}
