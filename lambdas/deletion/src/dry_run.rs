//! The dry run: what Delete Now would erase, and what that would cost. It reads and writes nothing.

use domain::answer::{Answer, user_id};
use domain::cost::{Cost, early_deletion_usd, requests_usd};
use domain::ids::AccountId;
use domain::receipt::Method;
use domain::tally::{SetDigest, Tally};
use serde_json::json;

use crate::listing::Walk;
use crate::survey::{Survey, Versions, account_roots, survey};
use crate::{App, Stop, Turn};

/// The digest of everything the account has: what a person confirms.
pub async fn digest_of(app: &App, account: &AccountId, turn: &Turn) -> Result<SetDigest, Stop> {
    let walk = Walk::new(account_roots(app, &app.prefixes(account)), turn.deadline);
    let mut versions = Versions::list(walk, 0).await?;
    let mut tally = Tally::default();
    while let Some(chunk) = versions.next().await? {
        chunk.listed.iter().for_each(|listed| tally.add(listed, ""));
    }
    Ok(tally.digest)
}

/// Counts everything the account has.
pub async fn dry_run(app: &App, account: &AccountId, turn: &Turn) -> Result<Answer, Stop> {
    let Survey { mut versions, uploads, sign_ins, statuses, .. } = survey(app, account, turn.deadline).await?;
    let prefixes = app.prefixes(account);
    let now = app.clock.now();
    let (mut tally, mut early_deletion) = (Tally::default(), 0.0);
    while let Some(chunk) = versions.next().await? {
        let template = app.template(&prefixes[chunk.shard.prefix % prefixes.len()]);
        for listed in &chunk.listed {
            tally.add(listed, template);
            early_deletion += early_deletion_usd(listed, now);
        }
    }
    let by_job = tally.count() >= app.settings.deletion_threshold as u64;
    let method = match (tally.count(), by_job) {
        (0, _) => Method::None,
        (_, false) => Method::Direct,
        (_, true) => Method::Batch,
    };
    let cost = Cost { requests_usd: requests_usd(tally.count(), by_job), early_deletion_usd: early_deletion };
    let body = json!({
        "status": "dry_run",
        "userId": user_id(account),
        "method": method,
        "objectCount": tally.count(),
        "deletedCount": 0,
        "deleteMarkers": tally.markers(),
        "totalBytes": tally.bytes(),
        "groups": tally.groups(),
        "digest": tally.digest,
        "uploads": uploads.iter().map(Vec::len).sum::<usize>(),
        "mappings": sign_ins.mappings.len(),
        "entries": sign_ins.entries.len(),
        "statuses": statuses.len(),
        "cost": cost,
        "message": "nothing was changed",
    });
    Ok(Answer::new(200, &body))
}
