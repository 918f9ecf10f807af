//! Amazon S3 Batch Operations on your own machine: the control API and the engine that runs the jobs.
//!
//! A [`Batch`] answers the eight job operations of the S3 Control API (version 2018-08-20) and runs
//! `LambdaInvoke` jobs: it reads the CSV manifest, invokes the function once a task, redrives temporary
//! failures, and writes the completion report.
//! It reaches S3 and Lambda only through the SDK clients in [`Options`], so it can stand before any
//! endpoint that speaks their protocols.
//!
//! ```no_run
//! # async fn serve(s3: aws_sdk_s3::Client, lambda: aws_sdk_lambda::Client, request: http::Request<bytes::Bytes>) {
//! let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
//! let batch = local_batch::Batch::new(local_batch::Options::new(s3, lambda, sender));
//! let response = batch.call(request).await;
//! # }
//! ```
//!
//! What it does not do it says: the other operations, manifest generators and inventory manifests are
//! answered `NotImplemented` by name.
//! IAM is not evaluated: a missing permission shows as the endpoint behind a client refuses a call.
//! No job is ever paused in favour of another; priority only orders the jobs that wait to start.
//!
//! Where AWS is silent (texts of failure codes, number of redrives, throttled invocations) the choice is
//! written beside the code that makes it.

mod api;
mod batch;
mod create;
mod dispatch;
mod engine;
mod error;
mod events;
mod invoke;
mod job;
mod keys;
mod ledger;
mod manifest;
mod options;
mod payload;
mod render;
mod report;
mod routes;
mod store;
mod tags;
mod xml;

pub use batch::Batch;
pub use job::{
    Job, JobFailure, JobSpec, LambdaInvoke, Manifest, ManifestField, Progress, Report, ReportScope, SchemaVersion,
    Status,
};
pub use options::{Now, Options, Pace};
pub use routes::{is_request, operation};
