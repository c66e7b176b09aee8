#![doc = include_str!("../README.md")]

mod audit;
mod bank;
mod browser;
mod client;
mod crew;
mod enumerate;
mod judge;
mod line;
pub mod model;
mod mutant;
mod plan;
mod ports;
mod process;
mod refunds;
mod schedule;
mod staff;
mod terms;
mod world;

pub use crew::share;
pub use enumerate::{Coverage, crashes_from, points};
pub use mutant::{Mutant, UnknownMutant};
pub use plan::{Mishap, Plan, Schedule, UnknownMishap};
pub use schedule::{Report, Stage};
