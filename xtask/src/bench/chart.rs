//! Charts as SVG: bars from zero with their ranges. Written by hand, because a bar is a rectangle.

use std::fmt::Write as _;

use super::row::{Results, Row, Spread, shown};

const WIDTH: f64 = 860.0;
/// Where bars begin and how long the longest may be.
const LEFT: f64 = 330.0;
const LONGEST: f64 = 420.0;
const BAR: f64 = 20.0;
const GAP: f64 = 14.0;
const HEAD: f64 = 44.0;
/// Of the first and the second bar of a group; told apart by brightness too.
const COLOURS: [&str; 2] = ["#0b5fa5", "#e08b2c"];

/// What was measured in turn, and stands together.
struct Group {
    name: String,
    bars: Vec<(String, Spread)>,
}

/// The charts that these results are enough for, by file name.
pub(crate) fn all(results: &Results) -> Vec<(&'static str, String)> {
    let charts = [
        (
            "confirms.svg",
            "Confirms per second, group commit on and off",
            sides(results, &["R1", "R2", "R3"]),
        ),
        (
            "shapes.svg",
            "Confirms per second, one hot product and spread; checkouts and confirms",
            sides(results, &["R4", "R13"]),
        ),
        (
            "held.svg",
            "Confirms per second while the gateway is slow, same number of connections",
            sides(results, &["R5"]),
        ),
        (
            "latency.svg",
            "Milliseconds above the gateway's own",
            plain(results, &["R6", "R8"], "ms"),
        ),
    ];
    charts
        .into_iter()
        .filter(|(_, _, groups)| !groups.is_empty())
        .map(|(name, title, groups)| (name, svg(title, &groups)))
        .collect()
}

fn of<'a>(results: &'a Results, ids: &'a [&str]) -> impl Iterator<Item = &'a Row> {
    let rows = results.rows.iter();
    rows.filter(|row| ids.contains(&row.id.as_str()))
}

/// The sides of each of these rows.
fn sides(results: &Results, ids: &[&str]) -> Vec<Group> {
    let groups = of(results, ids).map(|row| {
        let bars = row.sides.iter().filter_map(|side| {
            let spread = Spread::of(&side.samples)?;
            Some((side.name.clone(), spread))
        });
        Group {
            name: format!("{}: {}", row.id, row.case),
            bars: bars.collect(),
        }
    });
    groups.collect()
}

/// The rows themselves, those of one unit.
fn plain(results: &Results, ids: &[&str], unit: &str) -> Vec<Group> {
    let rows = of(results, ids).filter(|row| row.unit == unit);
    let groups = rows.filter_map(|row| {
        let spread = Spread::of(&row.samples)?;
        Some(Group {
            name: format!("{}: {}", row.id, row.case),
            bars: vec![(row.what.clone(), spread)],
        })
    });
    groups.collect()
}

/// One bar after the other, each group under its name; whiskers are the range.
fn svg(title: &str, groups: &[Group]) -> String {
    let spreads = groups.iter().flat_map(|group| &group.bars);
    let longest = spreads.fold(0.0_f64, |longest, (_, spread)| longest.max(spread.max));
    let scale = if longest > 0.0 {
        LONGEST / longest
    } else {
        0.0
    };
    let mut body = String::new();
    let mut y = HEAD;
    for group in groups {
        y += GAP;
        text(&mut body, 16.0, y, "start", &group.name);
        y += 8.0;
        for (index, (name, spread)) in group.bars.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            bar(&mut body, y, name, *spread, scale, colour);
            y += BAR + 4.0;
        }
        y += GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\">{}</text>\n{body}</svg>\n",
        escaped(title)
    )
}

fn bar(out: &mut String, y: f64, name: &str, spread: Spread, scale: f64, colour: &str) {
    let at = |value: f64| LEFT + value.max(0.0) * scale;
    let Spread { median, min, max } = spread;
    let (width, middle) = (at(median) - LEFT, y + BAR / 2.0);
    text(out, LEFT - 8.0, middle + 5.0, "end", name);
    // Writing to a string cannot fail.
    let _written = writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n\
         <path d=\"M{:.1} {middle}H{:.1}M{0:.1} {}v8M{1:.1} {2}v8\" stroke=\"black\"/>",
        at(min),
        at(max),
        middle - 4.0
    );
    text(out, at(max) + 8.0, middle + 5.0, "start", &shown(median));
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escaped(text);
    let _written = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::row::Side;
    use super::super::row::tests::{results, row};
    use super::*;

    fn side(name: &str, samples: &[f64]) -> Side {
        Side {
            name: name.to_owned(),
            unit: "/s".to_owned(),
            samples: samples.to_vec(),
        }
    }

    #[test]
    fn the_longest_range_fills_the_width_and_the_others_are_in_proportion() {
        let mut pair = row("R1", "×", &[2.0]);
        pair.sides = vec![side("on", &[100.0, 150.0, 200.0]), side("off", &[50.0])];
        let charts = all(&results(vec![pair]));
        let [("confirms.svg", svg)] = &charts[..] else {
            panic!("{charts:?}");
        };
        // 150 and 50 of 200, and 200 at the very end.
        assert!(
            svg.contains("width=\"315.0\"") && svg.contains("width=\"105.0\""),
            "{svg}"
        );
        assert!(svg.contains("H750.0"), "{svg}");
    }

    #[test]
    fn what_is_below_zero_has_no_length_and_names_are_escaped() {
        let mut odd = row("R8", "ms", &[-2.0]);
        odd.what = "a < b".to_owned();
        let charts = all(&results(vec![odd]));
        assert!(charts[0].1.contains("width=\"0.0\""), "{charts:?}");
        assert!(charts[0].1.contains("a &lt; b"), "{charts:?}");
    }

    #[test]
    fn rows_that_belong_to_no_chart_make_none() {
        assert!(all(&results(vec![row("R9", "×", &[1.0])])).is_empty());
    }
}
