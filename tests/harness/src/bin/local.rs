//! `bin/local`: the local AWS with an environment's buckets and both functions, until SIGINT or SIGTERM.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use domain::mapping::BucketKind;
use harness::{Bootstraps, Options, Photolala, environment};
use local_aws::{Backend, Faults, Schedule};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Starts a local AWS (S3, S3 Batch Operations, Lambda, EventBridge) with an environment's buckets and both functions.
///
/// Prints one line of JSON with "ready":true once it answers, and runs until Ctrl-C or SIGTERM.
/// Use it with any AWS client: endpoint as printed, access key "test", secret "test", region us-east-1. S3 Control
/// puts the AWS account before the host, which has no address: give such clients the endpoint as HTTP proxy too
/// (HTTP_PROXY=<endpoint> and an http:// endpoint URL).
/// GET <endpoint>/_local/health, functions, logs/<function>, metrics, requests, jobs, rules and events look inside;
/// POST /_local/clock {"advanceSeconds":3600} moves the clock, POST /_local/rules/<name> fires a rule.
/// PHOTOLALA_BOOTSTRAPS=DIR deploys DIR/photolala-deletion/bootstrap and DIR/photolala-eraser/bootstrap.
#[derive(Parser)]
#[command(name = "local", verbatim_doc_comment)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 4566)]
    port: u16,
    /// The environment: a file of environments/ without .json.
    #[arg(long, default_value = "development")]
    environment: String,
    /// Another S3 server to put behind, http://HOST:PORT; it must know the access key "test" with the secret "test".
    #[arg(long, value_name = "URL")]
    s3: Option<String>,
    /// How the photo buckets keep versions: unversioned, versioned or suspended.
    #[arg(long, default_value = "unversioned", value_parser = kind)]
    versioning: BucketKind,
    /// Faults for calls of the functions and of jobs: errors, throttles, cut connections, late effects, half answers,
    /// killed processes. The same seed draws the same faults; RATE is their share of the calls (0.05). What was
    /// injected is printed at the end.
    #[arg(long, value_name = "SEED[:RATE]", value_parser = Faults::parse)]
    faults: Option<Faults>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("local: {fault}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    // Before the ready line, so that a signal sent right after it is not lost.
    let mut signals = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let faults = arguments.faults.clone();
    let photolala = Photolala::start(options(arguments)?).await?;
    if let Some(faults) = &faults {
        photolala.local().inject(faults);
    }
    println!("{}", ready(&photolala));
    std::io::stdout().flush()?;
    ended(&mut signals).await;
    if let Some(faults) = &faults {
        eprintln!("local: injected {faults}");
    }
    photolala.shutdown().await;
    Ok(())
}

fn options(arguments: Arguments) -> Result<Options, Box<dyn std::error::Error>> {
    let environment = environment::load(&arguments.environment)?;
    Ok(Options {
        daily: Some(environment.schedule_expression.parse()?),
        environment,
        port: arguments.port,
        s3: arguments.s3.map_or(Backend::InMemory, Backend::Url),
        kind: arguments.versioning,
        bootstraps: Some(Bootstraps::found()),
        job_events: true,
        reconcile: Some(RECONCILE.parse::<Schedule>().expect("a schedule expression of EventBridge's")),
        ..Options::default()
    })
}

/// As the service is deployed.
const RECONCILE: &str = "rate(5 minutes)";

fn kind(text: &str) -> Result<BucketKind, String> {
    match text {
        "unversioned" => Ok(BucketKind::Unversioned),
        "versioned" => Ok(BucketKind::Versioned),
        "suspended" => Ok(BucketKind::Suspended),
        _ => Err("must be unversioned, versioned or suspended".to_owned()),
    }
}

fn ready(photolala: &Photolala) -> Value {
    let environment = photolala.environment();
    let buckets: Vec<&str> = environment.buckets.iter().map(|bucket| bucket.name.as_str()).collect();
    json!({
        "ready": true,
        "endpoint": photolala.local().endpoint(),
        "region": environment.region,
        "account": environment::AWS_ACCOUNT,
        "environment": environment.name,
        "buckets": buckets,
        "manifestBucket": environment.manifest_bucket(),
        "functions": [environment.functions.deletion, environment.functions.eraser],
    })
}

async fn ended((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
