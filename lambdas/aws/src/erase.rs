//! Erasing object versions: in full requests, at the shared pace, each version answered for.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::keys::ObjectVersion;
use domain::outcome::{Hold, KeyVerdict, Outcome, key_verdict};
use domain::page::VERSIONS_PER_PAGE;
use fault_point::planted;
use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use crate::delete_object::delete_version;
use crate::delete_objects::{KeyAnswer, delete_objects};
use crate::object_lock::why_held;
use crate::pace::Pace;
use crate::retry::{backoff, retrying};
use crate::{AwsError, Bucket, Cause};

/// Rounds over what is still unanswered.
const ROUNDS_MAX: u32 = 8;
/// Requests about single keys in flight.
const SINGLES_IN_FLIGHT: usize = 16;

/// Counts for the metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Versions asked for again.
    pub retries: AtomicU64,
    /// `SlowDown`s, as an answer or inside one.
    pub throttles: AtomicU64,
}

/// How to erase: the pace, the time limit, and where to count.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Shared by all that this process erases.
    pub pace: &'a Pace,
    /// When to stop trying; what is unanswered then is `Unfinished`.
    pub deadline: Instant,
    /// For the metrics.
    pub counts: &'a Counts,
}

/// What is known of one version so far.
#[derive(Clone)]
enum Known {
    Open,
    /// Refused: Object Lock is asked why at the end.
    Refused,
    Final(Outcome),
}

/// Erases versions of one bucket: one outcome a version, in the order given. An error means that the bucket as a
/// whole refuses or contradicts itself; what was erased until then is found out by listing again.
pub async fn erase(bucket: &Bucket, versions: &[ObjectVersion], terms: Terms<'_>) -> Result<Vec<Outcome>, AwsError> {
    let mut known = vec![Known::Open; versions.len()];
    for round in 0..ROUNDS_MAX {
        let open: Vec<usize> = (0..versions.len()).filter(|i| matches!(known[*i], Known::Open)).collect();
        if open.is_empty() {
            break;
        }
        if round > 0 {
            terms.counts.retries.fetch_add(open.len() as u64, Ordering::Relaxed);
            tokio::time::sleep(backoff(round)).await;
        }
        if Instant::now() >= terms.deadline {
            break;
        }
        one_round(bucket, versions, &open, &mut known, terms).await?;
    }
    explain(bucket, versions, known, terms.deadline).await
}

/// Asks once for everything open: keys that fit XML together, the others one by one.
async fn one_round(
    bucket: &Bucket,
    versions: &[ObjectVersion],
    open: &[usize],
    known: &mut [Known],
    terms: Terms<'_>,
) -> Result<(), AwsError> {
    let (together, singly): (Vec<usize>, Vec<usize>) = open.iter().partition(|i| versions[**i].key().fits_xml());
    for chunk in together.chunks(VERSIONS_PER_PAGE) {
        let asked: Vec<&ObjectVersion> = chunk.iter().map(|i| &versions[*i]).collect();
        terms.pace.wait(asked.len()).await;
        match delete_objects(bucket, &asked).await {
            Ok(answers) => {
                chunk.iter().zip(answers).for_each(|(i, answer)| known[*i] = weigh(answer, terms));
            }
            Err(error) => passing(error, terms)?,
        }
    }
    let answers: Vec<(usize, Result<(), AwsError>)> = stream::iter(singly)
        .map(async |i| {
            terms.pace.wait(1).await;
            (i, delete_version(bucket, &versions[i]).await)
        })
        .buffer_unordered(SINGLES_IN_FLIGHT)
        .collect()
        .await;
    for (i, answer) in answers {
        known[i] = match answer {
            Ok(()) => Known::Final(Outcome::Erased),
            Err(error) if error.cause == Cause::NotFound => Known::Final(Outcome::Absent),
            Err(error) if error.cause == Cause::Denied => Known::Refused,
            Err(error) => passing(error, terms).map(|()| Known::Open)?,
        };
    }
    Ok(())
}

/// Lets a passing failure of a whole request pass, and hands any other on.
fn passing(error: AwsError, terms: Terms<'_>) -> Result<(), AwsError> {
    if error.cause == Cause::Throttled {
        slow_down(terms);
    }
    if error.is_passing() { Ok(()) } else { Err(error) }
}

fn slow_down(terms: Terms<'_>) {
    terms.counts.throttles.fetch_add(1, Ordering::Relaxed);
    terms.pace.slow_down();
}

fn weigh(answer: KeyAnswer, terms: Terms<'_>) -> Known {
    let code = match answer {
        KeyAnswer::Deleted => return Known::Final(Outcome::Erased),
        KeyAnswer::Missing => return Known::Open,
        KeyAnswer::Error(code) => code,
    };
    match key_verdict(&code) {
        KeyVerdict::Absent => Known::Final(Outcome::Absent),
        KeyVerdict::Denied if planted!("pages-unheld") => Known::Final(Outcome::Erased),
        KeyVerdict::Denied => Known::Refused,
        KeyVerdict::Transient if planted!("d7-error-is-erased") => Known::Final(Outcome::Erased),
        KeyVerdict::Transient => Known::Open,
        KeyVerdict::Throttled => {
            slow_down(terms);
            Known::Open
        }
    }
}

/// Asks Object Lock about every refused version.
async fn explain(
    bucket: &Bucket,
    versions: &[ObjectVersion],
    known: Vec<Known>,
    deadline: Instant,
) -> Result<Vec<Outcome>, AwsError> {
    let why = async |i: usize, known: Known| match known {
        Known::Final(outcome) => Ok(outcome),
        Known::Open => Ok(Outcome::Unfinished),
        Known::Refused => {
            let hold: Option<Hold> = retrying(deadline, async || why_held(bucket, &versions[i]).await).await?;
            Ok(hold.map_or(Outcome::Denied, Outcome::Held))
        }
    };
    let asked = known.into_iter().enumerate().map(|(i, known)| why(i, known));
    stream::iter(asked).buffered(SINGLES_IN_FLIGHT).collect::<Vec<_>>().await.into_iter().collect()
}
