//! P10: nothing that is kept or shown names a person.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{Scope, tell};
use crate::{Account, Photolala, Snapshot};

/// File names that are looked for: the functions treat all alike.
const NAMES_MAX: usize = 2_000;
/// Shorter names, such as `status.json`, are the layout's and not a person's.
const NAME_MIN: usize = 16;
/// What names accounts and keys by its purpose, until the deletion is over.
const EXEMPT: [&str; 3] = ["records/", "requests/", "pages/"];

/// P10: the accounts' ids in either spelling, e-mail addresses, external ids and keys stand in no log line, no metric,
/// no job, no event of a job, and no notice but that of the claim, and no
/// object of the manifest bucket but records, requests and pages.
pub async fn silent_about_people(photolala: &Photolala, before: &Snapshot, accounts: &[&Account]) {
    let secrets = secrets(&Scope::of(photolala.environment(), accounts), before, accounts);
    // An automaton that is quick to build: keys may be long, and each is looked for once.
    let kind = Some(AhoCorasickKind::NoncontiguousNFA);
    let finder = AhoCorasick::builder().kind(kind).ascii_case_insensitive(true).build(&secrets);
    let finder = finder.expect("some thousand short patterns fit");
    let told = texts(photolala).await;
    let found = |(place, text): &(String, String)| {
        let found = finder.find(text)?;
        Some(format!("{place} tells {:?}: {text:.400}", secrets[found.pattern()]))
    };
    tell("P10, told about a person", &told.iter().filter_map(found).collect::<Vec<_>>());
}

fn secrets(scope: &Scope, before: &Snapshot, accounts: &[&Account]) -> Vec<String> {
    let keys = before.0.keys().map(|place| &place.key).filter(|key| scope.covers(key));
    let names = keys.filter_map(|key| key.rsplit('/').next()).filter(|name| name.len() >= NAME_MIN);
    let names: BTreeSet<String> = names.take(NAMES_MAX).map(str::to_owned).collect();
    accounts.iter().flat_map(|account| account.secrets()).chain(names).collect()
}

/// Everything that is told, with where.
async fn texts(photolala: &Photolala) -> Vec<(String, String)> {
    let local = photolala.local();
    let mut texts = Vec::new();
    for function in local.lambda().log_groups() {
        let lines = local.lambda().logs(&function).into_iter();
        texts.extend(lines.map(|line| (format!("a log line of {}", line.process), line.text)));
    }
    texts.extend(local.lambda().metrics().into_iter().map(|metric| ("a metric".to_owned(), format!("{metric:?}"))));
    texts.extend(local.batch().jobs().into_iter().map(|job| (format!("job {}", job.id), format!("{job:?}"))));
    let events = local.events().of_jobs().into_iter();
    texts.extend(events.map(|event| ("an event of a job".to_owned(), event.to_string())));
    let notices = local.events().put().into_iter().filter(|notice| notice.envelope["detail-type"] != "claimed");
    texts.extend(notices.map(|notice| ("a notice".to_owned(), notice.envelope.to_string())));
    for key in photolala.own_keys("").await {
        if !EXEMPT.iter().any(|prefix| key.starts_with(prefix)) {
            let body = photolala.own_object(&key).await.unwrap_or_default();
            texts.push((format!("the object {key}"), format!("{key} {}", String::from_utf8_lossy(&body))));
        }
    }
    texts
}
