//! Numbers out of measurements, and the rows that a report is made of.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

/// Milliseconds, shortest first.
pub(crate) fn sorted_ms(times: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The value below which this share (per thousand) of the sorted values lies, by nearest rank; no
/// number if there are none.
pub(crate) fn quantile(sorted: &[f64], per_mille: usize) -> f64 {
    let rank = (sorted.len() * per_mille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// Without what nobody could measure: the latency of no answer, a part of nothing. JSON has no
/// number for it.
fn numbers(samples: Vec<f64>) -> Vec<f64> {
    samples
        .into_iter()
        .filter(|sample| sample.is_finite())
        .collect()
}

/// One of the things that were measured in turn.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) samples: Vec<f64>,
}

impl Side {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, samples: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            unit,
            samples: numbers(samples),
        }
    }
}

/// A row of the report: a number per pair, and what it was made of.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// `R1` and so on.
    pub(crate) id: &'static str,
    /// Distinguishes rows of one id.
    pub(crate) case: String,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) samples: Vec<f64>,
    pub(crate) sides: Vec<Side>,
}

impl Row {
    /// The first side ÷ the second, pair by pair.
    pub(crate) fn ratio(
        id: &'static str,
        case: impl Into<String>,
        what: impl Into<String>,
        over: Side,
        under: Side,
    ) -> Self {
        let pairs = over.samples.iter().zip(&under.samples);
        Self {
            id,
            case: case.into(),
            what: what.into(),
            unit: "×",
            samples: numbers(pairs.map(|(over, under)| over / under).collect()),
            sides: vec![over, under],
        }
    }

    /// A number by itself.
    pub(crate) fn plain(
        id: &'static str,
        case: impl Into<String>,
        what: impl Into<String>,
        unit: &'static str,
        samples: Vec<f64>,
    ) -> Self {
        Self {
            id,
            case: case.into(),
            what: what.into(),
            unit,
            samples: numbers(samples),
            sides: Vec::new(),
        }
    }

    /// The same with a number beside it.
    pub(crate) fn beside(mut self, side: Side) -> Self {
        self.sides.push(side);
        self
    }
}

/// Writes the rows, and which databases told their version, for whoever makes a document of them.
pub(crate) fn write(path: &Path, databases: &[String], rows: &[Row]) -> anyhow::Result<()> {
    let all = serde_json::json!({"databases": databases, "rows": rows});
    std::fs::write(path, serde_json::to_vec_pretty(&all)?)?;
    Ok(())
}
