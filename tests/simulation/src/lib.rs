//! Deterministic simulation: the functions' real code against the local AWS, in this program, on one thread, with time
//! that passes only when everybody waits. One seed decides everything, faults included; a reference model judges.
//!
//! Start with [`schedule`]: what may happen. Then [`run`], which makes it happen, and [`model`], which judges.

// The SDK's futures nest deeply; the compiler's default stops a little short of them.
#![recursion_limit = "256"]

pub mod explore;
pub mod host;
pub mod model;
pub mod run;
pub mod schedule;
pub mod shrink;
pub mod small;
pub mod stage;
