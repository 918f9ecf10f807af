//! Filling an account.

use domain::mapping::BucketKind;

use crate::layout::{Counts, Layout};
use crate::seed::{SeedError, seed};
use crate::{Account, Photolala};

/// A photo of a person's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// The file's bytes.
    pub body: Vec<u8>,
    /// What the app notes as its original format, such as `JPEG`.
    pub format: String,
}

/// What an account is filled with, laid out as the app does it: photos, thumbnails, catalogs, profile and status in
/// upper case, v1 leftovers in lower case, old versions and markers where the bucket keeps versions, mappings.
#[derive(Clone, Debug)]
pub struct Fixture {
    account: Account,
    versions: usize,
    uploads: usize,
    mappings: bool,
    entry: bool,
    photos: Vec<Photo>,
    bucket: Option<String>,
}

impl Fixture {
    /// Of 24 versions and three mappings, in the first bucket.
    pub fn of(account: &Account) -> Self {
        Self {
            account: account.clone(),
            versions: 24,
            uploads: 0,
            mappings: true,
            entry: false,
            photos: Vec::new(),
            bucket: None,
        }
    }

    /// Exactly so many versions, as ListObjectVersions shows them under the account's prefixes in both spellings:
    /// delete markers count, uploads and mappings do not.
    pub fn versions(self, versions: usize) -> Self {
        Self { versions, ..self }
    }

    /// So many unfinished uploads, in both spellings.
    pub fn uploads(self, uploads: usize) -> Self {
        Self { uploads, ..self }
    }

    /// Without mappings: nobody can sign in to it.
    pub fn without_mappings(self) -> Self {
        Self { mappings: false, ..self }
    }

    /// With a schedule entry, as the app writes it.
    pub fn schedule_entry(self) -> Self {
        Self { entry: true, ..self }
    }

    /// A person's own photos, each with a thumbnail, and what belongs around them; sets aside the number of versions.
    pub fn photos(self, photos: Vec<Photo>) -> Self {
        Self { photos, ..self }
    }

    /// In this bucket, which keeps versions as [`crate::Options::kind`] says.
    pub fn in_bucket(self, bucket: impl Into<String>) -> Self {
        Self { bucket: Some(bucket.into()), ..self }
    }

    /// Writes it all: straight into the S3 in memory, or through the SDK into another. In a suspended bucket
    /// versioning is on while the history is written, so fill one account after the other there.
    pub async fn fill(&self, photolala: &Photolala) -> Result<(), SeedError> {
        photolala.people().add(&self.account);
        let bucket = self.bucket.as_deref().unwrap_or_else(|| photolala.bucket());
        seed(photolala, bucket, &self.layout(photolala.options().kind)).await
    }

    fn layout(&self, kind: BucketKind) -> Layout<'_> {
        let counts = match self.photos.len() {
            0 => Counts::of(self.versions, kind),
            photos => Counts::around(photos, kind),
        };
        Layout {
            account: &self.account,
            counts,
            uploads: self.uploads,
            mappings: self.mappings,
            entry: self.entry,
            photos: &self.photos,
        }
    }
}
