//! The local AWS: S3, S3 Batch Operations, Lambda, `EventBridge` and `CloudWatch` as far as the service uses them,
//! on one loopback port.
//!
//! [`LocalAws::start`] opens the port; a program then needs `AWS_ENDPOINT_URL=http://127.0.0.1:PORT`,
//! `HTTP_PROXY` with the same value (S3 Control puts the AWS account before the host, and a proxy needs no DNS
//! for it), a Region, and the access key `test` with the secret `test`.
//! Every request passes one place, the [`Gate`], where tests delay it, answer it, kill a process at it or cut its
//! connection, and where the [`Recorder`] sees it.
//! What is not served is refused by name.

mod admin;
mod answers;
mod caller;
mod clients;
mod clock;
mod cloud;
mod events;
mod faults;
mod forward;
mod gate;
mod local_aws;
mod put_events;
mod recorder;
mod request;
mod rules;
mod schedule;
mod server;

pub use answers::{s3_control_error, s3_error};
pub use clients::Clients;
pub use clock::Clock;
pub use cloud::Cut;
pub use events::{Events, PutEvent};
pub use faults::{Fault, Faults};
pub use gate::{Gate, Verdict, after, before};
pub use local_aws::{Backend, LocalAws, Options};
pub use recorder::{Count, Record, Recorder};
pub use request::{RequestInfo, Service};
pub use rules::{Firing, Input, NotFired, Rule, Rules, When};
pub use schedule::{Schedule, UnknownSchedule};
