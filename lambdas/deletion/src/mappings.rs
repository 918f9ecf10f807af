//! Severing mappings: nobody signs in to the account any more, and nobody else's sign-in is harmed.

use aws::delete_object::delete_if_match;
use aws::erase::{Terms, erase};
use aws::get_object::get_foreign;
use aws::list_object_versions::list_object_versions;
use aws::put_object::{Condition, put_object};
use aws::retry::retrying;
use aws::{AwsError, Bucket, Cause};
use domain::ids::AccountId;
use domain::keys::ObjectKey;
use domain::look::Listed;
use domain::mapping::{BucketKind, Link, Recognizer, Seen, Step, account_in, sever};
use domain::outcome::{Hold, Outcome};
use domain::record::Record;
use fault_point::planted;
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::{App, Stop};

/// Looks at a key again this often when somebody writes to it at the same time.
const LOOKS_MAX: u32 = 5;

/// What was done to mappings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Severed {
    /// Keys that led to the account and do so no more.
    pub severed: u64,
    /// Of these, keys put back to a new account.
    pub repaired: u64,
    /// Keys with a version that Object Lock keeps. They are closed by a marker meanwhile.
    pub held: u64,
    /// The hold that ends last.
    pub hold: Option<Hold>,
}

impl Severed {
    fn and(self, other: Self) -> Self {
        Self {
            severed: self.severed + other.severed,
            repaired: self.repaired + other.repaired,
            held: self.held + other.held,
            hold: Hold::later(self.hold, other.hold),
        }
    }
}

/// Severs keys, side by side.
pub async fn sever_all(
    app: &App,
    record: &Record,
    (kinds, etags_are_md5): (&[BucketKind], &[bool]),
    keys: &[(usize, ObjectKey)],
    deadline: Instant,
) -> Result<Severed, Stop> {
    let each = keys.iter().map(|(bucket, key)| {
        let place = Place { bucket: &app.buckets.photos[*bucket], kind: kinds[*bucket], etags: etags_are_md5[*bucket] };
        sever_one(app, record, place, key, deadline)
    });
    planted!("sever-nothing" => return Ok(Severed::default()));
    Ok(try_join_all(each).await?.into_iter().fold(Severed::default(), Severed::and))
}

/// A bucket, how it keeps versions, and whether its ETags are MD5 digests.
#[derive(Clone, Copy)]
struct Place<'a> {
    bucket: &'a Bucket,
    kind: BucketKind,
    etags: bool,
}

/// Severs one key: looks at its whole stack, plans, acts; if a condition failed, looks again.
async fn sever_one(
    app: &App,
    record: &Record,
    Place { bucket, kind, etags }: Place<'_>,
    key: &ObjectKey,
    deadline: Instant,
) -> Result<Severed, Stop> {
    let mut done = Severed::default();
    for _ in 0..LOOKS_MAX {
        let mut links = self::links(bucket, etags, key, &record.account_id, deadline).await?;
        let is_known = record.mappings.iter().any(|m| m.bucket == bucket.name && m.key == *key);
        if is_known && !links.iter().any(|link| link.ours) {
            // Hinted at, or ours before: its writer may have chosen a KMS key, under which an ETag is no MD5.
            links = self::links(bucket, false, key, &record.account_id, deadline).await?;
        }
        if !links.iter().any(|link| link.ours) {
            return Ok(done);
        }
        let moved_to = moved_to(record, bucket, key);
        let claimed_at = record.claimed_at.unwrap_or_else(|| app.clock.now());
        let steps = sever(kind, &links, claimed_at, moved_to.is_some()).map_err(|e| Stop::Refused(e.to_string()))?;
        match take_steps(app, bucket, key, &steps, moved_to, deadline).await? {
            Taken::All => {
                done.severed = 1;
                done.repaired = u64::from(steps.iter().any(|step| matches!(step, Step::PutBack { .. })));
                return Ok(done);
            }
            Taken::Held(hold) => {
                close(bucket, key, &links, deadline).await?;
                return Ok(Severed { held: 1, hold: Some(hold), ..done });
            }
            Taken::Overtaken => {}
        }
    }
    Err(Stop::Refused("a mapping keeps changing while it is severed".to_owned()))
}

fn moved_to<'r>(record: &'r Record, bucket: &Bucket, key: &ObjectKey) -> Option<&'r str> {
    let known = record.mappings.iter().find(|m| m.bucket == bucket.name && m.key == *key)?;
    known.moved_to.as_deref()
}

/// The whole stack of a key, newest first, and to whom each version leads.
async fn links(
    bucket: &Bucket,
    etags_are_md5: bool,
    key: &ObjectKey,
    account: &AccountId,
    deadline: Instant,
) -> Result<Vec<Link>, AwsError> {
    let (mut stack, mut after) = (Vec::new(), None);
    loop {
        let list = async || list_object_versions(bucket, key.as_str(), after.as_ref()).await;
        let page = retrying(deadline, list).await?;
        stack.extend(page.listed.into_iter().filter(|l| l.version.key() == key));
        match page.next.filter(|next| next.key == key.as_str()) {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let recognizer = Recognizer::new(&[*account], etags_are_md5);
    try_join_all(stack.into_iter().map(|listed| link(bucket, &recognizer, listed, deadline))).await
}

async fn link(bucket: &Bucket, recognizer: &Recognizer, listed: Listed, deadline: Instant) -> Result<Link, AwsError> {
    let seen = match recognizer.see(&listed) {
        Seen::Unclear => {
            let (key, version) = (listed.version.key(), listed.version.version());
            let got = retrying(deadline, async || get_foreign(bucket, key, Some(version)).await).await?;
            got.map_or(Seen::Nobody, |got| recognizer.read(&got.body))
        }
        clear => clear,
    };
    Ok(Link { ours: seen != Seen::Nobody, listed })
}

/// How far the steps were taken.
enum Taken {
    All,
    /// Somebody wrote meanwhile; nothing after that was done.
    Overtaken,
    /// Object Lock keeps a version; nothing after that was done.
    Held(Hold),
}

/// Puts a marker over a version of ours that Object Lock keeps: nobody signs in by it while it has to stay.
async fn close(bucket: &Bucket, key: &ObjectKey, links: &[Link], deadline: Instant) -> Result<(), AwsError> {
    let Some(current) = links.iter().find(|link| link.ours && link.listed.latest) else { return Ok(()) };
    let etag = &current.listed.etag;
    match retrying(deadline, async || delete_if_match(bucket, key, etag).await).await {
        Err(error) if matches!(error.cause, Cause::Condition | Cause::NotFound) => Ok(()),
        other => other,
    }
}

/// Takes the steps in order.
async fn take_steps(
    app: &App,
    bucket: &Bucket,
    key: &ObjectKey,
    steps: &[Step],
    moved_to: Option<&str>,
    deadline: Instant,
) -> Result<Taken, Stop> {
    for step in steps {
        let done = match step {
            Step::DeleteCurrent { etag } => retrying(deadline, async || delete_if_match(bucket, key, etag).await).await,
            Step::PutBack { body_of, etag } => {
                let body = match body_of {
                    Some(version) => {
                        let get = async || get_foreign(bucket, key, Some(version.version())).await;
                        let got = retrying(deadline, get).await?;
                        if got.as_ref().is_some_and(|got| got.is_too_large) {
                            return Err(Stop::Refused("a mapping is too large to be put back".to_owned()));
                        }
                        got.map(|got| got.body)
                    }
                    None => moved_to.map(|text| text.as_bytes().to_vec()),
                };
                let Some(body) = body else { return Ok(Taken::Overtaken) };
                let put = async || put_object(bucket, key, body.clone(), "text/plain", Condition::Etag(etag)).await;
                retrying(deadline, put).await.map(|_| ())
            }
            Step::Erase(versions) => {
                let terms = Terms { pace: &app.pace, deadline, counts: &app.counts };
                let outcomes = erase(bucket, versions, terms).await?;
                match kept(&outcomes)? {
                    Some(hold) => return Ok(Taken::Held(hold)),
                    None => Ok(()),
                }
            }
        };
        match done {
            Ok(()) => {}
            Err(error) if matches!(error.cause, Cause::Condition | Cause::NotFound) => return Ok(Taken::Overtaken),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Taken::All)
}

/// The hold that ends last among the outcomes of a mapping's versions. Any other refusal needs a person.
fn kept(outcomes: &[Outcome]) -> Result<Option<Hold>, Stop> {
    let mut last = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Erased | Outcome::Absent => {}
            Outcome::Held(hold) => last = Hold::later(last, Some(hold.clone())),
            Outcome::Unfinished => return Err(Stop::TimeUp),
            Outcome::Denied => return Err(Stop::Refused("S3 refuses to erase a version of a mapping".to_owned())),
        }
    }
    Ok(last)
}

/// Looks where known mappings lead now, and remembers the new account of one that moved: in a bucket without
/// versions nothing else would tell what an old phone overwrote.
pub async fn note_moves(app: &App, record: &mut Record, deadline: Instant) -> Result<(), AwsError> {
    let read = async |bucket_name, key| {
        let Some(bucket) = app.buckets.photo_bucket(bucket_name) else { return Ok(None) };
        retrying(deadline, async || get_foreign(bucket, key, None).await).await
    };
    let bodies = try_join_all(record.mappings.iter().map(|m| read(&m.bucket, &m.key))).await?;
    for (known, got) in record.mappings.iter_mut().zip(bodies) {
        let text = got.and_then(|got| String::from_utf8(got.body).ok());
        let other = text.filter(|t| account_in(t.as_bytes()).is_some_and(|a| a != record.account_id));
        if other.is_some() {
            known.moved_to = other;
        }
    }
    Ok(())
}

/// Whether any version of a key leads to the account.
pub async fn leads_to(
    bucket: &Bucket,
    etags_are_md5: bool,
    key: &ObjectKey,
    account: &AccountId,
    deadline: Instant,
) -> Result<bool, Stop> {
    Ok(links(bucket, etags_are_md5, key, account, deadline).await?.iter().any(|link| link.ours))
}
