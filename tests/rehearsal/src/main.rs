//! `bin/rehearse` after the deployment: puts S3 Batch Operations in front of the emulator, plays the stories through
//! the deployed functions under their own roles, and compares what they used with what they were granted.

mod audit;
mod emulator;
mod gaps;
mod grants;
mod needs;
mod refusals;
mod stage;
mod stories;
mod templates;
mod versions;
mod watch;

use std::collections::BTreeSet;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use domain::environment::ImmediateMode;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use harness::environment::{self, AWS_ACCOUNT as ACCOUNT, REGION};
use harness::{Account, Options, Photolala};
use local_aws::Backend;

use crate::audit::Audit;
use crate::emulator::{Emulator, function_arn, session_key};
use crate::grants::Grant;
use crate::needs::Place;
use crate::stage::{Roles, Stage};
use crate::watch::{Caller, Watch};

/// What bin/rehearse calls; start that instead.
#[derive(Parser)]
#[command(name = "rehearsal")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the page of an environment, moved to the emulator's AWS account and Region.
    Page {
        /// A file of environments/ without .json.
        environment: String,
    },
    /// Plays the stories.
    Play(Play),
}

#[derive(Args)]
struct Play {
    /// A file of environments/ without .json.
    environment: String,
    /// The emulator, http://HOST:PORT, with both stacks deployed.
    #[arg(long)]
    aws: String,
    /// The port on 127.0.0.1 that the deployed functions were told to call.
    #[arg(long)]
    port: u16,
    /// The table of grants that no story uses.
    #[arg(long)]
    unused: PathBuf,
    /// The folder that `cdk synth` wrote.
    #[arg(long)]
    templates: PathBuf,
    /// The emulator's log, which shows what the functions print.
    #[arg(long)]
    log: PathBuf,
}

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Page { environment } => page(&environment),
        Command::Play(play) => play.run().await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("rehearsal: {fault}");
            ExitCode::from(2)
        }
    }
}

fn page(name: &str) -> Result<bool, Failed> {
    println!("{}", serde_json::to_string_pretty(&environment::load(name)?)?);
    Ok(true)
}

impl Play {
    async fn run(&self) -> Result<bool, Failed> {
        let reasons = audit::reasons(&self.unused).map_err(|error| format!("{}: {error}", self.unused.display()))?;
        let stage = set(&self.environment, &self.aws, self.port).await?;
        gaps::tell(&stage).await;
        let played = [
            is_deployed(&stage, &templates::granted(&self.templates)?),
            told(&stage).await && compare(&stage, &reasons),
            nobody_unknown(&stage.watch),
            is_silent(&stage, &std::fs::read_to_string(&self.log)?),
        ];
        stage.photolala.shutdown().await;
        Ok(played.into_iter().all(|is_well| is_well))
    }
}

fn is_deployed(stage: &Stage, templates: &BTreeSet<templates::Named>) -> bool {
    let differences = templates::differences(templates, stage.watch.grants());
    for difference in &differences {
        println!("FAIL  {difference}");
    }
    differences.is_empty()
}

/// The front before the emulator, and everybody known who will pass it.
async fn set(name: &str, aws: &str, port: u16) -> Result<Stage, Failed> {
    let environment = environment::load(name)?;
    let (emulator, roles) = (Emulator::at(aws), Roles::of(&environment));
    let mut grants = Vec::new();
    for (role, ..) in roles.each() {
        grants.extend(emulator.grants(role).await?);
    }
    let watch = Watch::new(grants, Place { account: ACCOUNT.to_owned(), region: REGION.to_owned() });
    for role in [&roles.deletion, &roles.eraser] {
        // Functions and their roles have the same names; a version has a session of its own.
        for arn in [function_arn(role), function_arn(&format!("{role}:$LATEST")), function_arn(&format!("{role}:1"))] {
            watch.know(&session_key(&arn, role), Caller::Service(role.clone()));
        }
    }
    let job = emulator.assume(&roles.batch, "batchoperations.s3.amazonaws.com").await?;
    watch.know(job.access_key_id(), Caller::Service(roles.batch.clone()));
    let options = Options {
        environment,
        port,
        s3: Backend::Aws(aws.to_owned()),
        bootstraps: None,
        job_credentials: Some(job),
        ..Options::default()
    };
    let photolala = Photolala::start(options).await?;
    photolala.local().set_gate(watch.clone());
    Ok(Stage { photolala, emulator, watch, roles })
}

/// Whether an invocation may ask for Delete Now.
fn serves_delete_now(stage: &Stage) -> bool {
    stage.photolala.environment().immediate_mode == ImmediateMode::Allowed
}

type Story<'a> = (&'static str, LocalBoxFuture<'a, ()>);

/// In this order: each leaves what the next can live with.
fn stories(stage: &Stage) -> Vec<Story<'_>> {
    let mut all: Vec<Story<'_>> = vec![
        ("the eraser's role is refused what is not its own", refusals::of_the_eraser(stage).boxed_local()),
        ("the deletion function's role, too", refusals::of_the_deletion_function(stage).boxed_local()),
        ("the role of jobs, too", refusals::of_jobs(stage).boxed_local()),
        ("a stranger can invoke neither function", refusals::of_a_stranger(stage).boxed_local()),
    ];
    if !serves_delete_now(stage) {
        all.push(("Delete Now by invocation is refused here", stories::refused_by_mode(stage).boxed_local()));
        return all;
    }
    all.extend([
        ("Delete Now, small: status, reconcile, receipt", stories::small(stage).boxed_local()),
        ("Delete Now, large: job, forged pages, job event, receipt", stories::large(stage).boxed_local()),
        ("Delete Now, slow to plan: handed over to itself", stories::handed_over(stage).boxed_local()),
        ("Delete Now where versions are kept", versions::versioned(stage).boxed_local()),
        ("Delete Now of what S3 keeps under lock", versions::locked(stage).boxed_local()),
    ]);
    all
}

/// Longest time for one story.
const STORY_MAX: Duration = Duration::from_mins(3);

/// Tells them until one goes wrong, whose panic is told on stderr: what it left behind would spoil the others.
async fn told(stage: &Stage) -> bool {
    let mut all_well = true;
    for (name, story) in stories(stage) {
        if !all_well {
            println!("left  {name}: not told, since an earlier story went wrong");
            continue;
        }
        let started = Instant::now();
        let ended = tokio::time::timeout(STORY_MAX, AssertUnwindSafe(story).catch_unwind()).await;
        all_well = matches!(ended, Ok(Ok(())));
        let mark = if all_well { "ok  " } else { "FAIL" };
        let late = if ended.is_err() { ", and had not ended" } else { "" };
        println!("{mark}  {name} ({:.1} s{late})", started.elapsed().as_secs_f64());
    }
    all_well
}

/// Refusals told; more would bury the first.
const REFUSED_MAX: usize = 5;

fn nobody_unknown(watch: &Watch) -> bool {
    for key in watch.unknown() {
        println!("FAIL  a caller that nobody knows: {key}");
    }
    for (what, answer) in watch.refused().iter().take(REFUSED_MAX) {
        let answer = answer.replace('\n', " ");
        println!("FAIL  {} was refused {} on {}: {answer:.300}", what.role, what.action, what.resource);
    }
    watch.unknown().is_empty() && watch.refused().is_empty()
}

/// P10: what the functions print, as the emulator logs it, names nobody.
fn is_silent(stage: &Stage, log: &str) -> bool {
    let log = log.to_lowercase();
    let secrets = (1..=SEEDS).flat_map(|seed| Account::seeded(seed).secrets());
    let told: Vec<String> = secrets.filter(|secret| log.contains(&secret.to_lowercase())).collect();
    for secret in &told {
        println!("FAIL  P10: the functions' logs tell {secret}");
    }
    // Where something is deleted, a log that does not show what functions print would prove nothing.
    let is_shown = log.contains("deletionscompleted") || !serves_delete_now(stage);
    println!("{}  the functions' logs name nobody", if told.is_empty() && is_shown { "ok  " } else { "FAIL" });
    told.is_empty() && is_shown
}

/// The stories' accounts are seeded from 1 to this.
const SEEDS: u64 = 9;

/// After all stories were told. Elsewhere than where Delete Now is served by invocation, they use next to nothing.
fn compare(stage: &Stage, reasons: &[audit::Reason]) -> bool {
    if !serves_delete_now(stage) {
        println!("left  permissions are not compared: Delete Now is not served by invocation in this environment");
        return true;
    }
    let nickname = |role: &str| {
        let each = stage.roles.each();
        each.iter().find(|(name, ..)| *name == role).map_or(role.to_owned(), |(_, nick, _)| (*nick).to_owned())
    };
    let audit = Audit::of(stage.watch.grants(), &stage.watch.uses(), reasons, nickname);
    for (grant, reason) in &audit.unused {
        let Grant { statement, action, resource, .. } = grant;
        let mark = if reason.is_some() { "kept" } else { "FAIL" };
        let reason = reason.as_deref().unwrap_or("no story uses it, and no reason is given");
        println!("{mark}  {} {statement} {action} {resource}: {reason}", nickname(&grant.role));
    }
    for one in &audit.not_granted {
        println!("FAIL  used and not granted: {} {} {}", one.role, one.action, one.resource);
    }
    for idle in &audit.idle {
        println!("FAIL  a reason for a grant that is used, or that is none: {idle:?}");
    }
    let unused = audit.unused.len();
    println!("      {} permissions granted, {} used, {unused} not used", audit.granted, audit.used);
    audit.is_clean()
}
