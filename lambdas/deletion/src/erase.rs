//! From `claimed` on: mappings are severed, uploads aborted, versions erased, or written to pages for a job.

use std::collections::BTreeSet;

use aws::Bucket;
use aws::abort_multipart_upload::abort_multipart_upload;
use aws::erase::{Terms, erase};
use aws::retry::retrying;
use domain::keys::{ObjectKey, ObjectVersion};
use domain::layout::status_keys;
use domain::look::{Listed, Upload};
use domain::outcome::{Hold, Outcome, PageOutcome};
use domain::record::Record;
use domain::tally::Tally;
use fault_point::planted;
use futures::future::try_join_all;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

use crate::begin::Ready;
use crate::holder::Holder;
use crate::listing::Chunk;
use crate::mappings::{Severed, sever_all};
use crate::plan::{Planned, plan};
use crate::resume::{Resumed, resume};
use crate::survey::{Survey, Versions};
use crate::verify::erase_statuses;
use crate::{App, Stop, Turn};

/// Uploads aborted at the same time.
const ABORTS_IN_FLIGHT: usize = 16;

/// How a round of erasing ended.
#[derive(Debug)]
pub enum Round {
    /// Everything listed was answered for.
    Direct(Box<Direct>),
    /// Pages are written and wait for a job, or there was nothing to write: the record says which.
    Planned,
    /// Planning takes longer than the caller waits; it goes on in another invocation.
    HandedOver,
}

/// What a direct round did. The record learns of it with the next state.
#[derive(Debug, Default)]
pub struct Direct {
    /// What was listed.
    pub listed: Tally,
    /// What became of it.
    pub outcome: PageOutcome,
    /// The hold that ends last.
    pub hold: Option<Hold>,
    /// Versions of the status, which come last.
    pub statuses: Vec<ObjectVersion>,
    /// Versions of the status that marking made: erased, but nothing the account had.
    pub marks: Vec<ObjectVersion>,
    /// Uploads aborted.
    pub uploads: u64,
    /// Mappings severed.
    pub severed: Severed,
}

/// One round over everything the survey found.
pub async fn round<'a>(app: &'a App, holder: &Holder<'_>, ready: Ready<'a>, turn: &Turn) -> Result<Round, Stop> {
    let record = holder.record().await;
    let Ready { survey, marked, plan: written, place: _place } = ready;
    let Survey { versions, uploads, kinds, sign_ins, .. } = survey;
    let keys = known_and_found(app, &record, sign_ins.mappings);
    let aside = async {
        futures::try_join!(
            abort_all(app, &uploads, turn.deadline),
            sever_all(app, &record, (&kinds, &sign_ins.etags_are_md5), &keys, turn.deadline)
        )
    };
    if let Some(written) = written {
        let (uploads, severed) = aside.await?;
        holder.write(|record| written.write(record, uploads, &severed)).await?;
        return Ok(Round::Planned);
    }
    let resumed = if record.epoch > 0 { resume(app, &record, turn.deadline).await? } else { Resumed::default() };
    if resumed.is_empty() && (planted!("d23-any-size-at-once") || versions.count < app.settings.deletion_threshold) {
        let data_then_status = async {
            let mut direct = erase_directly(app, &record, collect(versions).await?, marked, turn).await?;
            erase_statuses(app, &mut direct, turn.deadline).await?;
            Ok(direct)
        };
        let (mut direct, (uploads, severed)) = futures::try_join!(data_then_status, aside)?;
        direct.hold = Hold::later(direct.hold.take(), severed.hold.clone());
        (direct.uploads, direct.severed) = (uploads, severed);
        return Ok(Round::Direct(Box::new(direct)));
    }
    let (planned, (uploads, severed)) =
        futures::try_join!(plan(app, &record, versions, resumed, &marked, turn), aside)?;
    let planned = match planned {
        Planned::Whole(planned) => planned,
        Planned::HandedOver => return Ok(Round::HandedOver),
    };
    holder.write(|record| planned.write(record, uploads, &severed)).await?;
    Ok(Round::Planned)
}

/// The keys the survey found, and those the record knows from before or from hints.
fn known_and_found(app: &App, record: &Record, found: Vec<(usize, ObjectKey)>) -> Vec<(usize, ObjectKey)> {
    let known = record.mappings.iter().filter_map(|m| Some((app.buckets.photo_index(&m.bucket)?, m.key.clone())));
    let all: BTreeSet<(usize, ObjectKey)> = found.into_iter().chain(known).collect();
    all.into_iter().collect()
}

/// Aborts unfinished uploads, by bucket.
pub async fn abort_all(app: &App, uploads: &[Vec<Upload>], deadline: Instant) -> Result<u64, Stop> {
    let each = uploads.iter().enumerate().flat_map(|(bucket, uploads)| {
        let bucket: &Bucket = &app.buckets.photos[bucket];
        uploads.iter().map(move |upload| retrying(deadline, async || abort_multipart_upload(bucket, upload).await))
    });
    let each: Vec<_> = each.filter(|_| !planted!("d8-uploads-stay")).collect();
    let count = each.len() as u64;
    stream::iter(each).buffer_unordered(ABORTS_IN_FLIGHT).try_collect::<()>().await?;
    Ok(count)
}

async fn collect(mut versions: Versions<'_>) -> Result<Vec<Chunk>, Stop> {
    let mut chunks = Vec::new();
    while let Some(chunk) = versions.next().await? {
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// Erases fewer versions than the threshold, all prefixes of a bucket in the same requests.
async fn erase_directly(
    app: &App,
    record: &Record,
    chunks: Vec<Chunk>,
    marks: Vec<ObjectVersion>,
    turn: &Turn,
) -> Result<Direct, Stop> {
    let (prefixes, status) = (app.prefixes(&record.account_id), status_keys(&record.account_id));
    // A mark that replaced the null version is the version the account had.
    let is_mark = |listed: &Listed| !listed.version.version().is_null() && marks.contains(&listed.version);
    let mut direct = Direct { marks: marks.clone(), ..Direct::default() };
    let mut by_bucket: Vec<Vec<Listed>> = app.buckets.photos.iter().map(|_| Vec::new()).collect();
    for chunk in chunks {
        let template = app.template(&prefixes[chunk.shard.prefix % prefixes.len()]);
        for listed in chunk.listed.into_iter().filter(|listed| !is_mark(listed)) {
            direct.listed.add(&listed, template);
            if status.contains(listed.version.key()) {
                direct.statuses.push(listed.version);
            } else {
                by_bucket[chunk.shard.bucket].push(listed);
            }
        }
    }
    let each = by_bucket.iter().enumerate().filter(|(_, listed)| !listed.is_empty()).map(async |(bucket, listed)| {
        let versions: Vec<ObjectVersion> = listed.iter().map(|l| l.version.clone()).collect();
        erase_versions(app, &app.buckets.photos[bucket], versions, Vec::new(), turn.deadline).await
    });
    for (outcome, hold) in try_join_all(each).await? {
        direct.outcome.add(&outcome);
        direct.hold = Hold::later(direct.hold.take(), hold);
    }
    Ok(direct)
}

/// Erases versions of a bucket and sums up; an unanswered one stops the round. Those of `beside` are erased in the
/// same requests, but count for nothing.
pub async fn erase_versions(
    app: &App,
    bucket: &Bucket,
    mut versions: Vec<ObjectVersion>,
    beside: Vec<ObjectVersion>,
    deadline: Instant,
) -> Result<(PageOutcome, Option<Hold>), Stop> {
    let counted = versions.len();
    versions.extend(beside);
    let terms = Terms { pace: &app.pace, deadline, counts: &app.counts };
    let outcomes = erase(bucket, &versions, terms).await?;
    let hold = outcomes.iter().fold(None, |last, outcome| match outcome {
        Outcome::Held(hold) => Hold::later(last, Some(hold.clone())),
        _ => last,
    });
    let outcome = PageOutcome::of(versions.iter().zip(&outcomes).take(counted)).ok_or(Stop::TimeUp)?;
    Ok((outcome, hold))
}
