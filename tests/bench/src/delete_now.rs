//! A Delete Now of 240 versions: its requests, and how many of them had to wait for one another.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use domain::mapping::BucketKind;
use harness::{Account, Fixture, Options, Photolala};
use http::Request;
use local_aws::{Gate, Record, RequestInfo, Verdict};

use crate::{Figure, figure};

/// Each request is held back this long, so that those sent together overlap and those that wait do not.
const DELAY: Duration = Duration::from_millis(60);

/// Measures with buckets of both common kinds.
pub async fn measure() -> Vec<Figure> {
    let mut figures = Vec::new();
    for kind in [BucketKind::Unversioned, BucketKind::Versioned] {
        figures.extend(one(kind).await);
    }
    figures
}

/// Holds every request back, and notes which DeleteObjects are about mappings: only their bodies tell.
#[derive(Default)]
struct Slow {
    of_sign_ins: Arc<Mutex<HashSet<u64>>>,
}

#[async_trait]
impl Gate for Slow {
    async fn before(&self, info: &RequestInfo, request: &Request<Bytes>) -> Verdict {
        let body = String::from_utf8_lossy(request.body());
        if info.operation == "DeleteObjects" && (body.contains("<Key>identities/") || body.contains("<Key>emails/")) {
            self.of_sign_ins.lock().expect("nothing panics while holding it").insert(info.number);
        }
        tokio::time::sleep(DELAY).await;
        Verdict::Proceed
    }
}

async fn one(kind: BucketKind) -> Vec<Figure> {
    let photolala = Photolala::start(Options { kind, ..Options::default() }).await.expect("the service starts");
    let account = Account::seeded(1);
    Fixture::of(&account).versions(240).fill(&photolala).await.expect("the account is filled");
    let gate = Slow::default();
    let of_sign_ins = gate.of_sign_ins.clone();
    photolala.local().set_gate(gate);
    photolala.local().recorder().start();
    let answer = photolala.delete_now(&account.upper()).await.expect("the function answers");
    assert_eq!(answer.body["status"], "completed", "{}", answer.body);
    let name = &photolala.environment().functions.deletion;
    let records: Vec<Record> =
        photolala.local().recorder().stop().into_iter().filter(|r| r.info.calling_function() == Some(name)).collect();
    let by_body = of_sign_ins.lock().expect("nothing panics while holding it").clone();
    let is_beside = |r: &&Record| is_of_sign_ins(r) || by_body.contains(&r.info.number);
    let (sign_ins, own): (Vec<_>, Vec<_>) = records.iter().partition(is_beside);
    let operations = own.iter().fold(BTreeMap::<&str, u32>::new(), |mut counts, r| {
        *counts.entry(r.info.operation).or_default() += 1;
        counts
    });
    photolala.shutdown().await;
    vec![
        figure(format!("{kind:?}: round trips one after another"), depth(&records).to_string(), "≤ 7"),
        figure(format!("{kind:?}: requests"), format!("{} {operations:?}", own.len()), "≤ 35"),
        figure(format!("{kind:?}: requests about sign-ins and entries"), sign_ins.len().to_string(), "beside the 35"),
    ]
}

/// Finding and severing sign-ins: listings of their prefixes, what tells whether their ETags are digests, and the keys
/// themselves.
fn is_of_sign_ins(record: &Record) -> bool {
    let of_key = record.info.key.as_deref().is_some_and(|k| k.starts_with("identities/") || k.starts_with("emails/"));
    let about =
        record.info.prefix.as_deref().is_some_and(|prefix| {
            ["identities/", "emails/", "scheduled-deletions/"].iter().any(|p| prefix.starts_with(p))
        });
    of_key || about || record.info.operation == "GetBucketEncryption"
}

/// The longest chain of requests of which each began after the one before had ended.
fn depth(records: &[Record]) -> usize {
    let mut spans: Vec<(Instant, Instant)> = records.iter().map(|r| (r.info.started, r.ended)).collect();
    spans.sort();
    let mut chains: Vec<usize> = Vec::new();
    for (i, (started, _)) in spans.iter().enumerate() {
        let before = (0..i).filter(|j| spans[*j].1 <= *started).map(|j| chains[j]).max();
        chains.push(before.unwrap_or(0) + 1);
    }
    chains.into_iter().max().unwrap_or(0)
}
