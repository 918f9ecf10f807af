//! What became of each version, and of each page.

use serde::{Deserialize, Serialize};

use crate::keys::ObjectKey;
use crate::page::{PageName, VERSIONS_PER_PAGE};
use crate::tally::SetDigest;

/// The final word on one version. Every version asked about gets one; there is no "assumed".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// S3 said it is gone.
    Erased,
    /// S3 said it was not there.
    Absent,
    /// Object Lock or a legal hold keeps it.
    Held(Hold),
    /// S3 refuses for another reason, such as our own permissions.
    Denied,
    /// Still failing when time or tries ran out: to be asked again, never counted as done.
    Unfinished,
}

/// Why a version is kept, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hold {
    /// Retained by Object Lock until this moment.
    Until(jiff::Timestamp),
    /// Under a legal hold, which has no end of its own.
    Legal,
}

impl Hold {
    /// The hold that ends later; a legal hold, which has no end of its own, is later than any date.
    pub fn later(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(Self::Until(a)), Some(Self::Until(b))) => Some(Self::Until(a.max(b))),
            (Some(_), Some(_)) => Some(Self::Legal),
            (a, b) => a.or(b),
        }
    }

    /// When it ends; `None` for a legal hold.
    pub fn end(&self) -> Option<jiff::Timestamp> {
        match self {
            Self::Until(at) => Some(*at),
            Self::Legal => None,
        }
    }
}

/// What to do about an error code of one key inside a DeleteObjects answer, or of DeleteObject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVerdict {
    /// The version was not there: done.
    Absent,
    /// S3 asks for a slower pace.
    Throttled,
    /// Passing; try again.
    Transient,
    /// Ask Object Lock why; otherwise denied.
    Denied,
}

/// Reads an error code (API reference, "Error responses"). An unknown code is tried again within the bound:
/// the opposite reading would report a passing fault as final.
pub fn key_verdict(code: &str) -> KeyVerdict {
    match code {
        "NoSuchVersion" | "NoSuchKey" => KeyVerdict::Absent,
        "SlowDown" | "TooManyRequests" | "RequestLimitExceeded" | "Throttling" => KeyVerdict::Throttled,
        "AccessDenied" | "InvalidObjectState" | "MethodNotAllowed" => KeyVerdict::Denied,
        _ => KeyVerdict::Transient,
    }
}

/// What became of a page, carried in the name of its outcome object, so that one listing sums up a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageOutcome {
    /// Versions S3 said are gone.
    pub erased: u64,
    /// Versions S3 said were not there.
    pub absent: u64,
    /// Versions under Object Lock or legal hold.
    pub held: u64,
    /// Versions S3 refused for another reason.
    pub denied: u64,
    /// Digest of the erased ones.
    pub digest: SetDigest,
}

impl PageOutcome {
    /// Sums up outcomes. `None` while one of them is unfinished: such a page has no outcome yet.
    pub fn of<'a>(outcomes: impl Iterator<Item = (&'a crate::keys::ObjectVersion, &'a Outcome)>) -> Option<Self> {
        let mut sum = Self::default();
        for (version, outcome) in outcomes {
            match outcome {
                Outcome::Erased => {
                    sum.erased += 1;
                    sum.digest.add(version);
                }
                Outcome::Absent => sum.absent += 1,
                Outcome::Held(_) => sum.held += 1,
                Outcome::Denied => sum.denied += 1,
                Outcome::Unfinished => return None,
            }
        }
        Some(sum)
    }

    /// Versions answered for.
    pub fn total(&self) -> u64 {
        self.erased + self.absent + self.held + self.denied
    }

    /// Adds another page's.
    pub fn add(&mut self, other: &Self) {
        self.erased += other.erased;
        self.absent += other.absent;
        self.held += other.held;
        self.denied += other.denied;
        self.digest.add_digest(&other.digest);
    }

    /// The key of a page's outcome: `{prefix}{page}.{erased}-{absent}-{held}-{denied}-{digest}`.
    pub fn key(&self, outcomes_prefix: &str, page: &PageName) -> ObjectKey {
        ObjectKey::new(format!("{outcomes_prefix}{page}.{}", self.counts()))
    }

    /// Reads such a key, written as [`Self::key`] writes it and no other way; the page's name as text, since it only
    /// serves as an identity here.
    pub fn parse(key: &ObjectKey) -> Option<(String, Self)> {
        let (_folder, file) = key.as_str().rsplit_once('/')?;
        let (page, counts) = file.split_once('.')?;
        let mut parts = counts.split('-');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (erased, absent, held, denied) = (number()?, number()?, number()?, number()?);
        let outcome = Self { erased, absent, held, denied, digest: SetDigest::from_hex(parts.next()?)? };
        let is_ours = outcome.fits_a_page() && outcome.counts() == counts;
        is_ours.then(|| (page.to_owned(), outcome))
    }

    /// Whether it is of no more versions than a page has. Sums of such counts do not overflow.
    fn fits_a_page(&self) -> bool {
        let counts = [self.erased, self.absent, self.held, self.denied];
        counts
            .iter()
            .try_fold(0_u64, |sum, count| sum.checked_add(*count))
            .is_some_and(|n| n <= VERSIONS_PER_PAGE as u64)
    }

    /// The one way to write it.
    fn counts(&self) -> String {
        let Self { erased, absent, held, denied, digest } = self;
        format!("{erased}-{absent}-{held}-{denied}-{}", digest.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BucketName;
    use crate::keys::{ObjectVersion, VersionId};

    fn version() -> ObjectVersion {
        let bucket = BucketName::parse("photolala-dev").unwrap();
        ObjectVersion::new(bucket, ObjectKey::new("k"), VersionId::new("v").unwrap())
    }

    #[test]
    fn the_outcome_of_a_page_reads_back_from_its_key() {
        let outcomes = [Outcome::Erased, Outcome::Absent, Outcome::Held(Hold::Legal), Outcome::Denied];
        let version = version();
        let sum = PageOutcome::of(outcomes.iter().map(|o| (&version, o))).unwrap();
        let page = PageName { shard: "b0tail".to_owned(), epoch: 0, number: 3 };
        let key = sum.key("outcomes/d/1/", &page);
        assert_eq!(PageOutcome::parse(&key), Some((page.to_string(), sum)));
        assert_eq!(sum.total(), 4);
    }

    #[test]
    fn an_outcome_that_nobody_writes_is_not_read() {
        let digest = "a".repeat(64);
        let read =
            |counts: String| PageOutcome::parse(&ObjectKey::new(format!("outcomes/d/1/0-b0tail-000000.{counts}")));
        assert!(read(format!("998-1-1-0-{digest}")).is_some());
        let most = u64::MAX;
        for counts in ["1000-0-0-1", "+1-0-0-0", "01-0-0-0", &format!("{most}-{most}-0-0")] {
            assert_eq!(read(format!("{counts}-{digest}")), None, "{counts}");
        }
        assert_eq!(read(format!("1-0-0-0-{digest}-x")), None, "more behind it");
        assert_eq!(read(format!("1-0-0-0-{}", digest.to_uppercase())), None, "another way to write the digest");
    }

    #[test]
    fn an_unfinished_version_leaves_the_page_without_an_outcome() {
        let version = version();
        let outcomes = [Outcome::Erased, Outcome::Unfinished];
        assert_eq!(PageOutcome::of(outcomes.iter().map(|o| (&version, o))), None);
    }

    #[test]
    fn a_legal_hold_outlasts_any_date() {
        let at = |second| Some(Hold::Until(jiff::Timestamp::from_second(second).unwrap()));
        assert_eq!(Hold::later(at(1), at(2)), at(2));
        assert_eq!(Hold::later(at(1), Some(Hold::Legal)), Some(Hold::Legal));
        assert_eq!(Hold::later(None, at(1)), at(1));
    }

    #[test]
    fn unknown_codes_are_tried_again() {
        assert_eq!(key_verdict("InternalError"), KeyVerdict::Transient);
        assert_eq!(key_verdict("NeverHeardOf"), KeyVerdict::Transient);
        assert_eq!(key_verdict("SlowDown"), KeyVerdict::Throttled);
        assert_eq!(key_verdict("AccessDenied"), KeyVerdict::Denied);
        assert_eq!(key_verdict("NoSuchVersion"), KeyVerdict::Absent);
    }
}
