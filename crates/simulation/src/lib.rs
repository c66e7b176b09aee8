#![doc = include_str!("../README.md")]

mod bank;
mod client;
mod enumerate;
mod judge;
mod line;
pub mod model;
mod mutant;
mod plan;
mod ports;
mod process;
mod schedule;
mod world;

pub use enumerate::{Coverage, pairs_of_crashes, single_crashes};
pub use mutant::{Mutant, UnknownMutant};
pub use plan::{Mishap, Plan, Schedule};
pub use schedule::{Report, Stage};
