//! Simulations with every run of the tests: seeds, bounds, and what simulations have found.

mod bounds;
mod regressions;
mod seeds;
