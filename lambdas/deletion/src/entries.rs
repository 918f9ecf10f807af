//! Schedule entries: listed in order of their day, read, and removed only as they were read.

use std::collections::VecDeque;

use aws::get_bucket_versioning::get_bucket_versioning;
use aws::get_object::{Got, get_foreign};
use aws::list_object_versions::{Marker, list_object_versions};
use aws::retry::retrying;
use aws::{AwsError, Bucket};
use domain::Timestamp;
use domain::due::Asked as Due;
use domain::entry::{Entry, EntryFault, EntryKey};
use domain::ids::AccountId;
use domain::keys::ObjectKey;
use domain::layout::schedule_account;
use domain::look::Listed;
use fault_point::planted;
use tokio::time::Instant;

use crate::finish::remove_entry;
use crate::statuses::written_buckets;
use crate::{App, Stop};

/// An entry in a listing: what a read of its key answers.
#[derive(Debug, Clone)]
pub struct ListedEntry {
    /// Index of its bucket.
    pub bucket: usize,
    /// Its key.
    pub key: ObjectKey,
    /// When S3 wrote it.
    pub modified: Timestamp,
}

/// Lists all entries, bucket after bucket, oldest day first, a page at a time: memory does not grow with their number.
pub struct Entries<'a> {
    buckets: VecDeque<(usize, &'a Bucket)>,
    prefix: &'a str,
    after: Option<Marker>,
    page: VecDeque<ListedEntry>,
    deadline: Instant,
}

impl<'a> Entries<'a> {
    /// All entries that apps may have written. Replicas hold copies of them.
    pub fn all(app: &'a App, deadline: Instant) -> Self {
        let buckets = written_buckets(app).collect();
        Self { buckets, prefix: &app.settings.schedule_prefix, after: None, page: VecDeque::new(), deadline }
    }

    /// The next entry.
    pub async fn next(&mut self) -> Result<Option<ListedEntry>, AwsError> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                return Ok(Some(entry));
            }
            let Some((index, bucket)) = self.buckets.front().copied() else { return Ok(None) };
            let list = async || list_object_versions(bucket, self.prefix, self.after.as_ref()).await;
            let page = retrying(self.deadline, list).await?;
            self.page = page.listed.iter().filter_map(|listed| current(index, listed)).collect();
            self.after = page.next.filter(|_| !planted!("d13-first-page-of-entries"));
            if self.after.is_none() {
                self.buckets.pop_front();
            }
        }
    }
}

/// What a read would answer: neither markers nor versions under others.
fn current(bucket: usize, listed: &Listed) -> Option<ListedEntry> {
    let modified = Timestamp::from_millisecond(listed.modified_ms).ok()?;
    (listed.latest && !listed.marker).then(|| ListedEntry { bucket, key: listed.version.key().clone(), modified })
}

/// An entry as it was read: its bucket, its key, and what S3 answered.
pub type ReadEntry = (usize, ObjectKey, Got);

/// Every entry of an account, found by listing all of them.
pub async fn entries_of(app: &App, account: &AccountId, deadline: Instant) -> Result<Vec<ReadEntry>, Stop> {
    let (mut all, mut found) = (Entries::all(app, deadline), Vec::new());
    while let Some(listed) = all.next().await? {
        if schedule_account(&listed.key, &app.settings.schedule_prefix) == Some(*account) {
            let got = read_entry(app, listed.bucket, &listed.key, deadline).await?;
            found.extend(got.map(|got| (listed.bucket, listed.key, got)));
        }
    }
    Ok(found)
}

/// Reads an entry.
pub async fn read_entry(app: &App, bucket: usize, key: &ObjectKey, deadline: Instant) -> Result<Option<Got>, AwsError> {
    retrying(deadline, async || get_foreign(&app.buckets.photos[bucket], key, None).await).await
}

/// What an entry asks for, from its key and what was read.
pub fn asks(app: &App, key: &ObjectKey, got: &Got) -> Result<Due, EntryFault> {
    let key = EntryKey::parse(&app.settings.schedule_prefix, key)?;
    let entry = Entry::parse(&key, &got.body)?;
    Ok(Due::Entry { modified: got.modified, delete_on: entry.delete_on() })
}

/// Removes an entry if it is still the one that was read, with what lies under it. Says whether it was.
pub async fn remove_as_read(
    app: &App,
    bucket: usize,
    key: &ObjectKey,
    etag: &str,
    deadline: Instant,
) -> Result<bool, Stop> {
    let bucket = &app.buckets.photos[bucket];
    let list = async || list_object_versions(bucket, key.as_str(), None).await;
    let page = retrying(deadline, list).await?;
    let stack: Vec<Listed> = page.listed.into_iter().filter(|listed| listed.version.key() == key).collect();
    if !stack.first().is_some_and(|newest| newest.latest && !newest.marker && newest.etag == etag) {
        return Ok(false);
    }
    let kind = retrying(deadline, async || get_bucket_versioning(bucket).await).await?;
    // The oldest first: what lay under the newest must not come to light if this stops half way.
    for listed in stack.iter().rev() {
        remove_entry(bucket, kind, listed, deadline).await?;
    }
    Ok(true)
}
