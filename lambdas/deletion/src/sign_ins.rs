//! Mappings and schedule entries, found by listing alone: only what cannot be told from its row is read.

use std::collections::HashMap;

use aws::AwsError;
use aws::get_bucket_encryption::etags_are_md5;
use aws::get_object::get_foreign;
use aws::retry::retrying;
use domain::ids::AccountId;
use domain::keys::ObjectKey;
use domain::layout::schedule_account;
use domain::look::Listed;
use domain::mapping::{Recognizer, Seen};
use futures::future::try_join_all;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

use crate::App;
use crate::listing::{Chunk, Root, Walk};

/// Bodies read at the same time.
const READS_IN_FLIGHT: usize = 16;

/// What leads from a sign-in or a date to an account.
#[derive(Debug, Clone, Default)]
pub struct SignIns {
    /// Keys of mappings that lead, or may lead, to the account.
    pub mappings: Vec<(usize, ObjectKey)>,
    /// Versions of schedule entries.
    pub entries: Vec<(usize, Listed)>,
    /// Whether each bucket's ETags are MD5 digests.
    pub etags_are_md5: Vec<bool>,
}

/// What a listing found, for every account that was asked about.
pub type Found = HashMap<AccountId, SignIns>;

impl SignIns {
    fn add_mapping(&mut self, bucket: usize, key: &ObjectKey) {
        if !self.mappings.iter().any(|(b, k)| *b == bucket && k == key) {
            self.mappings.push((bucket, key.clone()));
        }
    }
}

/// Lists every mapping and schedule entry once. Only what may concern these accounts is kept: memory does not grow with
/// other people's sign-ins.
pub async fn list(app: &App, accounts: &[AccountId], deadline: Instant) -> Result<Found, AwsError> {
    let mut walk = Walk::new(roots(app), deadline);
    let etags = app.buckets.photos.iter().map(|bucket| retrying(deadline, async || etags_are_md5(bucket).await));
    let (etags_are_md5, mut chunk) = futures::try_join!(try_join_all(etags), async { walk.next().await })?;
    let recognizers = etags_are_md5.iter().map(|md5| Recognizer::new(accounts, *md5)).collect();
    let blank = SignIns { etags_are_md5, ..SignIns::default() };
    let found: Found = accounts.iter().map(|account| (*account, blank.clone())).collect();
    let mut sorter = Sorter { app, recognizers, found, deadline };
    while let Some(Chunk { shard, listed, .. }) = chunk {
        sorter.take(shard.bucket, listed).await?;
        chunk = walk.next().await?;
    }
    Ok(sorter.found)
}

fn roots(app: &App) -> Vec<Root<'_>> {
    let prefixes = || app.settings.mapping_prefixes.iter().chain([&app.settings.schedule_prefix]);
    let in_bucket =
        |(bucket_index, bucket)| prefixes().map(move |prefix| Root { bucket, bucket_index, prefix: prefix.clone() });
    app.buckets.photos.iter().enumerate().flat_map(in_bucket).collect()
}

/// Sorts rows by the account they concern.
struct Sorter<'a> {
    app: &'a App,
    recognizers: Vec<Recognizer>,
    found: Found,
    deadline: Instant,
}

impl Sorter<'_> {
    async fn take(&mut self, bucket: usize, listed: Vec<Listed>) -> Result<(), AwsError> {
        let mut unclear = Vec::new();
        for row in listed {
            let key = row.version.key();
            if let Some(account) = schedule_account(key, &self.app.settings.schedule_prefix) {
                if let Some(found) = self.found.get_mut(&account) {
                    found.entries.push((bucket, row));
                }
                continue;
            }
            match self.recognizers[bucket].see(&row) {
                Seen::Account(account) => self.add(account, bucket, row.version.key()),
                Seen::Unclear => unclear.push(row),
                Seen::Nobody => {}
            }
        }
        self.take_unclear(bucket, unclear).await
    }

    /// With one account in question, whoever severs the key reads it anyway. With several, it is read here, once.
    async fn take_unclear(&mut self, bucket: usize, unclear: Vec<Listed>) -> Result<(), AwsError> {
        if let [account] = *self.found.keys().copied().collect::<Vec<_>>() {
            for row in &unclear {
                self.add(account, bucket, row.version.key());
            }
            return Ok(());
        }
        let (place, deadline) = (&self.app.buckets.photos[bucket], self.deadline);
        let reads = unclear.into_iter().map(async |row| {
            let (key, version) = (row.version.key().clone(), row.version.version());
            let got = retrying(deadline, async || get_foreign(place, &key, Some(version)).await).await?;
            Ok::<_, AwsError>((key, got))
        });
        let read: Vec<_> = stream::iter(reads).buffer_unordered(READS_IN_FLIGHT).try_collect().await?;
        for (key, got) in read {
            if let Some(Seen::Account(account)) = got.map(|got| self.recognizers[bucket].read(&got.body)) {
                self.add(account, bucket, &key);
            }
        }
        Ok(())
    }

    fn add(&mut self, account: AccountId, bucket: usize, key: &ObjectKey) {
        if let Some(found) = self.found.get_mut(&account) {
            found.add_mapping(bucket, key);
        }
    }
}
