//! One version of one object, kept small: a million of them have to fit into a test's memory.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::id;
use super::lock::{Protection, Retention};

/// One entry of an object's history: a data version, or a delete marker (no data).
#[derive(Clone, Debug)]
pub struct Version {
    pub(crate) sequence: u64,
    /// Seconds since 1970: S3 keeps `LastModified` to the second.
    pub(crate) modified: i64,
    /// Written while the bucket was not versioned or suspended: its version id reads `null`.
    pub(crate) null: bool,
    pub(crate) data: Option<Box<Data>>,
}

impl Version {
    /// The version id as S3 shows it: `null`, or 32 characters.
    pub fn id(&self) -> String {
        if self.null { "null".to_owned() } else { id::text(self.sequence) }
    }

    /// Whether this is a delete marker.
    pub fn is_delete_marker(&self) -> bool {
        self.data.is_none()
    }

    /// What the version holds; nothing for a delete marker.
    pub fn data(&self) -> Option<&Data> {
        self.data.as_deref()
    }

    /// When it was written.
    pub fn modified(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.modified).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// What a data version holds.
#[derive(Clone, Debug)]
pub struct Data {
    /// The body.
    pub body: Bytes,
    /// The entity tag.
    pub etag: ETag,
    /// The storage class.
    pub storage_class: StorageClass,
    /// The server-side encryption.
    pub encryption: Encryption,
    pub(crate) content_type: Option<Box<str>>,
    pub(crate) rare: Option<Box<Rare>>,
}

/// What few objects have, kept apart so that the others stay small.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rare {
    pub headers: Headers,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<Tag>,
    pub protection: Protection,
    pub kms_key: Option<String>,
}

/// The stored HTTP headers that S3 gives back as they were sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers {
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
}

/// One object tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// The tag's key.
    pub key: String,
    /// The tag's value.
    pub value: String,
}

/// Everything said when an object is written. `NewObject::from(body)` is a plain Standard object.
#[derive(Clone, Debug, Default)]
pub struct NewObject {
    /// The body.
    pub body: Bytes,
    /// The storage class.
    pub storage_class: StorageClass,
    /// The server-side encryption; with a KMS key the entity tag is not the body's MD5.
    pub encryption: Encryption,
    /// The KMS key named by the writer.
    pub kms_key: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// Other stored headers.
    pub headers: Headers,
    /// User metadata, names without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// Object tags, at most ten.
    pub tags: Vec<Tag>,
    /// Object Lock retention.
    pub retention: Option<Retention>,
    /// Object Lock legal hold; `None` is "never set".
    pub legal_hold: Option<bool>,
}

impl<B: Into<Bytes>> From<B> for NewObject {
    fn from(body: B) -> Self {
        Self { body: body.into(), ..Self::default() }
    }
}

impl NewObject {
    /// The stored form, under the entity tag given.
    pub(crate) fn into_data(self, etag: ETag) -> Data {
        let protection = Protection { retention: self.retention, legal_hold: self.legal_hold };
        let Self { headers, metadata, tags, kms_key, .. } = self;
        let rare = Rare { headers, metadata, tags, protection, kms_key };
        Data {
            body: self.body,
            etag,
            storage_class: self.storage_class,
            encryption: self.encryption,
            content_type: self.content_type.map(Into::into),
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        }
    }
}

impl Data {
    /// The object's tags.
    pub fn tags(&self) -> &[Tag] {
        self.rare.as_ref().map_or(&[], |rare| &rare.tags)
    }

    /// The object's Object Lock state.
    pub fn protection(&self) -> Protection {
        self.rare.as_ref().map_or_else(Protection::default, |rare| rare.protection)
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The inverse of [`NewObject::into_data`]: what a copy starts from. Lock and hold are never copied.
    pub(crate) fn to_new_object(&self) -> NewObject {
        let rare = self.rare.as_deref().cloned().unwrap_or_default();
        NewObject {
            body: self.body.clone(),
            storage_class: StorageClass::Standard,
            encryption: Encryption::Aes256,
            kms_key: None,
            content_type: self.content_type.as_deref().map(str::to_owned),
            headers: rare.headers,
            metadata: rare.metadata,
            tags: rare.tags,
            retention: None,
            legal_hold: None,
        }
    }
}

/// An entity tag: a digest, and the number of parts of a multipart upload (0: not multipart).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETag {
    pub(crate) digest: [u8; 16],
    pub(crate) parts: u16,
}

impl fmt::Display for ETag {
    /// Without the quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As one number of 32 digits: sixteen small ones cost a listing a tenth of its time.
        write!(f, "{:032x}", u128::from_be_bytes(self.digest))?;
        if self.parts > 0 { write!(f, "-{}", self.parts) } else { Ok(()) }
    }
}

/// The storage classes of general purpose buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageClass {
    /// `STANDARD`.
    #[default]
    Standard,
    /// `REDUCED_REDUNDANCY`.
    ReducedRedundancy,
    /// `STANDARD_IA`.
    StandardIa,
    /// `ONEZONE_IA`.
    OneZoneIa,
    /// `INTELLIGENT_TIERING`.
    IntelligentTiering,
    /// `GLACIER_IR`: readable at once.
    GlacierIr,
    /// `GLACIER` (Flexible Retrieval): not readable without a restore.
    Glacier,
    /// `DEEP_ARCHIVE`: not readable without a restore.
    DeepArchive,
}

impl StorageClass {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Standard, "STANDARD"),
        (Self::ReducedRedundancy, "REDUCED_REDUNDANCY"),
        (Self::StandardIa, "STANDARD_IA"),
        (Self::OneZoneIa, "ONEZONE_IA"),
        (Self::IntelligentTiering, "INTELLIGENT_TIERING"),
        (Self::GlacierIr, "GLACIER_IR"),
        (Self::Glacier, "GLACIER"),
        (Self::DeepArchive, "DEEP_ARCHIVE"),
    ];

    /// S3's name of the class.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// The class of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(class, _)| *class)
    }

    /// Whether the body cannot be read without a restore.
    pub fn is_archived(self) -> bool {
        matches!(self, Self::Glacier | Self::DeepArchive)
    }
}

/// Server-side encryption. Since January 2023 nothing is stored without
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// SSE-S3, `AES256`.
    #[default]
    Aes256,
    /// SSE-KMS, `aws:kms`.
    Kms,
    /// DSSE-KMS, `aws:kms:dsse`.
    KmsDsse,
}

impl Encryption {
    /// S3's name of the method.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::Kms => "aws:kms",
            Self::KmsDsse => "aws:kms:dsse",
        }
    }

    /// The method of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Aes256, Self::Kms, Self::KmsDsse].into_iter().find(|method| method.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_classes_are_listed_in_their_own_order() {
        for (index, (class, name)) in StorageClass::NAMES.into_iter().enumerate() {
            assert_eq!(class as usize, index);
            assert_eq!(StorageClass::parse(name), Some(class));
        }
    }

    #[test]
    fn a_version_stays_small() {
        assert!(size_of::<Version>() <= 32, "{}", size_of::<Version>());
        assert!(size_of::<Data>() <= 80, "{}", size_of::<Data>());
    }
}
