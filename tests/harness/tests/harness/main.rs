//! The harness itself: what it fills accounts with, and what it notices.

mod fixtures;
mod one_build;
mod silence;
