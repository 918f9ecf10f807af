//! An account's objects, laid out as the app's data contract has it, one at a time and in a fixed order.

use domain::mapping::BucketKind;
use serde_json::json;

use crate::Account;
use crate::fixture::Photo;
use crate::images;

/// Photos that a catalog lists: more would only make it large.
const CATALOG_ROWS: usize = 1_000;
/// Every so many photos one lies in the archive.
const ARCHIVED_EVERY: usize = 16;
/// The day of the schedule entry.
const ENTRY_DATE: &str = "2026-01-05";

/// One request of a writer.
#[derive(Debug)]
pub(crate) enum Write {
    Put(Object),
    /// By key: where versions are kept, this adds a marker.
    Delete(String),
    /// Begun and never completed.
    Upload(String),
}

impl Write {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Put(object) => &object.key,
            Self::Delete(key) | Self::Upload(key) => key,
        }
    }
}

/// An object to put.
#[derive(Debug)]
pub(crate) struct Object {
    pub key: String,
    pub body: Vec<u8>,
    /// S3's name of the storage class, Standard if none.
    pub class: Option<&'static str>,
    /// `x-amz-meta-original-format`, which the app sets on photos.
    pub format: Option<String>,
}

impl Object {
    fn new(key: String, body: impl Into<Vec<u8>>) -> Self {
        Self { key, body: body.into(), class: None, format: None }
    }

    fn archived(self, archived: bool) -> Self {
        Self { class: archived.then_some("DEEP_ARCHIVE"), ..self }
    }
}

/// How many versions of each sort an account has. They add up to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Status, profile, catalog and its pointer.
    pub papers: usize,
    /// Left by v1 apps, in lower case.
    pub v1: usize,
    /// Old versions, deleted objects and their markers.
    pub old: usize,
    /// Photos and thumbnails, in turns.
    pub pictures: usize,
}

impl Counts {
    /// For exactly so many versions.
    pub fn of(versions: usize, kind: BucketKind) -> Self {
        let papers = versions.min(4);
        let rest = versions - papers;
        let v1 = rest / 20;
        let old = if kind == BucketKind::Unversioned { 0 } else { rest / 10 };
        Self { papers, v1, old, pictures: rest - v1 - old }
    }

    /// For a person's own photos, each with a thumbnail.
    pub fn around(photos: usize, kind: BucketKind) -> Self {
        let old = if kind == BucketKind::Unversioned { 0 } else { photos.min(12) };
        Self { papers: 4, v1: 12, old, pictures: 2 * photos }
    }

    #[cfg(test)]
    fn total(self) -> usize {
        self.papers + self.v1 + self.old + self.pictures
    }
}

/// What an account's objects are made from.
pub(crate) struct Layout<'a> {
    pub account: &'a Account,
    pub counts: Counts,
    pub uploads: usize,
    pub mappings: bool,
    pub entry: bool,
    /// In place of generated ones.
    pub photos: &'a [Photo],
}

impl Layout<'_> {
    /// What was written while versions were kept; a key may come twice, its deletion last.
    pub fn history(&self) -> impl Iterator<Item = Write> {
        let is_kept = self.counts.old > 0;
        let mapping = self.account.mappings().into_iter().take(usize::from(is_kept && self.mappings));
        let mapping = mapping.map(|mapping| Write::Put(Object::new(mapping.key, mapping.body.to_lowercase())));
        (0..self.counts.old).map(|number| self.old(number)).chain(mapping)
    }

    /// What is there today; each key once.
    pub fn present(&self) -> impl Iterator<Item = Write> {
        let papers = self.papers().into_iter().take(self.counts.papers);
        let v1 = (0..self.counts.v1).map(|number| self.v1(number));
        let pictures = (0..self.counts.pictures).map(|number| self.picture(number));
        papers.chain(v1).chain(pictures).chain(self.others()).map(Write::Put).chain(self.begun_uploads())
    }

    /// In turns: an old version of a photo, a photo that was deleted, and its marker.
    fn old(&self, number: usize) -> Write {
        let deleted = || self.photo_object(self.number(NUMBERS_OF_DELETED + number / 3)).key;
        match number % 3 {
            0 => Write::Put(self.picture(number - number % 2)),
            1 => Write::Put(self.photo_object(self.number(NUMBERS_OF_DELETED + number / 3))),
            _ => Write::Delete(deleted()),
        }
    }

    fn papers(&self) -> Vec<Object> {
        let upper = self.account.upper();
        let catalog = self.catalog();
        let digest = images::md5_of(catalog.as_bytes());
        let status = json!({"accountStatus": "active", "lastModified": "2026-01-02T03:04:05Z"});
        let profile = json!({"id": upper, "email": self.account.email(), "appleId": self.account.apple_id(),
            "googleId": self.account.google_id(), "createdAt": "2025-06-07T08:09:10Z"});
        vec![
            Object::new(format!("users/{upper}/status.json"), status.to_string()),
            Object::new(format!("users/{upper}/profile.json"), profile.to_string()),
            Object::new(format!("catalogs/{upper}/.photolala.{digest}.csv"), catalog),
            Object::new(format!("catalogs/{upper}/.photolala.md5"), digest),
        ]
    }

    fn catalog(&self) -> String {
        let header = "photo_head_md5,file_size,photo_md5,photo_date,format\n".to_owned();
        (0..self.counts.pictures.div_ceil(2).min(CATALOG_ROWS)).fold(header, |csv, number| {
            let photo = self.photo(number);
            format!("{csv}{0},{1},{0},2025-06-07T08:09:10Z,JPEG\n", photo.md5, photo.body.len())
        })
    }

    /// In turns: metadata, a photo (v1 put them straight into the archive), a thumbnail.
    fn v1(&self, number: usize) -> Object {
        let lower = self.account.lower();
        let picture = images::photo(self.number(NUMBERS_OF_V1 + number));
        let md5 = &picture.md5;
        match number % 3 {
            0 => Object::new(format!("metadata/{lower}/{md5}.plist"), format!("<plist><string>{md5}</string></plist>")),
            1 => Object::new(format!("users/{lower}/photos/{md5}.jpg"), picture.body).archived(true),
            _ => Object::new(format!("thumbnails/{lower}/{md5}.dat"), picture.body),
        }
    }

    fn picture(&self, number: usize) -> Object {
        let photo = self.photo(number / 2);
        let upper = self.account.upper();
        if number.is_multiple_of(2) {
            let format = self.photos.get(number / 2).map_or("JPEG", |photo| &photo.format).to_owned();
            let object = Object::new(format!("photos/{upper}/{}.dat", photo.md5), photo.body);
            let is_archived = (number / 2) % ARCHIVED_EVERY == ARCHIVED_EVERY - 1;
            return Object { format: Some(format), ..object }.archived(is_archived);
        }
        let thumbnail = images::thumbnail(self.number(number / 2));
        Object::new(format!("thumbnails/{upper}/{}.jpg", photo.md5), thumbnail.body)
    }

    fn photo(&self, number: usize) -> images::Picture {
        match self.photos.get(number) {
            Some(photo) => images::Picture { body: photo.body.clone(), md5: images::md5_of(&photo.body) },
            None => images::photo(self.number(number)),
        }
    }

    fn photo_object(&self, number: u128) -> Object {
        let photo = images::photo(number);
        Object::new(format!("photos/{}/{}.dat", self.account.upper(), photo.md5), photo.body)
    }

    /// Numbers of different accounts do not meet, so neither do their photos.
    fn number(&self, number: usize) -> u128 {
        let account = uuid::Uuid::parse_str(&self.account.upper()).expect("an account id is a UUID");
        account.as_u128().rotate_left(64).wrapping_add(number as u128)
    }

    /// What leads to the account from outside its prefixes.
    fn others(&self) -> Vec<Object> {
        let mappings = self.account.mappings().into_iter().filter(|_| self.mappings);
        let mut others: Vec<Object> = mappings.map(|mapping| Object::new(mapping.key, mapping.body)).collect();
        if self.entry {
            others.push(self.schedule_entry());
        }
        others
    }

    fn schedule_entry(&self) -> Object {
        let upper = self.account.upper();
        let body = json!({"userId": upper, "email": self.account.email(), "appleId": self.account.apple_id(),
            "googleId": self.account.google_id(), "scheduledAt": "2026-01-02T03:04:05Z",
            "deleteOn": format!("{ENTRY_DATE}T03:04:05Z")});
        Object::new(format!("scheduled-deletions/{ENTRY_DATE}/{upper}.json"), body.to_string())
    }

    /// In turns in both spellings.
    fn begun_uploads(&self) -> impl Iterator<Item = Write> {
        (0..self.uploads).map(|number| {
            let md5 = images::photo(self.number(NUMBERS_OF_UPLOADS + number)).md5;
            Write::Upload(match number % 2 {
                0 => format!("photos/{}/{md5}.dat", self.account.upper()),
                _ => format!("users/{}/photos/{md5}.jpg", self.account.lower()),
            })
        })
    }
}

/// Photos are numbered from 0; these begin far behind.
const NUMBERS_OF_V1: usize = 1 << 40;
const NUMBERS_OF_DELETED: usize = 2 << 40;
const NUMBERS_OF_UPLOADS: usize = 3 << 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        for kind in [BucketKind::Unversioned, BucketKind::Versioned, BucketKind::Suspended] {
            for versions in (0..200).chain([999, 1_000, 1_001, 25_000]) {
                assert_eq!(Counts::of(versions, kind).total(), versions);
            }
        }
    }

    #[test]
    fn a_catalog_lists_photos_by_their_md5() {
        let account = Account::seeded(3);
        let counts = Counts::of(50, BucketKind::Unversioned);
        let layout = Layout { account: &account, counts, uploads: 0, mappings: false, entry: false, photos: &[] };
        let catalog = layout.catalog();
        let keys: Vec<String> = (0..counts.pictures).map(|number| layout.picture(number).key).collect();
        let rows: Vec<&str> = catalog.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
        assert_eq!(rows.len(), counts.pictures.div_ceil(2));
        assert!(rows.iter().all(|md5| keys.iter().any(|key| key.contains(md5))));
    }
}
