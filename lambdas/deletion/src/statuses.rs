//! The account's status objects: read, marked as being deleted, and put back if a claim comes to nothing.

use aws::get_object::{Got, get_foreign};
use aws::put_object::{Condition, put_object};
use aws::retry::retrying;
use aws::{AwsError, Bucket, Cause};
use domain::environment::BucketRole;
use domain::ids::{AccountId, DeletionId};
use domain::keys::{ObjectKey, ObjectVersion};
use domain::layout::status_keys;
use domain::status::{BYTES_MAX, Status, StatusFault, mark, see, unmark};
use domain::verdict::SeenStatus;
use fault_point::planted;
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::{App, Stop};

/// Tries to write a status that the app keeps writing at the same time.
const WRITES_MAX: u32 = 5;

/// A status object that exists.
#[derive(Debug, Clone)]
pub struct StatusObject {
    /// Index of its bucket.
    pub bucket: usize,
    /// Its key.
    pub key: ObjectKey,
    /// As it was read.
    pub got: Got,
}

impl StatusObject {
    /// Whether it is too large to be read, or would be with what is to be written into it.
    pub fn is_too_large(&self) -> bool {
        self.got.is_too_large || self.got.body.len() > BYTES_MAX && see(&self.got.body).mark.is_none()
    }

    /// What it says to a claim that may have marked it.
    pub fn seen(&self, deletion: Option<DeletionId>) -> SeenStatus {
        let seen = see(&self.got.body);
        let says = if self.got.is_too_large { Err(StatusFault::TooLarge) } else { seen.says };
        let is_our_mark = seen.mark.is_some() && seen.mark == deletion;
        SeenStatus { says, modified: self.got.modified, is_our_mark }
    }
}

/// Every status object in each bucket that the app or an old app may read it from. A read that is refused is an error,
/// never an absence.
pub async fn statuses(app: &App, account: &AccountId, deadline: Instant) -> Result<Vec<StatusObject>, AwsError> {
    let asked = written_buckets(app).flat_map(|(bucket_index, bucket)| {
        status_keys(account).into_iter().map(move |key| async move {
            let got = retrying(deadline, async || get_foreign(bucket, &key, None).await).await?;
            Ok::<_, AwsError>(got.map(|got| StatusObject { bucket: bucket_index, key, got }))
        })
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// The buckets that apps write to, with their index: not the replicas, which S3 writes.
pub fn written_buckets(app: &App) -> impl Iterator<Item = (usize, &Bucket)> {
    let roles = app.settings.shared.buckets.iter().map(|bucket| bucket.role);
    let buckets = app.buckets.photos.iter().enumerate().zip(roles);
    buckets.filter(|(_, role)| *role != BucketRole::Replica).map(|(bucket, _)| bucket)
}

/// How many of these say `active` under a claim that has marked them all: an old app wrote them without asking.
pub fn late_actives(statuses: &[StatusObject]) -> u64 {
    let is_late = |status: &&StatusObject| {
        let seen = see(&status.got.body);
        seen.mark.is_none() && seen.says == Ok(Status::Active)
    };
    statuses.iter().filter(is_late).count() as u64
}

/// Marks every status, so that old apps show that the account is going. Gives the versions this made.
pub async fn mark_all(
    app: &App,
    deletion: DeletionId,
    statuses: &[StatusObject],
    deadline: Instant,
) -> Result<Vec<ObjectVersion>, Stop> {
    let marks = statuses.iter().map(|status| mark_one(app, deletion, status.clone(), deadline));
    Ok(try_join_all(marks).await?.into_iter().flatten().collect())
}

async fn mark_one(
    app: &App,
    deletion: DeletionId,
    mut status: StatusObject,
    deadline: Instant,
) -> Result<Option<ObjectVersion>, Stop> {
    for _ in 0..WRITES_MAX {
        let Some(body) = mark(&status.got.body, deletion, app.clock.now()) else { return Ok(None) };
        match write(app, &status, body, deadline).await? {
            Some(written) => return Ok(Some(written)),
            None => match read_again(app, &status, deadline).await? {
                Some(again) => status = again,
                None => return Ok(None),
            },
        }
    }
    Err(Stop::Refused("the status keeps changing while it is marked".to_owned()))
}

/// Marks every status exactly as it was read. `None` if any of them was written meanwhile: what it says now has to be
/// judged first.
pub async fn mark_as_read(
    app: &App,
    deletion: DeletionId,
    statuses: &[StatusObject],
    deadline: Instant,
) -> Result<Option<Vec<ObjectVersion>>, Stop> {
    let mut marked = Vec::new();
    for status in statuses {
        let Some(body) = mark(&status.got.body, deletion, app.clock.now()) else { continue };
        match write(app, status, body, deadline).await? {
            Some(version) => marked.push(version),
            None => return Ok(None),
        }
    }
    Ok(Some(marked))
}

/// Puts back what every status said before this deletion marked it. What somebody wrote since stays.
pub async fn unmark_all(app: &App, account: &AccountId, deletion: DeletionId, deadline: Instant) -> Result<(), Stop> {
    planted!("marks-stay" => return Ok(()));
    change_all(app, account, deadline, |body| unmark(body, deletion)).await.map(|_| ())
}

/// Changes each status for which `change` gives a body, looking again where somebody writes at the same time. Says how
/// many were changed.
pub async fn change_all(
    app: &App,
    account: &AccountId,
    deadline: Instant,
    change: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<usize, Stop> {
    let mut changed = 0;
    for mut status in statuses(app, account, deadline).await? {
        let mut tries = 0;
        while let Some(body) = change(&status.got.body) {
            tries += 1;
            if tries > WRITES_MAX {
                return Err(Stop::Refused("a status keeps changing while it is written".to_owned()));
            }
            if write(app, &status, body, deadline).await?.is_some() {
                changed += 1;
                break;
            }
            let Some(again) = read_again(app, &status, deadline).await? else { break };
            status = again;
        }
    }
    Ok(changed)
}

/// Writes over a status as it was read. `None` if it is another one by now: somebody wrote, or a write of ours whose
/// answer was lost did happen.
async fn write(
    app: &App,
    status: &StatusObject,
    body: Vec<u8>,
    deadline: Instant,
) -> Result<Option<ObjectVersion>, AwsError> {
    let (bucket, key) = (&app.buckets.photos[status.bucket], &status.key);
    let condition = Condition::Etag(&status.got.etag);
    let put = async || put_object(bucket, key, body.clone(), "application/json", condition).await;
    match retrying(deadline, put).await {
        Ok(written) => Ok(Some(ObjectVersion::new(bucket.name.clone(), key.clone(), written.version))),
        Err(error) if matches!(error.cause, Cause::Condition | Cause::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read_again(app: &App, status: &StatusObject, deadline: Instant) -> Result<Option<StatusObject>, AwsError> {
    let bucket = &app.buckets.photos[status.bucket];
    let got = retrying(deadline, async || get_foreign(bucket, &status.key, None).await).await?;
    Ok(got.map(|got| StatusObject { got, ..status.clone() }))
}
