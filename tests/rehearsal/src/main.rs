//! `bin/rehearse` after the deployment: puts S3 Batch Operations in front of the emulator, plays the stories through
//! the deployed functions under their own roles, and compares what they used with what they were granted.

mod audit;
mod deployed;
mod emulator;
mod gaps;
mod grants;
mod needs;
mod refusals;
mod scheduled;
mod stage;
mod stories;
mod templates;
mod url;
mod versions;
mod watch;

use std::collections::BTreeSet;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use domain::environment::{Environment, ImmediateMode};
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
    /// Makes what has to be there before the stacks are.
    Prepare {
        /// A file of environments/ without .json.
        environment: String,
        /// The emulator, http://HOST:PORT.
        #[arg(long)]
        aws: String,
    },
    /// Prints the page of an environment as it is rehearsed.
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
        Command::Prepare { environment, aws } => prepare(&environment, &aws).await,
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

async fn prepare(name: &str, aws: &str) -> Result<bool, Failed> {
    Emulator::at(aws).make_app_role(&rehearsed(name)?).await?;
    Ok(true)
}

fn page(name: &str) -> Result<bool, Failed> {
    println!("{}", serde_json::to_string_pretty(&rehearsed(name)?)?);
    Ok(true)
}

/// The environment, moved to the emulator's AWS account and Region. Where an invocation may ask in a person's place,
/// stories are told to the end of the grace period: it is two seconds there, so that nobody waits minutes; and the
/// daily rule, which elsewhere fires at night, rests until a story has it fire.
fn rehearsed(name: &str) -> Result<Environment, Failed> {
    let mut environment = environment::load(name)?;
    if environment.immediate_mode == ImmediateMode::Allowed {
        environment.grace_seconds = 2;
        "rate(1 hour)".clone_into(&mut environment.schedule_expression);
    }
    Ok(environment)
}

impl Play {
    async fn run(&self) -> Result<bool, Failed> {
        let reasons = audit::reasons(&self.unused).map_err(|error| format!("{}: {error}", self.unused.display()))?;
        let stage = set(&self.environment, &self.aws, self.port).await?;
        gaps::tell(&stage).await;
        let played = [
            is_deployed(&stage, &templates::granted(&self.templates)?).await,
            told(&stage).await && compare(&stage, &reasons),
            nobody_unknown(&stage.watch),
            is_silent(&stage, &std::fs::read_to_string(&self.log)?),
        ];
        stage.photolala.shutdown().await;
        Ok(played.into_iter().all(|is_well| is_well))
    }
}

async fn is_deployed(stage: &Stage, templates: &BTreeSet<templates::Named>) -> bool {
    let mut faults = templates::differences(templates, stage.watch.grants());
    faults.extend(deployed::faults(stage).await);
    for fault in &faults {
        println!("FAIL  {fault}");
    }
    println!("{}  what the templates grant is deployed, rules and notice bus too", mark(faults.is_empty()));
    faults.is_empty()
}

fn mark(is_well: bool) -> &'static str {
    if is_well { "ok  " } else { "FAIL" }
}

/// The front before the emulator, and everybody known who will pass it.
async fn set(name: &str, aws: &str, port: u16) -> Result<Stage, Failed> {
    let environment = rehearsed(name)?;
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
        ("the app's role cannot, either", refusals::of_the_app(stage).boxed_local()),
        ("the function URL lets the app's role through and nobody else", url::who_gets_through(stage).boxed_local()),
    ];
    if !serves_delete_now(stage) {
        all.extend([
            ("Delete Now by invocation is refused here", stories::refused_by_mode(stage).boxed_local()),
            (
                "Scheduled and cancelled over the URL, and not by invocation",
                scheduled::over_the_url(stage).boxed_local(),
            ),
            ("Delete Now over the URL, erased by the next run", scheduled::by_the_next_run(stage).boxed_local()),
        ]);
        return all;
    }
    all.extend([
        ("Delete Now, small: status, reconcile, receipt", stories::small(stage).boxed_local()),
        ("Delete Now, large: job, forged pages, job event, receipt", stories::large(stage).boxed_local()),
        ("Delete Now, slow to plan: handed over to itself", stories::handed_over(stage).boxed_local()),
        ("Scheduled by event: early run, dry run, run, receipt, notices", scheduled::by_event(stage).boxed_local()),
        ("Scheduled and cancelled in time", scheduled::cancelled(stage).boxed_local()),
        ("Scheduled by the app alone, small and large: one job", scheduled::large_and_small(stage).boxed_local()),
        ("Scheduled without a status: confirmed by a person", scheduled::confirmed(stage).boxed_local()),
        ("Scheduled, and run by the deployed rule", scheduled::by_rule(stage).boxed_local()),
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
        let late = if ended.is_err() { ", and had not ended" } else { "" };
        println!("{}  {name} ({:.1} s{late})", mark(all_well), started.elapsed().as_secs_f64());
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

/// P10: what the functions print, as the emulator logs it, names nobody; nor does a notice but that of a claim.
fn is_silent(stage: &Stage, log: &str) -> bool {
    let notices = stage.watch.notices().into_iter().filter(|notice| notice.kind != "claimed");
    let log = notices.fold(log.to_owned(), |log, notice| format!("{log}{notice:?}")).to_lowercase();
    let secrets = (1..=SEEDS).flat_map(|seed| Account::seeded(seed).secrets());
    let told: Vec<String> = secrets.filter(|secret| log.contains(&secret.to_lowercase())).collect();
    for secret in &told {
        println!("FAIL  P10: the functions' logs or notices tell {secret}");
    }
    // A log that does not show what functions print would prove nothing.
    let is_silent = told.is_empty() && log.contains("deletionscompleted");
    println!("{}  the functions' logs and notices name nobody", mark(is_silent));
    is_silent
}

/// The stories' accounts are seeded from 1 to this.
const SEEDS: u64 = 16;

/// After all stories were told. Elsewhere than where Delete Now is served by invocation, few are.
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
