//! What tests of this crate and of its adapters need.

pub mod contract;
mod memory;

pub use memory::InMemoryProducts;
