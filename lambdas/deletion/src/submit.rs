//! From `planned` to `submitted`: one job for all planned deletions of a run.
//!
//! The run's object comes first, then every record is changed to name it, then manifest and job. Whoever finds a run
//! without a job does the last two again: the same pages give the same manifest and the same token, so it is the same
//! job.

use aws::create_job::{NewJob, create_job};
use aws::get_object::get_object;
use aws::list_jobs::find_job;
use aws::list_objects::list_objects;
use aws::put_object::{Condition, put_own};
use aws::retry::retrying;
use domain::Timestamp;
use domain::ids::{DeletionId, JobId, RunId};
use domain::keys::ObjectKey;
use domain::layout::{attempt_pages_prefix, job_key, manifest_key, reports_prefix, run_key};
use domain::manifest::{Manifest, job_description};
use domain::receipt::ReceiptState;
use domain::record::State;
use fault_point::planted;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::claim::{put_receipt, receipt_of};
use crate::holder::Holder;
use crate::{App, Stop};

/// Records written at the same time.
const RECORDS_IN_FLIGHT: usize = 16;

/// A run: which deletions went into which job. It names no account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The run.
    pub run_id: RunId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its deletions, each with the attempt whose pages it brings.
    pub members: Vec<Member>,
    /// The job, once it is known.
    pub job_id: Option<JobId>,
}

/// A deletion in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The deletion.
    pub deletion_id: DeletionId,
    /// The attempt.
    pub attempt: u32,
}

/// Submits held, planned deletions as one job, and puts their records down.
pub async fn submit(app: &App, holders: &[&Holder<'_>], deadline: Instant) -> Result<(), Stop> {
    let run_id = RunId::new((app.host.new_uuid)());
    let mut members = Vec::new();
    for holder in holders {
        let record = holder.record().await;
        members.push(Member { deletion_id: record.deletion_id, attempt: record.attempt });
    }
    let run = Run { run_id, created_at: app.clock.now(), members, job_id: None };
    put_run(app, &run, deadline).await?;
    let joins = stream::iter(holders).map(async |holder| match holder.write(|record| join(record, run_id)).await {
        Ok(()) => Ok(Some(*holder)),
        Err(Stop::Lost) => Ok(None),
        Err(stop) => Err(stop),
    });
    let joined: Vec<Option<&Holder<'_>>> = joins.buffered(RECORDS_IN_FLIGHT).try_collect().await?;
    let joined: Vec<&Holder<'_>> = joined.into_iter().flatten().collect();
    let mut run = run;
    run.members.clear();
    for holder in &joined {
        let record = holder.record().await;
        run.members.push(Member { deletion_id: record.deletion_id, attempt: record.attempt });
    }
    if run.members.is_empty() {
        return Err(Stop::Lost);
    }
    let job = start_job(app, &mut run, deadline).await?;
    let notes = stream::iter(joined).map(async |holder| note_job(app, holder, &job).await);
    notes.buffer_unordered(RECORDS_IN_FLIGHT).try_collect().await
}

fn join(record: &mut domain::record::Record, run_id: RunId) {
    if let State::Planned { versions } = record.state {
        record.done.runs.push(run_id);
        record.state = State::Submitted { run_id, versions };
    }
}

/// Writes the job into a record that is still held, and puts the record down.
pub async fn note_job(app: &App, holder: &Holder<'_>, job: &JobId) -> Result<(), Stop> {
    holder
        .write(|record| {
            if !record.done.jobs.contains(job) {
                record.done.jobs.push(job.clone());
            }
            record.holder = None;
        })
        .await?;
    put_receipt(app, holder, &receipt_of(app, &holder.record().await, ReceiptState::Submitted)).await
}

/// Writes the manifest and creates the job, or finds the one there is. May be repeated any number of times.
pub async fn start_job(app: &App, run: &mut Run, deadline: Instant) -> Result<JobId, Stop> {
    let manifest = Manifest::of(&app.manifest().name, pages(app, run, deadline).await?)
        .ok_or_else(|| Stop::Refused("a run has no pages".to_owned()))?;
    let key = manifest_key(&run.run_id);
    let put = async || put_own(app.manifest(), &key, manifest.csv().as_bytes().to_vec(), Condition::None).await;
    let etag = retrying(deadline, put).await?;
    let new = new_job(app, run, &manifest, &key, etag);
    let job = match retrying(deadline, async || create_job(&app.jobs, app.manifest(), &new).await).await {
        Ok(job) => job,
        // Asked before, with an answer that got lost: tokens are not remembered for ever.
        Err(error) if error.code == "IdempotencyException" => {
            let owner = &app.settings.shared.aws_account;
            let found = retrying(deadline, async || find_job(&app.jobs, owner, &new.description).await).await?;
            found.ok_or(error)?
        }
        Err(error) => return Err(error.into()),
    };
    run.job_id = Some(job.clone());
    put_run(app, run, deadline).await?;
    Ok(job)
}

async fn pages(app: &App, run: &Run, deadline: Instant) -> Result<Vec<ObjectKey>, Stop> {
    let mut pages = Vec::new();
    for member in &run.members {
        let prefix = attempt_pages_prefix(&member.deletion_id, member.attempt);
        pages.extend(list_objects(app.manifest(), &prefix, deadline).await?.into_iter().map(|object| object.key));
    }
    Ok(pages)
}

fn new_job(app: &App, run: &Run, manifest: &Manifest, key: &ObjectKey, etag: String) -> NewJob {
    let manifest_key = if planted!("d3-no-such-manifest") { "manifests/none" } else { key.as_str() };
    NewJob {
        token: manifest.token(&run.run_id),
        description: job_description(&app.settings.shared.environment, &run.run_id),
        manifest_key: manifest_key.to_owned(),
        manifest_etag: etag,
        report_prefix: reports_prefix(&run.run_id),
        eraser_arn: app.settings.eraser_function_arn.clone(),
        role_arn: app.settings.batch_role_arn.clone(),
    }
}

/// Writes a run, and the pointer from its job to it. Runs that find the job at the same time write the same.
async fn put_run(app: &App, run: &Run, deadline: Instant) -> Result<(), Stop> {
    let body = || serde_json::to_vec(run).expect("a run is plain JSON");
    let put = async |key| put_own(app.manifest(), key, body(), Condition::None).await;
    let key = run_key(&run.run_id);
    retrying(deadline, async || put(&key).await).await?;
    if let Some(job) = &run.job_id {
        let key = job_key(job);
        retrying(deadline, async || put(&key).await).await?;
    }
    Ok(())
}

/// Reads a run by its key, which is its own or a job's pointer.
pub async fn read_run(app: &App, key: &ObjectKey, deadline: Instant) -> Result<Option<Run>, Stop> {
    let got = retrying(deadline, async || get_object(app.manifest(), key, None).await).await?;
    let Some(got) = got else { return Ok(None) };
    let run = serde_json::from_slice(&got.body);
    run.map(Some).map_err(|_| aws::AwsError::contradiction("GetObject", "UnreadableRun").into())
}
