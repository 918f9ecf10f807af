//! A survey: everything that is to be known of an account before erasing it, asked all at once.

use std::collections::VecDeque;

use aws::get_bucket_versioning::get_bucket_versioning;
use aws::list_multipart_uploads::list_multipart_uploads;
use aws::retry::retrying;
use aws::{AwsError, Bucket};
use domain::ids::AccountId;
use domain::layout::AccountPrefix;
use domain::look::Upload;
use domain::mapping::BucketKind;
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::desk::sign_ins;
use crate::listing::{Chunk, Root, Walk};
use crate::sign_ins::SignIns;
use crate::statuses::{StatusObject, statuses};
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
    /// Existing status objects.
    pub statuses: Vec<StatusObject>,
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
    /// No versions: they are on pages already.
    pub fn none(deadline: Instant) -> Self {
        Self { chunks: VecDeque::new(), walk: Walk::new(Vec::new(), deadline), count: 0 }
    }

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
    let (sign_ins, rest) =
        futures::try_join!(async { Ok(sign_ins(app, account, deadline).await?) }, rest(app, account, deadline))?;
    Ok(Survey { sign_ins, ..rest })
}

/// Asks the rest, where the sign-ins are known already.
pub async fn survey_with<'a>(
    app: &'a App,
    account: &AccountId,
    sign_ins: SignIns,
    deadline: Instant,
) -> Result<Survey<'a>, Stop> {
    Ok(Survey { sign_ins, ..rest(app, account, deadline).await? })
}

async fn rest<'a>(app: &'a App, account: &AccountId, deadline: Instant) -> Result<Survey<'a>, Stop> {
    let walk = Walk::new(account_roots(app, &app.prefixes(account)), deadline);
    let buckets = || app.buckets.photos.iter();
    let (versions, uploads, kinds, statuses) = futures::try_join!(
        Versions::list(walk, app.settings.deletion_threshold),
        uploads(app, account, deadline),
        try_join_all(buckets().map(|b| retrying(deadline, async || get_bucket_versioning(b).await))),
        statuses(app, account, deadline),
    )?;
    Ok(Survey { versions, uploads, kinds, sign_ins: SignIns::default(), statuses })
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
