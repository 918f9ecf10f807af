//! AWS Lambda on your own machine: Invoke, the Runtime API, and functions as real processes.
//!
//! A [`Lambda`] runs the `bootstrap` of each [`Function`] as a child process that speaks the Runtime API
//! (version 2018-06-01), one request at a time each, with as many processes as requests run at once.
//! It keeps timeouts, concurrency limits, function errors, asynchronous retries and dead letters as AWS does,
//! and keeps what the processes print: log lines, and metrics in `CloudWatch`'s Embedded Metric Format.
//!
//! For deterministic simulation a function's [`Code`] may also run in this program, in place of processes.
//!
//! What it does not do it says: every control operation but Invoke and `GetFunction`, client contexts, log tails
//! and streamed responses are answered `NotImplemented` by name.
//! It knows no layers, no VPC, no memory limit, and it does not freeze a process between two requests.

mod api;
mod embedded_metrics;
mod environment;
mod error;
mod event_queue;
mod function;
mod hosted;
mod instance;
mod invoke;
mod lambda;
mod log_pipe;
mod logs;
mod name;
mod process;
mod routes;
mod runtime_api;

pub use embedded_metrics::Metric;
pub use error::Error;
pub use event_queue::DeadLetter;
pub use function::{Code, Function};
pub use hosted::{HostedRequest, Killed, Log};
pub use invoke::{Invoked, Outcome};
pub use lambda::{Lambda, Options};
pub use logs::LogLine;
pub use process::ProcessInfo;
pub use routes::{function_name, is_request, operation};
