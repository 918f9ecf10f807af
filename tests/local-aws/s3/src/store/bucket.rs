//! One bucket: its versioning state decides what a write and a delete do.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use s3s::crypto::{Checksum, Md5};

use super::lock::{DefaultRetention, Protection};
use super::multipart::Upload;
use super::version::{Data, ETag, Encryption, NewObject, Version};
use super::walk::Key;
use super::{Refusal, id};

/// A key's UTF-8 length limit in bytes (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
pub const KEY_LENGTH_MAX: usize = 1_024;

/// A bucket's versioning state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versioning {
    /// Never versioned.
    #[default]
    Unversioned,
    /// Every write makes a version, every plain delete a delete marker.
    Enabled,
    /// Writes and plain deletes replace the `null` version; the other versions stay.
    Suspended,
}

/// See the module.
pub(crate) struct Bucket {
    pub created: Timestamp,
    pub region: String,
    pub owner: String,
    pub versioning: Versioning,
    pub object_lock: Option<ObjectLock>,
    /// Each key's versions, the oldest first: never empty.
    pub objects: BTreeMap<Key, Vec<Version>>,
    /// Each key's unfinished multipart uploads, the oldest first: never empty.
    pub uploads: BTreeMap<Key, Vec<Upload>>,
}

/// Object Lock is enabled; perhaps with a default retention.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ObjectLock {
    pub default: Option<DefaultRetention>,
}

/// The moment of a change, and its place in the order of all changes.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    pub sequence: u64,
    pub now: Timestamp,
}

/// What must hold of the current version. Entity tags are without quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Condition {
    #[default]
    None,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match: *`.
    Exists,
    /// `If-Match: "etag"`.
    Matches(String),
}

/// What a write left.
pub(crate) struct Written {
    pub version_id: Option<String>,
    pub etag: ETag,
}

/// What a delete did.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Deleted {
    /// The version erased, or the marker made; nothing in a bucket without versioning.
    pub version_id: Option<String>,
    /// Whether that was, or is, a delete marker.
    pub delete_marker: bool,
}

impl Bucket {
    /// Writes an object, if the condition holds of the current version.
    pub fn put(
        &mut self,
        key: &str,
        object: NewObject,
        condition: &Condition,
        stamp: Stamp,
    ) -> Result<Written, Refusal> {
        let digest = match object.encryption {
            Encryption::Aes256 => Md5::checksum(&object.body),
            // "Objects encrypted by SSE-C or SSE-KMS have ETags that are not an MD5 digest of their object data",
            // https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
            Encryption::Kms | Encryption::KmsDsse => id::digest(stamp.sequence),
        };
        self.put_as(key, object, ETag { digest, parts: 0 }, condition, stamp)
    }

    /// Writes an object under an entity tag of the caller's.
    pub fn put_as(
        &mut self,
        key: &str,
        mut object: NewObject,
        etag: ETag,
        condition: &Condition,
        stamp: Stamp,
    ) -> Result<Written, Refusal> {
        check_key(key)?;
        self.check_write(key, condition)?;
        self.protect(&mut object, stamp.now)?;
        let version_id = self.push(key, Some(object.into_data(etag)), stamp);
        Ok(Written { version_id, etag })
    }

    /// Deletes by key: for good, or by a delete marker, as the versioning state has it.
    pub fn delete(&mut self, key: &str, stamp: Stamp) -> Deleted {
        if self.versioning == Versioning::Unversioned {
            self.remove(key, |version| version.null);
            return Deleted::default();
        }
        let version_id = self.push(key, None, stamp);
        Deleted { version_id, delete_marker: true }
    }

    /// Erases one version for good; one that is not there is as good as erased.
    pub fn erase(&mut self, key: &str, version_id: &str, bypass: bool, now: Timestamp) -> Result<Deleted, Refusal> {
        let wanted = Wanted::parse(version_id)?;
        let found = self.versions(key).iter().find(|version| wanted.is(version));
        if let Some(data) = found.and_then(Version::data) {
            data.protection().allow_erasure(now, bypass)?;
        }
        let delete_marker = found.is_some_and(Version::is_delete_marker);
        self.remove(key, |version| wanted.is(version));
        Ok(Deleted { version_id: Some(version_id.to_owned()), delete_marker })
    }

    /// The data version of that id, or the current one.
    pub fn find(&self, key: &str, version_id: Option<&str>) -> Result<(&Version, &Data), Refusal> {
        let version = match version_id.map(Wanted::parse).transpose()? {
            None => self.current(key).ok_or(Refusal::NoSuchKey)?,
            Some(wanted) => {
                self.versions(key).iter().find(|version| wanted.is(version)).ok_or(Refusal::NoSuchVersion)?
            }
        };
        let data = version.data().ok_or_else(|| marker(version, version_id.is_some()))?;
        Ok((version, data))
    }

    /// As [`Bucket::find`], to change what may be changed of a version; with its id as answers show it.
    pub fn find_mut(&mut self, key: &str, version_id: Option<&str>) -> Result<(Option<String>, &mut Data), Refusal> {
        let (version, _) = self.find(key, version_id)?;
        let (sequence, shown) = (version.sequence, self.shown_id(version));
        let versions = self.objects.get_mut(key.as_bytes()).ok_or(Refusal::NoSuchKey)?;
        let found = versions.iter_mut().find(|version| version.sequence == sequence);
        let data = found.and_then(|version| version.data.as_deref_mut()).ok_or(Refusal::NoSuchVersion)?;
        Ok((shown, data))
    }

    /// Refuses a write whose condition does not hold
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
    pub fn check_write(&self, key: &str, condition: &Condition) -> Result<(), Refusal> {
        let current = self.current(key).and_then(Version::data);
        match (condition, current) {
            (Condition::Absent, Some(_)) => Err(Refusal::PreconditionFailed),
            (Condition::Exists | Condition::Matches(_), None) => Err(Refusal::NoSuchKey),
            (Condition::Matches(etag), Some(data)) => matches(data, etag),
            _ => Ok(()),
        }
    }

    /// Refuses a delete whose condition does not hold. Always the current version is looked at
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>).
    pub fn check_delete(&self, key: &str, condition: &Condition) -> Result<(), Refusal> {
        if *condition == Condition::None {
            return Ok(());
        }
        let current = self.current(key).ok_or(Refusal::NoSuchKey)?;
        let data = current.data().ok_or(Refusal::PreconditionFailed)?;
        if let Condition::Matches(etag) = condition { matches(data, etag) } else { Ok(()) }
    }

    /// A version's id as headers show it: not at all in a bucket without versioning.
    pub fn shown_id(&self, version: &Version) -> Option<String> {
        (self.versioning != Versioning::Unversioned).then(|| version.id())
    }

    /// Nothing is left but the bucket itself. Unfinished uploads do not keep a bucket.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    fn current(&self, key: &str) -> Option<&Version> {
        self.versions(key).last()
    }

    fn versions(&self, key: &str) -> &[Version] {
        self.objects.get(key.as_bytes()).map_or(&[], Vec::as_slice)
    }

    fn protect(&self, object: &mut NewObject, now: Timestamp) -> Result<(), Refusal> {
        let Protection { retention, legal_hold } =
            Protection { retention: object.retention, legal_hold: object.legal_hold };
        match self.object_lock {
            None if retention.is_some() || legal_hold.is_some() => Err(Refusal::BucketWithoutObjectLock),
            _ if retention.is_some_and(|retention| retention.until <= now) => Err(Refusal::RetainUntilIsPast),
            lock => {
                let default = lock.and_then(|lock| lock.default).map(|default| default.starting(now));
                object.retention = retention.or(default);
                Ok(())
            }
        }
    }

    /// Puts a version, or without data a delete marker, on top of the key's history.
    fn push(&mut self, key: &str, data: Option<Data>, stamp: Stamp) -> Option<String> {
        let null = self.versioning != Versioning::Enabled;
        let Stamp { sequence, now } = stamp;
        let version = Version { sequence, modified: now.as_second(), null, data: data.map(Box::new) };
        let shown = self.shown_id(&version);
        match self.objects.get_mut(key.as_bytes()) {
            Some(versions) => {
                versions.retain(|version| !(null && version.null));
                versions.push(version);
            }
            None => drop(self.objects.insert(key.into(), vec![version])),
        }
        shown
    }

    fn remove(&mut self, key: &str, unwanted: impl Fn(&Version) -> bool) {
        let Some(versions) = self.objects.get_mut(key.as_bytes()) else { return };
        versions.retain(|version| !unwanted(version));
        if versions.is_empty() {
            self.objects.remove(key.as_bytes());
        }
    }
}

/// Which version an id names.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    Null,
    Sequence(u64),
}

impl Wanted {
    pub fn parse(version_id: &str) -> Result<Self, Refusal> {
        if version_id == "null" {
            return Ok(Self::Null);
        }
        id::sequence(version_id).map(Self::Sequence).ok_or(Refusal::InvalidVersionId)
    }

    pub fn is(self, version: &Version) -> bool {
        match self {
            Self::Null => version.null,
            Self::Sequence(sequence) => !version.null && version.sequence == sequence,
        }
    }
}

/// Refuses a key that is too long.
pub(crate) fn check_key(key: &str) -> Result<(), Refusal> {
    if key.len() > KEY_LENGTH_MAX { Err(Refusal::KeyTooLong) } else { Ok(()) }
}

fn matches(data: &Data, etag: &str) -> Result<(), Refusal> {
    if data.etag.to_string() == etag { Ok(()) } else { Err(Refusal::PreconditionFailed) }
}

fn marker(version: &Version, named: bool) -> Refusal {
    let (version_id, modified) = (version.id(), version.modified());
    if named {
        Refusal::VersionIsDeleteMarker { version_id, modified }
    } else {
        Refusal::CurrentIsDeleteMarker { version_id }
    }
}
