//! Object keys and object versions.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::ids::BucketName;

/// A decoded object key: 1 to 1,024 bytes of UTF-8 (S3 User Guide, "Naming Amazon S3 objects").
/// Keys name people's files, so `Debug` hides them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Takes a key as S3 holds it, already decoded.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether XML 1.0 can carry the key. If not, DeleteObjects cannot name it, and DeleteObject must
    /// (API reference, DeleteObjects; XML 1.0 §2.2 "Char").
    pub fn fits_xml(&self) -> bool {
        self.0.chars().all(|c| match c {
            '\t' | '\n' | '\r' => true,
            '\u{FFFE}' | '\u{FFFF}' => false,
            c => c >= ' ',
        })
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectKey(…)")
    }
}

/// A key as it stands on the wire: percent-encoded, with `+` for a space.
/// S3 answers listings with `encoding-type=url` like this, and hands tasks to Lambda like this.
#[derive(Debug, Clone, Copy)]
pub struct EncodedKey<'a>(pub &'a str);

/// A key on the wire that is not percent-encoded UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the encoded key is not valid UTF-8 once decoded")]
pub struct NotUtf8;

/// Everything but the unreserved characters and `/`.
const OUTSIDE_UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

impl EncodedKey<'_> {
    /// The key it stands for. Decodes exactly once: `+` to a space, then `%XX`.
    ///
    /// ```
    /// # use domain::keys::EncodedKey;
    /// assert_eq!(EncodedKey("a+b%2Bc%2525").decode().unwrap().as_str(), "a b+c%25");
    /// ```
    pub fn decode(self) -> Result<ObjectKey, NotUtf8> {
        let spaced = self.0.replace('+', "%20");
        let key = percent_decode_str(&spaced).decode_utf8().map_err(|_| NotUtf8)?;
        Ok(ObjectKey(key.into_owned()))
    }
}

/// Percent-encodes a manifest cell: every byte outside `A-Z a-z 0-9 - _ . ~ /`, so that no comma, quote,
/// newline or `+` ever stands in the CSV (S3 User Guide, "Creating an S3 Batch Operations job").
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, OUTSIDE_UNRESERVED).to_string()
}

/// The id of one version of an object; [`VersionId::NULL`] in buckets that never kept versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(String);

impl VersionId {
    /// What S3 calls the version of an object written without versioning.
    pub const NULL: &'static str = "null";

    /// Takes an id as S3 gave it. `None` if it is empty, which S3 never sends.
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        (!id.is_empty()).then_some(Self(id))
    }

    /// The null version.
    pub fn null() -> Self {
        Self(Self::NULL.to_owned())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the null version, which a later write without versioning replaces.
    pub fn is_null(&self) -> bool {
        self.0 == Self::NULL
    }
}

/// One version (or delete marker) of one object, as S3 named it: bucket, key and version travel together.
/// There is no setter, and no way to pair a version with another key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectVersion {
    bucket: BucketName,
    key: ObjectKey,
    version: VersionId,
}

impl ObjectVersion {
    /// As listed by S3, or as written on a page.
    pub fn new(bucket: BucketName, key: ObjectKey, version: VersionId) -> Self {
        Self { bucket, key, version }
    }

    /// The bucket.
    pub fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    /// The key.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The version id.
    pub fn version(&self) -> &VersionId {
        &self.version
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_manifest_cell_decodes_to_the_same_key(key in "\\PC{1,40}|[ +%&é\",\n\r\u{1}]{1,20}") {
            let cell = encode(&key);
            prop_assert!(cell.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~/%".contains(&b)));
            let decoded = EncodedKey(&cell).decode().unwrap();
            prop_assert_eq!(decoded.as_str(), key.as_str());
        }
    }

    #[test]
    fn a_key_is_decoded_once() {
        assert_eq!(EncodedKey("%2541").decode().unwrap().as_str(), "%41");
        assert_eq!(EncodedKey("%FF").decode(), Err(NotUtf8));
    }

    #[test]
    fn control_characters_do_not_fit_xml() {
        assert!(ObjectKey::new("a\tb\nc\rd é 𝄞").fits_xml());
        assert!(!ObjectKey::new("a\u{1}b").fits_xml());
        assert!(!ObjectKey::new("a\u{FFFF}b").fits_xml());
    }
}
