//! How the service is started on the local AWS.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use domain::environment::Environment;
use domain::mapping::BucketKind;
use local_aws::{Backend, Input, LocalAws, Rule, Schedule, When};
use local_batch::Pace;
use local_lambda::{Code, Function, HostedRequest};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use crate::deploy::{Bootstraps, DELETION_TIMEOUT, UNRESERVED, functions, processes};
use crate::environment;
use crate::fault::said;

/// What is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The environment (development). Change it as needed; the functions get their variables from it.
    pub environment: Environment,
    /// The port on 127.0.0.1; 0 takes any that is free (0).
    pub port: u16,
    /// Where S3 requests go (in memory).
    pub s3: Backend,
    /// How the photo buckets keep versions (unversioned, as the service's are).
    pub kind: BucketKind,
    /// Whether the photo buckets have Object Lock, which needs [`BucketKind::Versioned`] (no).
    pub object_lock: bool,
    /// The functions' executables; none deploys no functions ([`Bootstraps::found`]).
    pub bootstraps: Option<Bootstraps>,
    /// Whether the deletion function hears of jobs' changes of status (no).
    pub job_events: bool,
    /// When the deletion function reconciles by itself (never).
    pub reconcile: Option<Schedule>,
    /// Variables of the deletion function in place of the environment's (none).
    pub deletion_variables: BTreeMap<String, String>,
    /// Variables of the eraser in place of the environment's (none).
    pub eraser_variables: BTreeMap<String, String>,
    /// When the scheduled run starts by itself (never).
    pub daily: Option<Schedule>,
    /// The deletion function's timeout (Lambda's longest, 15 minutes).
    pub deletion_timeout: Duration,
    /// Requests at once that the deletion function takes (10).
    pub deletion_concurrency: usize,
    /// How jobs deliver their tasks.
    pub pace: Pace,
    /// What jobs act with, in front of another AWS (the access key `test`).
    pub job_credentials: Option<Credentials>,
    /// Most entries of a page of a listing, up to 1,000 (1,000).
    pub page_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            environment: environment::load("development").expect("the repository has a development environment"),
            port: 0,
            s3: Backend::InMemory,
            kind: BucketKind::Unversioned,
            object_lock: false,
            bootstraps: Some(Bootstraps::found()),
            job_events: false,
            reconcile: None,
            deletion_variables: BTreeMap::new(),
            eraser_variables: BTreeMap::new(),
            daily: None,
            deletion_timeout: DELETION_TIMEOUT,
            deletion_concurrency: UNRESERVED,
            pace: Pace::default(),
            job_credentials: None,
            page_size: 1000,
        }
    }
}

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program has the port.
    #[error("port {0} is taken by another program; choose another, or 0 for any that is free")]
    PortTaken(u16),
    /// An executable is missing.
    #[error("{} is not there: build the functions first, with bin/functions or cargo build", .0.display())]
    NotBuilt(PathBuf),
    /// The port could not be opened, or the other S3 server cannot be used.
    #[error("the local AWS did not start: {0}")]
    Io(io::Error),
    /// A bucket could not be made.
    #[error("the bucket {bucket} could not be made: {fault}")]
    Bucket {
        /// The bucket.
        bucket: String,
        /// S3's words.
        fault: String,
    },
}

/// The local AWS with the functions and rules of these options.
pub(crate) async fn local_aws(options: &Options) -> Result<LocalAws, StartError> {
    let rules = if options.bootstraps.is_some() { rules(options) } else { Vec::new() };
    let started = LocalAws::start(local_options(options, processes(options)?, rules));
    started.await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken(options.port),
        _ => StartError::Io(error),
    })
}

/// The same without a port, for code in this program, which is handed the functions' requests.
pub(crate) fn in_process(options: &Options, host: UnboundedSender<HostedRequest>) -> Result<LocalAws, StartError> {
    let functions = functions(options, Code::Hosted(host.clone()), Code::Hosted(host));
    LocalAws::in_process(local_options(options, functions, rules(options))).map_err(StartError::Io)
}

fn local_options(options: &Options, functions: Vec<Function>, rules: Vec<Rule>) -> local_aws::Options {
    local_aws::Options {
        port: options.port,
        s3: options.s3.clone(),
        page_size: options.page_size,
        pace: options.pace.clone(),
        job_credentials: options.job_credentials.clone(),
        functions,
        rules,
        ..local_aws::Options::default()
    }
}

fn rules(options: &Options) -> Vec<Rule> {
    let Options { environment, reconcile, daily, job_events, .. } = options;
    let rule = |name: &str, input, when| Rule {
        name: format!("photolala-{name}-{}", environment.name),
        target: environment.functions.deletion.clone(),
        input,
        when,
    };
    let when = |schedule: &Option<Schedule>| schedule.map_or(When::OnDemand, When::Schedule);
    let mut rules = vec![
        rule("reconcile", Input::Json(json!({"type": "reconcile"})), when(reconcile)),
        rule("daily", Input::Envelope, when(daily)),
    ];
    if *job_events {
        rules.push(rule("job-status", Input::Envelope, When::JobStatus));
    }
    rules
}

/// Makes the photo buckets and the manifest bucket.
pub(crate) async fn buckets(s3: &Client, options: &Options) -> Result<(), StartError> {
    for bucket in &options.environment.buckets {
        create(s3, bucket.name.as_str(), options.object_lock).await?;
        set_kind(s3, bucket.name.as_str(), options.kind).await?;
    }
    create(s3, &options.environment.manifest_bucket(), false).await
}

/// Makes a bucket; one that is ours already (of another S3 server, from an earlier run) is used as it is.
async fn create(s3: &Client, name: &str, object_lock: bool) -> Result<(), StartError> {
    let create = s3.create_bucket().bucket(name);
    let create = if object_lock { create.object_lock_enabled_for_bucket(true) } else { create };
    match create.send().await {
        Err(error) if error.code() != Some("BucketAlreadyOwnedByYou") => Err(failed(name, &error)),
        _ => Ok(()),
    }
}

async fn set_kind(s3: &Client, name: &str, kind: BucketKind) -> Result<(), StartError> {
    match kind {
        BucketKind::Unversioned => Ok(()),
        BucketKind::Versioned => set_versioning(s3, name, BucketVersioningStatus::Enabled).await,
        BucketKind::Suspended => {
            // A bucket cannot be suspended before it was enabled once on every S3 server.
            set_versioning(s3, name, BucketVersioningStatus::Enabled).await?;
            set_versioning(s3, name, BucketVersioningStatus::Suspended).await
        }
    }
}

/// Switches versioning of a bucket on or off.
pub(crate) async fn set_versioning(s3: &Client, name: &str, status: BucketVersioningStatus) -> Result<(), StartError> {
    let configuration = VersioningConfiguration::builder().status(status).build();
    let put = s3.put_bucket_versioning().bucket(name).versioning_configuration(configuration);
    put.send().await.map(drop).map_err(|error| failed(name, &error))
}

fn failed(bucket: &str, error: &(impl ProvideErrorMetadata + Error)) -> StartError {
    StartError::Bucket { bucket: bucket.to_owned(), fault: said(error) }
}
