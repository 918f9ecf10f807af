//! What a deletion is, without doing any of it.
//!
//! This crate never waits, never asks the time, never reads a variable and never speaks to AWS:
//! its `Cargo.toml` names neither a runtime nor an SDK. Everything it needs comes in as an argument,
//! and what it returns leaves nothing to decide.
//!
//! Start with [`record`] (the life of a deletion) and [`layout`] (which keys belong to an account).

pub mod answer;
pub mod cost;
pub mod day;
pub mod due;
pub mod entry;
pub mod environment;
pub mod event;
pub mod ids;
pub mod json;
pub mod keys;
pub mod layout;
pub mod look;
pub mod manifest;
pub mod mapping;
pub mod notice;
pub mod outcome;
pub mod pace;
pub mod page;
pub mod receipt;
pub mod record;
pub mod report;
pub mod request;
pub mod settings;
pub mod shard;
pub mod status;
pub mod tally;
pub mod task;
pub mod url;
pub mod verdict;

/// A moment, always from S3's clock (its `Date` header), never from the machine's.
pub use jiff::Timestamp;
