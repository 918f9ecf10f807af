//! The versioned store behind the local S3, and its direct, synchronous access for fixtures and assertions.

mod bucket;
mod id;
mod list;
mod lock;
mod multipart;
mod refusal;
mod version;
mod walk;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

use crate::Now;

pub(crate) use bucket::{Bucket, Condition, ObjectLock, Stamp, check_key};
pub use bucket::{KEY_LENGTH_MAX, Versioning};
pub(crate) use list::{Entry, Marker, Page, UploadEntry};
pub use lock::{DefaultRetention, Mode, Protection, Retention};
pub use multipart::{Part, Upload};
pub use refusal::Refusal;
pub use version::{Data, ETag, Encryption, Headers, NewObject, StorageClass, Tag, Version};
pub use walk::Filter;

/// All buckets. Every call is one atomic step.
pub struct Store {
    state: Mutex<State>,
    key_faults: Mutex<Option<KeyFaults>>,
    now: Now,
    region: String,
    owner: String,
}

/// Asked once for each key of DeleteObjects: the code of the error that it meets in place of being deleted.
pub type KeyFaults = Box<dyn Fn() -> Option<&'static str> + Send>;

struct State {
    buckets: BTreeMap<String, Bucket>,
    sequence: u64,
}

/// One version in an assertion's hands.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// The version id, `null` included.
    pub version_id: String,
    /// Whether it is the current version of its key.
    pub is_latest: bool,
    /// The version itself (its body is shared, not copied).
    pub version: Version,
}

impl Store {
    pub(crate) fn new(now: Now, region: String, owner: String) -> Self {
        let state = Mutex::new(State { buckets: BTreeMap::new(), sequence: 0 });
        Self { state, key_faults: Mutex::default(), now, region, owner }
    }

    /// Makes a bucket of our owner in our region.
    pub fn create_bucket(&self, name: &str, versioning: Versioning) -> Result<(), Refusal> {
        self.add_bucket(name, None, versioning, false)
    }

    /// Makes single keys of DeleteObjects meet errors.
    pub fn set_key_faults(&self, faults: Option<KeyFaults>) {
        *self.key_faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    pub(crate) fn key_fault(&self) -> Option<&'static str> {
        self.key_faults.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|faults| faults())
    }

    /// Sets a bucket's versioning state, even one that S3 would not let it go back to.
    pub fn set_versioning(&self, bucket: &str, versioning: Versioning) -> Result<(), Refusal> {
        self.write(bucket, |bucket, _| {
            bucket.versioning = versioning;
            Ok(())
        })
    }

    /// Enables Object Lock on a bucket.
    pub fn enable_object_lock(&self, bucket: &str, default: Option<DefaultRetention>) -> Result<(), Refusal> {
        self.write(bucket, |bucket, _| {
            bucket.object_lock = Some(ObjectLock { default });
            Ok(())
        })
    }

    /// Gives a bucket to another AWS account.
    pub fn set_owner(&self, bucket: &str, owner: &str) -> Result<(), Refusal> {
        self.write(bucket, |bucket, _| {
            bucket.owner = owner.to_owned();
            Ok(())
        })
    }

    /// The names of all buckets, in order.
    pub fn buckets(&self) -> Vec<String> {
        self.lock().buckets.keys().cloned().collect()
    }

    /// Writes an object and returns its version id (`null` where the bucket is not versioned).
    pub fn put(&self, bucket: &str, key: &str, object: impl Into<NewObject>) -> Result<String, Refusal> {
        let object = object.into();
        let put = |bucket: &mut Bucket, stamp| bucket.put(key, object, &Condition::None, stamp);
        Ok(self.write(bucket, put)?.version_id.unwrap_or_else(|| "null".to_owned()))
    }

    /// Deletes by key, and returns the id of the delete marker if one was made.
    pub fn delete(&self, bucket: &str, key: &str) -> Result<Option<String>, Refusal> {
        self.write(bucket, |bucket, stamp| Ok(bucket.delete(key, stamp).version_id))
    }

    /// Erases one version, whatever protects it.
    pub fn erase(&self, bucket: &str, key: &str, version_id: &str) -> Result<(), Refusal> {
        self.protect(bucket, key, version_id, Protection::default()).or_else(|refusal| match refusal {
            Refusal::NoSuchVersion | Refusal::VersionIsDeleteMarker { .. } => Ok(()),
            refusal => Err(refusal),
        })?;
        self.write(bucket, |bucket, stamp| bucket.erase(key, version_id, true, stamp.now).map(drop))
    }

    /// Sets what protects a version, even to less than before.
    pub fn protect(&self, bucket: &str, key: &str, version_id: &str, protection: Protection) -> Result<(), Refusal> {
        self.write(bucket, |bucket, _| {
            let (_, data) = bucket.find_mut(key, Some(version_id))?;
            if data.protection() != protection {
                data.rare_mut().protection = protection;
            }
            Ok(())
        })
    }

    /// The body of the current version.
    pub fn body(&self, bucket: &str, key: &str) -> Result<Bytes, Refusal> {
        self.read(bucket, |bucket| Ok(bucket.find(key, None)?.1.body.clone()))
    }

    /// All versions and delete markers under a prefix, in the order of ListObjectVersions.
    pub fn versions(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, Refusal> {
        let filter = Filter { prefix, delimiter: None };
        self.read(bucket, |bucket| {
            let page = bucket.list_versions(filter, Marker::default(), usize::MAX)?;
            Ok(page.items.into_iter().filter_map(listed).collect())
        })
    }

    /// How many versions and delete markers there are under a prefix.
    pub fn count(&self, bucket: &str, prefix: &str) -> Result<usize, Refusal> {
        let filter = Filter { prefix, delimiter: None };
        self.read(bucket, |bucket| Ok(bucket.list_versions(filter, Marker::default(), usize::MAX)?.items.len()))
    }

    /// The keys that a plain listing under a prefix shows.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, Refusal> {
        let filter = Filter { prefix, delimiter: None };
        self.read(bucket, |bucket| {
            let page = bucket.list_objects(filter, "", usize::MAX);
            Ok(page.items.into_iter().filter_map(listed).map(|listed| listed.key).collect())
        })
    }

    /// Begins a multipart upload, with one part unless the body is empty, and returns its id.
    pub fn create_upload(&self, bucket: &str, key: &str, part: impl Into<Bytes>) -> Result<String, Refusal> {
        let part = part.into();
        self.write(bucket, |bucket, stamp| {
            let id = bucket.create_upload(key, NewObject::default(), stamp)?;
            if !part.is_empty() {
                bucket.upload_part(key, &id, 1, part, stamp.now)?;
            }
            Ok(id)
        })
    }

    /// Key, upload id and beginning of the unfinished multipart uploads under a prefix.
    pub fn uploads(&self, bucket: &str, prefix: &str) -> Result<Vec<(String, String, Timestamp)>, Refusal> {
        let filter = Filter { prefix, delimiter: None };
        self.read(bucket, |bucket| {
            let page = bucket.list_uploads(filter, Marker::default(), usize::MAX)?;
            let named = |entry| match entry {
                UploadEntry::Upload { key, upload } => Some((str::to_owned(key), upload.id(), upload.initiated)),
                UploadEntry::CommonPrefix(_) => None,
            };
            Ok(page.items.into_iter().filter_map(named).collect())
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn add_bucket(
        &self,
        name: &str,
        region: Option<String>,
        versioning: Versioning,
        object_lock: bool,
    ) -> Result<(), Refusal> {
        let bucket = Bucket {
            created: self.now(),
            region: region.unwrap_or_else(|| self.region.clone()),
            owner: self.owner.clone(),
            versioning,
            object_lock: object_lock.then(ObjectLock::default),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        };
        let mut state = self.lock();
        if state.buckets.contains_key(name) {
            return Err(Refusal::BucketAlreadyOwnedByYou);
        }
        state.buckets.insert(name.to_owned(), bucket);
        Ok(())
    }

    pub(crate) fn remove_bucket(&self, name: &str) -> Result<(), Refusal> {
        let mut state = self.lock();
        if !state.buckets.get(name).ok_or(Refusal::NoSuchBucket)?.is_empty() {
            return Err(Refusal::BucketNotEmpty);
        }
        state.buckets.remove(name);
        Ok(())
    }

    pub(crate) fn read<T>(&self, bucket: &str, look: impl FnOnce(&Bucket) -> Result<T, Refusal>) -> Result<T, Refusal> {
        look(self.lock().buckets.get(bucket).ok_or(Refusal::NoSuchBucket)?)
    }

    pub(crate) fn write<T>(
        &self,
        bucket: &str,
        change: impl FnOnce(&mut Bucket, Stamp) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.write_many(bucket, |bucket, stamp| change(bucket, stamp()))
    }

    /// Several changes in one step, each with a stamp of its own.
    pub(crate) fn write_many<T>(
        &self,
        bucket: &str,
        change: impl FnOnce(&mut Bucket, &mut dyn FnMut() -> Stamp) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let now = self.now();
        let State { buckets, sequence } = &mut *self.lock();
        let mut stamp = || {
            *sequence += 1;
            Stamp { sequence: *sequence, now }
        };
        change(buckets.get_mut(bucket).ok_or(Refusal::NoSuchBucket)?, &mut stamp)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave a change half done: each is one insertion or one removal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listed(entry: Entry<'_>) -> Option<Listed> {
    match entry {
        Entry::Version { key, version, latest: is_latest } => {
            Some(Listed { key: key.to_owned(), version_id: version.id(), is_latest, version: version.clone() })
        }
        Entry::CommonPrefix(_) => None,
    }
}
