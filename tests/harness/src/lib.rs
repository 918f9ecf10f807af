//! The service as its users meet it: the local AWS with an environment's buckets and both functions, accounts as the
//! app lays them out, and what must hold after every deletion.
//!
//! [`Photolala::start`] starts everything, [`Fixture`] fills an account, [`Photolala::delete_now`] deletes it as the
//! app does, and [`promises`] looks at what is left. Stories, benchmarks and `bin/demo` stand on it.

mod account;
mod answer;
mod deploy;
pub mod environment;
mod fault;
mod fixture;
mod images;
mod layout;
mod people;
pub mod person;
mod photolala;
pub mod promises;
mod seed;
mod snapshot;
mod start;

pub use account::{Account, look_alikes};
pub use answer::{Answer, FunctionError};
pub use deploy::Bootstraps;
pub use fixture::{Fixture, Photo};
pub use photolala::{NotReached, Photolala, url_event};
pub use seed::SeedError;
pub use snapshot::{Change, Place, Seen, Snapshot};
pub use start::{Options, StartError};
