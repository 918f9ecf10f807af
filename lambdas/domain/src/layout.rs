//! Which keys belong to an account, and where the service keeps its own objects.

use std::collections::BTreeSet;

use fault_point::planted;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::Timestamp;
use crate::ids::{AccountId, DeletionId, JobId, RunId};
use crate::keys::ObjectKey;

/// A key prefix template such as `photos/{account}/`: it ends with `/`, and the account is one whole segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixTemplate(String);

impl PrefixTemplate {
    const ACCOUNT: &'static str = "{account}";

    /// Accepts `word/{account}/`, where the word has letters, digits, `-`, `_` and `/`. Nothing else can be
    /// erased by prefix, so no setting can make an account prefix that is empty or covers two accounts.
    pub fn parse(text: &str) -> Option<Self> {
        let head = text.strip_suffix("/{account}/")?;
        let sound = head.split('/').all(|word| is_word(word, b"-_"));
        sound.then(|| Self(text.to_owned()))
    }

    /// The template, as the environment writes it. It names no person: safe in receipts and metrics.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a prefix is `word/`, or several such; the words have letters, digits, `.`, `-` and `_`.
pub fn is_folder(prefix: &str) -> bool {
    prefix.strip_suffix('/').is_some_and(|words| words.split('/').all(|word| is_word(word, b".-_")))
}

fn is_word(text: &str, also: &[u8]) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
}

/// A key prefix that belongs to one account whole, in one spelling.
/// It cannot be made from a string, and can be neither empty nor shared: account `1` never matches account `10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPrefix {
    prefix: ObjectKey,
    template: usize,
}

impl AccountPrefix {
    /// Every prefix of the account: each template in each spelling.
    pub fn all(templates: &[PrefixTemplate], account: &AccountId) -> Vec<Self> {
        let spellings = account.spellings();
        let spelled = |(template, text): (usize, &PrefixTemplate)| {
            spellings
                .iter()
                .take(if planted!("d10-one-spelling") { 1 } else { spellings.len() })
                .map(|id| Self { prefix: ObjectKey::new(text.0.replace(PrefixTemplate::ACCOUNT, id)), template })
                .collect::<Vec<_>>()
        };
        templates.iter().enumerate().flat_map(spelled).collect()
    }

    /// The prefix, for a listing.
    pub fn as_str(&self) -> &str {
        self.prefix.as_str()
    }

    /// Which of the environment's templates it fills in, as an index.
    pub fn template(&self) -> usize {
        self.template
    }

    /// Whether the key lies under the prefix.
    pub fn covers(&self, key: &ObjectKey) -> bool {
        key.as_str().starts_with(self.as_str())
    }
}

/// The keys of an account's `status.json`, one a spelling.
pub fn status_keys(account: &AccountId) -> Vec<ObjectKey> {
    let key = |id: &String| ObjectKey::new(format!("users/{id}/status.json"));
    account.spellings().iter().map(key).collect()
}

/// The account that a schedule key `scheduled-deletions/{date}/{account}.json` names, in either spelling. The file name
/// must be the whole id: a key that merely contains it is somebody else's.
pub fn schedule_account(key: &ObjectKey, schedule_prefix: &str) -> Option<AccountId> {
    let (_date, file) = key.as_str().strip_prefix(schedule_prefix)?.split_once('/')?;
    planted!("d15-key-contains-an-id" => return AccountId::parse(file.split('.').next()?).ok());
    AccountId::parse(file.strip_suffix(".json")?).ok()
}

/// Where an app looks for the entries of an account that is to be erased at one of these moments: the folder is the UTC
/// day, or the day before where a writer rounded the moment up to midnight.
pub fn entry_keys(schedule_prefix: &str, account: &AccountId, moments: &[Timestamp]) -> Vec<ObjectKey> {
    let day = |at: Timestamp| TimeZone::UTC.to_datetime(at).date();
    let before = |at: &Timestamp| at.checked_sub(SignedDuration::from_secs(1)).unwrap_or(*at);
    let days: BTreeSet<_> = moments.iter().flat_map(|at| [day(*at), day(before(at))]).collect();
    let keys = |day| move |id: &String| ObjectKey::new(format!("{schedule_prefix}{day}/{id}.json"));
    let spellings = account.spellings();
    days.into_iter().flat_map(|day| spellings.iter().map(keys(day)).collect::<Vec<_>>()).collect()
}

/// Where records live in the manifest bucket. A listing of it finds every deletion under way.
pub const RECORDS: &str = "records/";

/// The record of an account's deletion: the one mutex. The canonical spelling only, so that two spellings meet.
pub fn record_key(account: &AccountId) -> ObjectKey {
    ObjectKey::new(format!("{RECORDS}{}.json", account.canonical()))
}

/// Where requests wait that this service wrote down. They lie apart from records, so that reconcile lists only what is
/// under way: a request may wait for a month.
pub const REQUESTS: &str = "requests/";

/// The request of an account that waits.
pub fn request_key(account: &AccountId) -> ObjectKey {
    ObjectKey::new(format!("{REQUESTS}{}.json", account.canonical()))
}

/// Where the counts of claims of each day lie.
pub const DAYS: &str = "days/";

/// The count of claims of a day, written `2026-01-02`.
pub fn day_key(day: jiff::civil::Date) -> ObjectKey {
    ObjectKey::new(format!("{DAYS}{day}.json"))
}

/// The receipt of a deletion.
pub fn receipt_key(deletion: &DeletionId) -> ObjectKey {
    ObjectKey::new(format!("receipts/{deletion}.json"))
}

/// The run that submitted a job.
pub fn run_key(run: &RunId) -> ObjectKey {
    ObjectKey::new(format!("runs/{run}.json"))
}

/// From a job to its run: jobs vanish from S3 Batch Operations after 90 days, this stays.
pub fn job_key(job: &JobId) -> ObjectKey {
    ObjectKey::new(format!("jobs/{job}.json"))
}

/// The manifest of a run.
pub fn manifest_key(run: &RunId) -> ObjectKey {
    ObjectKey::new(format!("manifests/{run}.csv"))
}

/// Where the pages of all attempts of a deletion lie.
pub fn pages_prefix(deletion: &DeletionId) -> String {
    format!("pages/{deletion}/")
}

/// Where the pages of one attempt lie.
pub fn attempt_pages_prefix(deletion: &DeletionId, attempt: u32) -> String {
    format!("pages/{deletion}/{attempt}/")
}

/// Where the outcomes of all attempts of a deletion lie.
pub fn outcomes_prefix(deletion: &DeletionId) -> String {
    format!("outcomes/{deletion}/")
}

/// Where the outcomes of one attempt lie.
pub fn attempt_outcomes_prefix(deletion: &DeletionId, attempt: u32) -> String {
    format!("outcomes/{deletion}/{attempt}/")
}

/// Where S3 Batch Operations writes the completion reports of a run.
pub fn reports_prefix(run: &RunId) -> String {
    format!("reports/{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(last: char) -> AccountId {
        AccountId::parse(&format!("0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F{last}")).unwrap()
    }

    #[test]
    fn a_template_holds_the_account_as_one_segment() {
        for text in ["photos/{account}/", "a/b-c_d/{account}/"] {
            assert!(PrefixTemplate::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "/",
            "{account}/",
            "/{account}/",
            "photos/{account}",
            "photos/",
            "photos/x{account}/",
            "photos/{account}/{account}/",
            "//{account}/",
            "photos//{account}/",
            "a//b/{account}/",
            "a b/{account}/",
        ] {
            assert_eq!(PrefixTemplate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_folder_has_whole_words() {
        assert!(is_folder("identities/") && is_folder("a.b/c-d_e/"));
        for text in ["", "/", "a", "/a/", "a//", "a//b/", "a,b/", "a b/", "{account}/"] {
            assert!(!is_folder(text), "{text}");
        }
    }

    #[test]
    fn prefixes_come_in_both_spellings_and_cover_nobody_else() {
        let templates = [PrefixTemplate::parse("photos/{account}/").unwrap()];
        let prefixes = AccountPrefix::all(&templates, &account('1'));
        assert_eq!(prefixes.len(), 2);
        for prefix in &prefixes {
            assert!(prefix.as_str().ends_with('/'));
            assert!(prefix.covers(&ObjectKey::new(format!("{}x", prefix.as_str()))));
            for stranger in AccountPrefix::all(&templates, &account('2')) {
                assert!(!prefix.covers(&ObjectKey::new(format!("{}x", stranger.as_str()))));
            }
        }
    }

    #[test]
    fn a_schedule_entry_is_named_by_the_whole_file_name() {
        let id = account('1').canonical();
        let is_ours =
            |key: String| schedule_account(&ObjectKey::new(key), "scheduled-deletions/") == Some(account('1'));
        assert!(is_ours(format!("scheduled-deletions/2026-01-02/{id}.json")));
        assert!(is_ours(format!("scheduled-deletions/2026-01-02/{}.json", id.to_lowercase())));
        assert!(!is_ours(format!("scheduled-deletions/2026-01-02/{id}.json.bak")));
        assert!(!is_ours(format!("scheduled-deletions/{id}/2026-01-02.json")));
        assert!(!is_ours(format!("other/2026-01-02/{id}.json")));
    }
}
