//! A survey: everything that is to be known of an account before erasing it, asked all at once.

use std::collections::VecDeque;

use aws::get_bucket_encryption::etags_are_md5;
use aws::get_bucket_versioning::get_bucket_versioning;
use aws::get_object::{Got, get_object};
use aws::list_multipart_uploads::list_multipart_uploads;
use aws::retry::retrying;
use aws::{AwsError, Bucket};
use domain::environment::BucketRole;
use domain::ids::AccountId;
use domain::keys::ObjectKey;
use domain::layout::{AccountPrefix, is_schedule_entry, status_keys};
use domain::look::{Listed, Upload};
use domain::mapping::{BucketKind, Recognizer, Seen};
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::listing::{Chunk, Root, Walk};
use crate::{App, Stop};

/// What a survey found.
pub struct Survey<'a> {
    /// The account's versions: what was listed so far, and the walk that lists the rest.
    pub versions: Versions<'a>,
    /// Unfinished uploads, by bucket.
    pub uploads: Vec<Vec<Upload>>,
    /// How each bucket keeps versions.
    pub kinds: Vec<BucketKind>,
    /// Mappings and schedule entries.
    pub sign_ins: SignIns,
    /// Existing status objects, with their bucket and key.
    pub statuses: Vec<(usize, ObjectKey, Got)>,
}

/// The versions under an account's prefixes, listed no further than was needed.
pub struct Versions<'a> {
    /// Listed already.
    pub chunks: VecDeque<Chunk>,
    /// Lists the rest.
    pub walk: Walk<'a>,
    /// Versions in the chunks.
    pub count: usize,
}

impl<'a> Versions<'a> {
    /// Lists until everything is there or `enough` versions are.
    pub async fn list(mut walk: Walk<'a>, enough: usize) -> Result<Self, AwsError> {
        let (mut chunks, mut count) = (VecDeque::new(), 0);
        while count < enough {
            let Some(chunk) = walk.next().await? else { break };
            count += chunk.listed.len();
            chunks.push_back(chunk);
        }
        Ok(Self { chunks, walk, count })
    }

    /// The next chunk: those listed already, then the rest.
    pub async fn next(&mut self) -> Result<Option<Chunk>, AwsError> {
        match self.chunks.pop_front() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.walk.next().await,
        }
    }
}

/// Every prefix of the account in every bucket.
pub fn account_roots<'a>(app: &'a App, prefixes: &[AccountPrefix]) -> Vec<Root<'a>> {
    let in_bucket = |(bucket_index, bucket): (usize, &'a Bucket)| {
        prefixes.iter().map(move |p| Root { bucket, bucket_index, prefix: p.as_str().to_owned() })
    };
    app.buckets.photos.iter().enumerate().flat_map(in_bucket).collect()
}

/// Asks everything at once.
pub async fn survey<'a>(app: &'a App, account: &AccountId, deadline: Instant) -> Result<Survey<'a>, Stop> {
    let walk = Walk::new(account_roots(app, &app.prefixes(account)), deadline);
    let buckets = || app.buckets.photos.iter();
    let (versions, uploads, kinds, sign_ins, statuses) = futures::try_join!(
        Versions::list(walk, app.settings.deletion_threshold),
        uploads(app, account, deadline),
        try_join_all(buckets().map(|b| retrying(deadline, async || get_bucket_versioning(b).await))),
        sign_ins(app, account, deadline),
        statuses(app, account, deadline),
    )?;
    Ok(Survey { versions, uploads, kinds, sign_ins, statuses })
}

/// Unfinished uploads of the account in each bucket. One request for the whole bucket answers for all prefixes,
/// unless the bucket has more than a page of them; then each prefix is asked for.
pub async fn uploads(app: &App, account: &AccountId, deadline: Instant) -> Result<Vec<Vec<Upload>>, AwsError> {
    let prefixes = app.prefixes(account);
    try_join_all(app.buckets.photos.iter().map(|bucket| bucket_uploads(bucket, &prefixes, deadline))).await
}

async fn bucket_uploads(
    bucket: &Bucket,
    prefixes: &[AccountPrefix],
    deadline: Instant,
) -> Result<Vec<Upload>, AwsError> {
    let (mut all, more) = retrying(deadline, async || list_multipart_uploads(bucket, "", None).await).await?;
    if more.is_none() {
        all.retain(|upload| prefixes.iter().any(|prefix| prefix.covers(&upload.key)));
        return Ok(all);
    }
    let each = try_join_all(prefixes.iter().map(|prefix| prefix_uploads(bucket, prefix.as_str(), deadline))).await?;
    Ok(each.into_iter().flatten().collect())
}

async fn prefix_uploads(bucket: &Bucket, prefix: &str, deadline: Instant) -> Result<Vec<Upload>, AwsError> {
    let (mut uploads, mut after) = (Vec::new(), None);
    loop {
        let list = async || list_multipart_uploads(bucket, prefix, after.as_ref()).await;
        let (mut page, next) = retrying(deadline, list).await?;
        uploads.append(&mut page);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(uploads),
        }
    }
}

/// What leads from a sign-in or a date to the account.
#[derive(Debug, Default)]
pub struct SignIns {
    /// Keys of mappings that lead, or may lead, to the account.
    pub mappings: Vec<(usize, ObjectKey)>,
    /// Versions of schedule entries.
    pub entries: Vec<(usize, Listed)>,
    /// Whether each bucket's ETags are MD5 digests.
    pub etags_are_md5: Vec<bool>,
}

/// Finds mappings and schedule entries of the account by listing alone. Only what may concern the account is kept:
/// memory does not grow with other people's sign-ins.
pub async fn sign_ins(app: &App, account: &AccountId, deadline: Instant) -> Result<SignIns, AwsError> {
    let mut walk = Walk::new(sign_in_roots(app), deadline);
    let etags = app.buckets.photos.iter().map(|bucket| retrying(deadline, async || etags_are_md5(bucket).await));
    let (etags_are_md5, mut chunk) = futures::try_join!(try_join_all(etags), async { walk.next().await })?;
    let recognizers: Vec<Recognizer> = etags_are_md5.iter().map(|md5| Recognizer::new(&[*account], *md5)).collect();
    let mut found = SignIns { etags_are_md5, ..SignIns::default() };
    while let Some(Chunk { shard, listed, .. }) = chunk {
        for listed in listed {
            found.take(app, account, shard.bucket, &recognizers[shard.bucket], listed);
        }
        chunk = walk.next().await?;
    }
    Ok(found)
}

impl SignIns {
    fn take(&mut self, app: &App, account: &AccountId, bucket: usize, recognizer: &Recognizer, listed: Listed) {
        let key = listed.version.key();
        if is_schedule_entry(key, &app.settings.schedule_prefix, account) {
            self.entries.push((bucket, listed));
        } else if recognizer.see(&listed) != Seen::Nobody && !self.mappings.contains(&(bucket, key.clone())) {
            self.mappings.push((bucket, key.clone()));
        }
    }
}

fn sign_in_roots(app: &App) -> Vec<Root<'_>> {
    let prefixes = || app.settings.mapping_prefixes.iter().chain([&app.settings.schedule_prefix]);
    let in_bucket =
        |(bucket_index, bucket)| prefixes().map(move |prefix| Root { bucket, bucket_index, prefix: prefix.clone() });
    app.buckets.photos.iter().enumerate().flat_map(in_bucket).collect()
}

/// The account's status objects, in each bucket the app or an old app may read them from.
async fn statuses(app: &App, account: &AccountId, deadline: Instant) -> Result<Vec<(usize, ObjectKey, Got)>, AwsError> {
    let written = app.settings.shared.buckets.iter().map(|b| b.role != BucketRole::Replica);
    let buckets = app.buckets.photos.iter().enumerate().zip(written).filter(|(_, written)| *written);
    let asked = buckets.flat_map(|((index, bucket), _)| {
        status_keys(account).into_iter().map(move |key| async move {
            let got = retrying(deadline, async || get_object(bucket, &key, None).await).await?;
            Ok::<_, AwsError>(got.map(|got| (index, key, got)))
        })
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}
