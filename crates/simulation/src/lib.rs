//! Deterministic fault simulation.
