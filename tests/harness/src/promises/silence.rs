//! P10: nothing that is kept or shown names a person.

use serde_json::{Value, json};

use super::{Scope, tell};
use crate::people::Finder;
use crate::{Account, Photolala, Snapshot};

/// What names accounts and keys by its purpose, until the deletion is over.
const EXEMPT: [&str; 3] = ["records/", "requests/", "pages/"];

/// P10: the accounts' ids in either spelling, e-mail addresses, external ids and keys stand in no log line, no metric,
/// no job, no event of a job, no notice but that of the claim, and no object of the manifest bucket but records, requests
/// and pages.
pub async fn silent_about_people(photolala: &Photolala, before: &Snapshot, accounts: &[&Account]) {
    let finder = finder(photolala, before, accounts);
    let mut told = texts(photolala);
    for key in photolala.own_keys("").await.into_iter().filter(|key| !is_exempt(key)) {
        let body = photolala.own_object(&key).await.unwrap_or_default();
        told.push(object(&key, &body));
    }
    silent(&finder, &told);
}

fn finder(photolala: &Photolala, before: &Snapshot, accounts: &[&Account]) -> Finder {
    let scope = Scope::of(photolala.environment(), accounts);
    let names = Finder::names(before.0.keys().map(|place| &place.key).filter(|key| scope.covers(key)));
    Finder::of(accounts.iter().flat_map(|account| account.secrets()).chain(names).collect())
}

/// The same about everybody the service ever heard of, whoever asks for it or not: at the end of every service.
/// Objects are read only where the S3 in memory has them.
pub(crate) fn silent_to_the_end(photolala: &Photolala) {
    let mut told = texts(photolala);
    if let Some(store) = photolala.local().s3_store() {
        let bucket = photolala.environment().manifest_bucket();
        // A story may have taken the bucket away.
        for key in store.keys(&bucket, "").unwrap_or_default().iter().filter(|key| !is_exempt(key)) {
            told.push(object(key, &store.body(&bucket, key).unwrap_or_default()));
        }
    }
    silent(&photolala.people().finder(), &told);
}

/// P10: an answer, or the error in place of one, repeats nothing but what it was asked. A run that an operator asked
/// for names the accounts it took up, and the entries it could not read.
pub(crate) fn silent_answer(photolala: &Photolala, event: &Value, payload: &[u8]) {
    let text = String::from_utf8_lossy(payload);
    let is_run = event["type"] == "scheduled" || event["type"].is_null();
    let text = if is_run { without_ids(&text) } else { text.into_owned() };
    if let Some(secret) = photolala.people().finder().find_but(&text, &event.to_string()) {
        panic!("P10, told about a person: the answer to {event:.400} tells {secret:?}: {text:.400}");
    }
}

/// The answer of a run without what its lines name accounts by.
fn without_ids(text: &str) -> String {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(Ok(mut body)) = answer["body"].as_str().map(serde_json::from_str::<Value>) else { return text.to_owned() };
    for line in body["results"].as_array_mut().into_iter().flatten() {
        (line["userId"], line["entry"]) = (json!(null), json!(null));
    }
    body.to_string()
}

fn silent(finder: &Finder, told: &[(String, String)]) {
    let found = |(place, text): &(String, String)| {
        finder.find(text).map(|secret| format!("{place} tells {secret:?}: {text:.400}"))
    };
    tell("P10, told about a person", &told.iter().filter_map(found).collect::<Vec<_>>());
}

fn is_exempt(key: &str) -> bool {
    EXEMPT.iter().any(|prefix| key.starts_with(prefix))
}

fn object(key: &str, body: &[u8]) -> (String, String) {
    (format!("the object {key}"), format!("{key} {}", String::from_utf8_lossy(body)))
}

/// Everything that is told, with where, but for objects.
fn texts(photolala: &Photolala) -> Vec<(String, String)> {
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
    texts
}
