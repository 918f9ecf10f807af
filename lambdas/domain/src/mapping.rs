//! Mappings: objects that lead from a sign-in to an account, and how to sever them without harming anybody else.

use std::collections::HashMap;

use fault_point::planted;
use md5::{Digest as _, Md5};

use crate::Timestamp;
use crate::ids::AccountId;
use crate::keys::ObjectVersion;
use crate::look::Listed;
use crate::tally::hex;

/// Bytes of an account id, and of one with a newline: what writers write.
const BODY_SIZES: std::ops::RangeInclusive<u64> = 36..=37;
/// Up to this many bytes a body may be an account id with white space around it.
const PADDED_MAX: u64 = 64;

/// Recognises account ids by the listing alone: the ETag of a plain or SSE-S3 object is the MD5 of its body
/// (API reference, "Object", ETag), so most bodies need not be read.
#[derive(Debug)]
pub struct Recognizer {
    digests: HashMap<String, AccountId>,
    etags_are_md5: bool,
}

/// What a listing tells of a mapping's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is this account's id.
    Account(AccountId),
    /// It is none of the accounts' ids.
    Nobody,
    /// Only the body can tell.
    Unclear,
}

impl Recognizer {
    /// For these accounts. `etags_are_md5` is false for a bucket that encrypts with KMS keys.
    pub fn new(accounts: &[AccountId], etags_are_md5: bool) -> Self {
        let bodies = |account: &AccountId| {
            let spelled = account.spellings();
            spelled.into_iter().flat_map(|id| [format!("{id}\n"), id]).collect::<Vec<_>>()
        };
        let digests = accounts
            .iter()
            .flat_map(|account| bodies(account).into_iter().map(|body| (hex(&Md5::digest(body)), *account)))
            .collect();
        Self { digests, etags_are_md5 }
    }

    /// Looks at one version. A delete marker leads nowhere.
    pub fn see(&self, listed: &Listed) -> Seen {
        if listed.marker || listed.size < *BODY_SIZES.start() || listed.size > PADDED_MAX {
            return Seen::Nobody;
        }
        if let Some(account) = self.digests.get(&listed.etag) {
            return Seen::Account(*account);
        }
        let etag_tells = self.etags_are_md5 && !listed.etag.contains('-');
        planted!("d14-every-mapping-read" => return Seen::Unclear);
        if etag_tells && BODY_SIZES.contains(&listed.size) { Seen::Nobody } else { Seen::Unclear }
    }

    /// Reads a body: an account id with any white space around it, in either case.
    pub fn read(&self, body: &[u8]) -> Seen {
        match account_in(body) {
            Some(account) if self.digests.values().any(|a| *a == account) => Seen::Account(account),
            _ => Seen::Nobody,
        }
    }
}

/// The account a mapping's body names.
pub fn account_in(body: &[u8]) -> Option<AccountId> {
    AccountId::parse(std::str::from_utf8(body).ok()?.trim()).ok()
}

/// How a bucket keeps versions (GetBucketVersioning).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketKind {
    /// Never versioned: a key has one version, `null`.
    Unversioned,
    /// Every write makes a version.
    Versioned,
    /// Versions may exist; writes replace the null version.
    Suspended,
}

/// One version of a mapping's key and to whom it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The version.
    pub listed: Listed,
    /// Whether it leads to the account being deleted.
    pub ours: bool,
}

/// One step of severing a key. Steps are taken in order; a failed condition means somebody wrote meanwhile,
/// and the key is looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Delete the key, without a version, if its ETag is still this: the one place where a marker is added.
    DeleteCurrent {
        /// ETag of our current version.
        etag: String,
    },
    /// Put the body of this version back as the current one, if the current ETag is still this.
    PutBack {
        /// Whose body: a version in the stack, or none if the text was remembered.
        body_of: Option<ObjectVersion>,
        /// ETag of our current version.
        etag: String,
    },
    /// Erase these versions by id.
    Erase(Vec<ObjectVersion>),
}

/// A stack that cannot be severed without a risk to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mapping in a bucket with suspended versioning holds a null version beside others; a person must look")]
pub struct NeedsAPerson;

/// What to do about one key. `links` is newest first, with at least one of ours; `moved` says that the key was
/// seen to lead to a new account and its body is remembered.
pub fn sever(kind: BucketKind, links: &[Link], claimed_at: Timestamp, moved: bool) -> Result<Vec<Step>, NeedsAPerson> {
    let ours = || links.iter().filter(|l| l.ours).map(|l| &l.listed);
    let others: Vec<usize> = (0..links.len()).filter(|i| !links[*i].ours && !links[*i].listed.marker).collect();
    let current = links.iter().find(|l| l.listed.latest && l.ours).map(|l| &l.listed);
    let by_id = |nulls_too: bool| -> Vec<ObjectVersion> {
        ours().filter(|l| nulls_too || !l.version.version().is_null()).map(|l| l.version.clone()).collect()
    };
    let mut steps = Vec::new();
    if let Some(current) = current {
        let etag = current.etag.clone();
        if let Some(body_of) = put_back(links, &others, claimed_at, moved) {
            steps.push(Step::PutBack { body_of, etag });
        } else if kind != BucketKind::Versioned && current.version.version().is_null()
            || !planted!("sever-open") && kind != BucketKind::Unversioned && !others.is_empty()
        {
            steps.push(Step::DeleteCurrent { etag });
        }
    }
    if kind == BucketKind::Suspended && null_at_risk(links) {
        return Err(NeedsAPerson);
    }
    let erased = by_id(kind == BucketKind::Versioned);
    if kind != BucketKind::Unversioned && !erased.is_empty() {
        steps.push(Step::Erase(erased));
    }
    if kind == BucketKind::Versioned && others.is_empty() {
        let markers: Vec<_> = links.iter().filter(|l| l.listed.marker).map(|l| l.listed.version.clone()).collect();
        if !markers.is_empty() {
            steps.push(Step::Erase(markers));
        }
    }
    Ok(steps)
}

/// Whether the key led to a new account before an old phone wrote ours over it: the newest version of somebody
/// else was written after our claim, or above an older one of ours, or was seen at an earlier look.
/// The inner `None` stands for the remembered body.
#[allow(clippy::option_option, reason = "whether to put back, and from where, are two questions")]
fn put_back(links: &[Link], others: &[usize], claimed_at: Timestamp, moved: bool) -> Option<Option<ObjectVersion>> {
    if let Some(&newest) = others.first() {
        let other = &links[newest].listed;
        // Within the second of the claim nobody can tell; rather a sign-in that has to be made again than a stranger's
        // old one opened.
        let after_claim = other.modified_ms / 1_000 > claimed_at.as_second();
        let above_ours = links[newest + 1..].iter().any(|l| l.ours);
        return (after_claim || above_ours).then(|| Some(other.version.clone()));
    }
    moved.then_some(None)
}

/// In a suspended bucket the null version can be replaced between look and erasure, and deleting the key removes
/// it wherever it lies in the stack. Both are only safe if the null version is the current one, or there is none.
fn null_at_risk(links: &[Link]) -> bool {
    links.iter().any(|l| !l.listed.latest && !l.listed.marker && l.listed.version.version().is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BucketName;
    use crate::keys::{ObjectKey, VersionId};

    const CLAIM: i64 = 1_000;

    fn link(version: &str, ours: bool, latest: bool, second: i64) -> Link {
        let bucket = BucketName::parse("photolala-dev").unwrap();
        let version =
            ObjectVersion::new(bucket, ObjectKey::new("identities/apple:x"), VersionId::new(version).unwrap());
        let etag = if ours { "ours" } else { "other" }.to_owned();
        let class = "STANDARD".to_owned();
        let listed = Listed { version, marker: false, latest, size: 36, class, etag, modified_ms: second * 1_000 };
        Link { listed, ours }
    }

    fn marker(version: &str, latest: bool) -> Link {
        let mut link = link(version, false, latest, 1);
        link.listed.marker = true;
        link
    }

    fn plan(kind: BucketKind, links: &[Link], moved: bool) -> Result<Vec<Step>, NeedsAPerson> {
        sever(kind, links, Timestamp::from_second(CLAIM).unwrap(), moved)
    }

    fn ids(links: &[&Link]) -> Step {
        Step::Erase(links.iter().map(|l| l.listed.version.clone()).collect())
    }

    fn delete() -> Step {
        Step::DeleteCurrent { etag: "ours".to_owned() }
    }

    #[test]
    fn alone_in_a_versioned_bucket_versions_go_then_markers() {
        let (m, b, a) = (marker("m", false), link("b", true, true, 2), link("a", true, false, 1));
        assert_eq!(
            plan(BucketKind::Versioned, &[b.clone(), m.clone(), a.clone()], false).unwrap(),
            [ids(&[&b, &a]), ids(&[&m])]
        );
    }

    #[test]
    fn somebody_elses_old_link_below_ours_stays_closed() {
        let (ours, old) = (link("b", true, true, 2), link("a", false, false, 1));
        assert_eq!(plan(BucketKind::Versioned, &[ours.clone(), old], false).unwrap(), [delete(), ids(&[&ours])]);
    }

    #[test]
    fn a_link_written_in_the_second_of_the_claim_counts_as_older() {
        let (ours, other) = (link("b", true, true, CLAIM + 1), link("a", false, false, CLAIM));
        assert_eq!(plan(BucketKind::Versioned, &[ours.clone(), other], false).unwrap(), [delete(), ids(&[&ours])]);
    }

    #[test]
    fn a_new_registration_above_ours_is_left_alone() {
        let (new, ours) = (link("b", false, true, CLAIM + 5), link("a", true, false, 1));
        assert_eq!(plan(BucketKind::Versioned, &[new, ours.clone()], false).unwrap(), [ids(&[&ours])]);
    }

    #[test]
    fn an_old_phones_write_over_a_new_registration_is_undone() {
        let (phone, new) = (link("c", true, true, CLAIM + 9), link("b", false, false, CLAIM + 5));
        let back = Step::PutBack { body_of: Some(new.listed.version.clone()), etag: "ours".to_owned() };
        assert_eq!(
            plan(BucketKind::Versioned, &[phone.clone(), new.clone()], false).unwrap(),
            [back.clone(), ids(&[&phone])]
        );
        let (mut early, first) = (new, link("a", true, false, 1));
        early.listed.modified_ms = 2_000;
        let stack = [phone.clone(), early, first.clone()];
        assert_eq!(plan(BucketKind::Versioned, &stack, false).unwrap(), [back, ids(&[&phone, &first])]);
    }

    #[test]
    fn without_versions_only_a_conditional_delete_is_safe() {
        let ours = link("null", true, true, 1);
        assert_eq!(plan(BucketKind::Unversioned, std::slice::from_ref(&ours), false).unwrap(), [delete()]);
        let back = Step::PutBack { body_of: None, etag: "ours".to_owned() };
        assert_eq!(plan(BucketKind::Unversioned, &[ours], true).unwrap(), [back]);
    }

    #[test]
    fn in_a_suspended_bucket_null_goes_by_condition_and_the_rest_by_id() {
        let (null, old) = (link("null", true, true, 2), link("a", true, false, 1));
        assert_eq!(plan(BucketKind::Suspended, &[null, old.clone()], false).unwrap(), [delete(), ids(&[&old])]);
        let (real, null) = (link("a", true, true, 2), link("null", false, false, 1));
        assert_eq!(plan(BucketKind::Suspended, &[real, null], false), Err(NeedsAPerson));
    }

    #[test]
    fn bodies_are_recognised_by_etag_and_size() {
        let account = AccountId::parse("0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9").unwrap();
        let recognizer = Recognizer::new(&[account], true);
        let mut listed = link("null", false, true, 1).listed;
        for body in account.spellings().iter().flat_map(|s| [s.clone(), format!("{s}\n")]) {
            listed.etag = hex(&Md5::digest(&body));
            listed.size = body.len() as u64;
            assert_eq!(recognizer.see(&listed), Seen::Account(account));
        }
        (listed.etag, listed.size) = ("0".repeat(32), 36);
        assert_eq!(recognizer.see(&listed), Seen::Nobody);
        assert_eq!(Recognizer::new(&[account], false).see(&listed), Seen::Unclear, "KMS: the ETag is no MD5");
        listed.size = 40;
        assert_eq!(recognizer.see(&listed), Seen::Unclear, "white space around an id");
        (listed.etag, listed.size) = (format!("{}-1", "0".repeat(32)), 36);
        assert_eq!(recognizer.see(&listed), Seen::Unclear, "a multipart ETag");
        assert_eq!(recognizer.read(format!(" {}\r\n", account.canonical()).as_bytes()), Seen::Account(account));
    }
}
