//! Jobs through the real S3 Control SDK, with S3 and Lambda played by a few lines each.
//! The clock of tokio is paused: waiting costs nothing and every run is the same.

mod api;
mod crashes;
mod creating;
mod lifecycle;
mod reports;
mod tasks;
mod wire;
mod world;
