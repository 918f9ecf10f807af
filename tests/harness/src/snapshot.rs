//! Everything in buckets at one moment, and what changed between two.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;
use domain::keys::EncodedKey;
use domain::tally::hex;
use futures::{StreamExt as _, stream};
use local_s3::Store;

use crate::fault::said;

/// Bodies of mappings are read up to this many bytes: an account id with white space around it.
const BODY_MAX: usize = 128;
const READS_IN_FLIGHT: usize = 16;

/// Where something is: a version, a delete marker or an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// Whether it is an unfinished upload.
    pub upload: bool,
    /// The version id or the upload id.
    pub id: String,
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Seen {
    /// Whether it is a delete marker.
    pub marker: bool,
    /// Whether it is what a GET without a version answers.
    pub latest: bool,
    /// ETag without quotes; empty for markers and uploads.
    pub etag: String,
    /// Bytes; 0 for markers and uploads.
    pub size: i64,
    /// Storage class; empty for markers.
    pub class: String,
    /// When it was written or begun, in seconds since 1970.
    pub modified: i64,
    /// The body, of small objects under a mapping prefix.
    pub body: Option<String>,
}

/// All versions, markers and unfinished uploads of some buckets.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Snapshot(pub BTreeMap<Place, Seen>);

/// One difference between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was there and is not.
    Gone(Place, Seen),
    /// It is there and was not.
    New(Place, Seen),
    /// It is still there and differs.
    Changed(Place, Seen, Seen),
}

impl Snapshot {
    /// Lists the buckets whole, and reads small objects under the mapping prefixes. Panics where S3 refuses.
    pub async fn take(s3: &Client, buckets: &[String], mapping_prefixes: &[String]) -> Self {
        let mut all = BTreeMap::new();
        for bucket in buckets {
            versions(s3, bucket, &mut all).await;
            uploads(s3, bucket, &mut all).await;
        }
        read_mappings(s3, mapping_prefixes, &mut all).await;
        Self(all)
    }

    /// The same, straight from the store in memory.
    pub fn of_store(store: &Store, buckets: &[String], mapping_prefixes: &[String]) -> Self {
        let mut all = BTreeMap::new();
        for bucket in buckets {
            let versions = store.versions(bucket, "").expect("the bucket is there");
            all.extend(versions.into_iter().map(|listed| stored(bucket, listed, mapping_prefixes)));
            let uploads = store.uploads(bucket, "").expect("the bucket is there");
            all.extend(uploads.into_iter().map(|(key, id, initiated)| {
                let place = Place { bucket: bucket.clone(), key, upload: true, id };
                (place, Seen { modified: initiated.as_second(), ..Seen::default() })
            }));
        }
        Self(all)
    }

    /// What is different in `later`, in order of bucket and key.
    pub fn changes_to(&self, later: &Self) -> Vec<Change> {
        let gone_or_changed = self.0.iter().filter_map(|(place, seen)| match later.0.get(place) {
            None => Some(Change::Gone(place.clone(), seen.clone())),
            Some(now) if now != seen => Some(Change::Changed(place.clone(), seen.clone(), now.clone())),
            Some(_) => None,
        });
        let new = later.0.iter().filter(|(place, _)| !self.0.contains_key(place));
        let new = new.map(|(place, seen)| Change::New(place.clone(), seen.clone()));
        let mut changes: Vec<Change> = gone_or_changed.chain(new).collect();
        changes.sort_by(|a, b| a.place().cmp(b.place()));
        changes
    }

    /// How many versions and markers lie under a prefix, in all buckets.
    pub fn count(&self, prefix: &str) -> usize {
        self.0.keys().filter(|place| !place.upload && place.key.starts_with(prefix)).count()
    }
}

impl Change {
    /// Where.
    pub fn place(&self) -> &Place {
        match self {
            Self::Gone(place, _) | Self::New(place, _) | Self::Changed(place, ..) => place,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, key, upload, id } = self;
        write!(f, "{bucket}/{key:?} {} {id}", if *upload { "upload" } else { "version" })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(place, seen) => write!(f, "gone: {place} ({seen:?})"),
            Self::New(place, seen) => write!(f, "new: {place} ({seen:?})"),
            Self::Changed(place, then, now) => write!(f, "changed: {place}: {then:?} is now {now:?}"),
        }
    }
}

/// A listing that ends early would hide what it does not show, so every doubt is a panic.
fn stored(bucket: &str, listed: local_s3::Listed, mapping_prefixes: &[String]) -> (Place, Seen) {
    let local_s3::Listed { key, version_id, is_latest, version } = listed;
    let is_mapping = mapping_prefixes.iter().any(|prefix| key.starts_with(prefix));
    let seen = Seen { latest: is_latest, modified: version.modified().as_second(), ..Seen::default() };
    let seen = match version.data() {
        None => Seen { marker: true, ..seen },
        Some(data) => Seen {
            etag: data.etag.to_string().trim_matches('"').to_owned(),
            size: data.body.len().try_into().unwrap_or(i64::MAX),
            class: data.storage_class.as_str().to_owned(),
            body: (is_mapping && data.body.len() <= BODY_MAX).then(|| String::from_utf8_lossy(&data.body).into_owned()),
            ..seen
        },
    };
    (Place { bucket: bucket.to_owned(), key, upload: false, id: version_id }, seen)
}

async fn versions(s3: &Client, bucket: &str, all: &mut BTreeMap<Place, Seen>) {
    let (mut key, mut id) = (None, None);
    loop {
        let list = s3.list_object_versions().bucket(bucket).encoding_type(EncodingType::Url);
        let sent = list.set_key_marker(key).set_version_id_marker(id).send().await;
        let page = sent.unwrap_or_else(|error| panic!("{bucket} cannot be listed: {}", said(&error)));
        for v in page.versions() {
            let seen = Seen {
                latest: v.is_latest.unwrap_or_default(),
                etag: v.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                size: v.size.unwrap_or_default(),
                class: v.storage_class().map_or_else(String::new, |class| class.as_str().to_owned()),
                modified: v.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                ..Seen::default()
            };
            all.insert(place(bucket, v.key(), v.version_id(), false), seen);
        }
        for m in page.delete_markers() {
            let modified = m.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs);
            let seen = Seen { marker: true, latest: m.is_latest.unwrap_or_default(), modified, ..Seen::default() };
            all.insert(place(bucket, m.key(), m.version_id(), false), seen);
        }
        if page.is_truncated != Some(true) {
            return;
        }
        key = Some(decoded(page.next_key_marker()));
        id = page.next_version_id_marker;
    }
}

async fn uploads(s3: &Client, bucket: &str, all: &mut BTreeMap<Place, Seen>) {
    let (mut key, mut id) = (None, None);
    loop {
        let list = s3.list_multipart_uploads().bucket(bucket).encoding_type(EncodingType::Url);
        let sent = list.set_key_marker(key).set_upload_id_marker(id).send().await;
        let page = sent.unwrap_or_else(|error| panic!("uploads of {bucket} cannot be listed: {}", said(&error)));
        for u in page.uploads() {
            let modified = u.initiated().map_or(0, aws_sdk_s3::primitives::DateTime::secs);
            let class = u.storage_class().map_or_else(String::new, |class| class.as_str().to_owned());
            all.insert(place(bucket, u.key(), u.upload_id(), true), Seen { class, modified, ..Seen::default() });
        }
        if page.is_truncated != Some(true) {
            return;
        }
        key = Some(decoded(page.next_key_marker()));
        id = page.next_upload_id_marker;
    }
}

fn place(bucket: &str, key: Option<&str>, id: Option<&str>, upload: bool) -> Place {
    let id = id.expect("a listing names ids").to_owned();
    Place { bucket: bucket.to_owned(), key: decoded(key), upload, id }
}

fn decoded(key: Option<&str>) -> String {
    let key = EncodedKey(key.expect("a listing names keys")).decode();
    key.expect("a listing's keys are UTF-8").as_str().to_owned()
}

async fn read_mappings(s3: &Client, prefixes: &[String], all: &mut BTreeMap<Place, Seen>) {
    let is_small = |(place, seen): &(&Place, &mut Seen)| {
        let is_object = !place.upload && !seen.marker && usize::try_from(seen.size).is_ok_and(|size| size <= BODY_MAX);
        is_object && prefixes.iter().any(|prefix| place.key.starts_with(prefix))
    };
    let small = all.iter_mut().filter(is_small);
    let reads = stream::iter(small).map(async |(place, seen)| seen.body = Some(read(s3, place).await));
    reads.buffer_unordered(READS_IN_FLIGHT).collect::<()>().await;
}

async fn read(s3: &Client, place: &Place) -> String {
    let get = s3.get_object().bucket(&place.bucket).key(&place.key).version_id(&place.id);
    let got = get.send().await.unwrap_or_else(|error| panic!("{place}: {}", said(&error)));
    let body = got.body.collect().await.expect("a body arrives whole").to_vec();
    String::from_utf8(body).unwrap_or_else(|error| hex(error.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(key: &str, id: &str) -> Place {
        Place { bucket: "b".into(), key: key.into(), upload: false, id: id.into() }
    }

    fn seen(size: i64) -> Seen {
        Seen { size, ..Seen::default() }
    }

    #[test]
    fn every_kind_of_change_is_told_in_order() {
        let before =
            Snapshot([(place("a", "1"), seen(1)), (place("c", "1"), seen(1)), (place("d", "1"), seen(1))].into());
        let after =
            Snapshot([(place("b", "1"), seen(1)), (place("c", "1"), seen(2)), (place("d", "1"), seen(1))].into());
        let expected = [
            Change::Gone(place("a", "1"), seen(1)),
            Change::New(place("b", "1"), seen(1)),
            Change::Changed(place("c", "1"), seen(1), seen(2)),
        ];
        assert_eq!(before.changes_to(&after), expected);
        assert_eq!(before.changes_to(&before), []);
    }

    #[test]
    fn two_versions_of_a_key_are_two_places() {
        let before = Snapshot([(place("a", "1"), seen(1)), (place("a", "2"), seen(1))].into());
        let after = Snapshot([(place("a", "2"), seen(1))].into());
        assert_eq!(before.changes_to(&after), [Change::Gone(place("a", "1"), seen(1))]);
        assert_eq!((before.count("a"), before.count("b")), (2, 0));
    }
}
