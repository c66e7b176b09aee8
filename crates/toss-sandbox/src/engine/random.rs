//! The engine's only source of chance: seeded, so that a run can be repeated.

use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Makes keys, ids and numbers that look like Toss's.
#[derive(Debug)]
pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    /// Xoshiro is chosen because its stream is the same on every platform and version.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn text(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(ALPHANUMERIC[self.0.random_range(0..ALPHANUMERIC.len())]))
            .collect()
    }

    /// A payment key: time first, as Toss's own test keys have it, then 16 characters of chance.
    pub(crate) fn payment_key(&mut self, now: DateTime<Utc>) -> String {
        format!("tgen_{}{}", now.format("%Y%m%d%H%M%S"), self.text(16))
    }

    /// 24 characters that cannot be guessed from one another without the seed.
    pub(crate) fn window_id(&mut self) -> String {
        self.text(24)
    }

    /// A transaction key of 32 characters.
    pub(crate) fn transaction_key(&mut self) -> String {
        self.text(32)
    }

    /// The payment's secret, as Toss prefixes it.
    pub(crate) fn secret(&mut self) -> String {
        format!("ps_{}", self.text(26))
    }

    /// `length` characters behind a prefix.
    pub(crate) fn key(&mut self, prefix: &str, length: usize) -> String {
        format!("{prefix}{}", self.text(length))
    }

    /// Bytes that are not told apart from chance.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.0.random())
    }

    /// A trace id: 32 hexadecimal digits.
    pub(crate) fn trace_id(&mut self) -> String {
        format!("{:032x}", self.0.random::<u128>())
    }

    /// `count` decimal digits.
    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + self.0.random_range(0..10_u8)))
            .collect()
    }

    /// Whether something so likely happens, in percent.
    pub(crate) fn happens(&mut self, percent: f64) -> bool {
        self.0.random::<f64>() * 100.0 < percent
    }

    /// A Pareto draw with exponent 1.2 of at least `least`, cut off at `most`.
    pub(crate) fn pareto(&mut self, least: u64, most: u64) -> u64 {
        // In thousandths, so that no float has to be turned into an integer with a cast.
        let factor = (1.0 - self.0.random::<f64>()).powf(-1.0 / 1.2);
        let thousandths = format!("{:.0}", factor * 1_000.0).parse::<u64>();
        let factor = thousandths.unwrap_or(u64::MAX);
        (least.saturating_mul(factor) / 1_000).min(most.max(least))
    }

    /// A number between two bounds, both included, in whichever order they come.
    pub(crate) fn between(&mut self, a: u64, b: u64) -> u64 {
        self.0.random_range(a.min(b)..=a.max(b))
    }
}
