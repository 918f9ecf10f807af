//! Counts, bytes and digests of object versions: what receipts are made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::keys::ObjectVersion;
use crate::look::Listed;

/// Sum modulo 2^256 of the SHA-256 of object versions: the same for the same set in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetDigest([u8; 32]);

impl SetDigest {
    /// Adds one version: the SHA-256 of bucket, key and version id, a zero byte between them.
    pub fn add(&mut self, version: &ObjectVersion) {
        let mut hash = Sha256::new();
        for part in [version.bucket().as_str(), version.key().as_str(), version.version().as_str()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        self.add_bytes(&hash.finalize().into());
    }

    /// Adds another sum.
    pub fn add_digest(&mut self, other: &Self) {
        self.add_bytes(&other.0);
    }

    fn add_bytes(&mut self, other: &[u8; 32]) {
        let mut carry = 0_u16;
        for (a, b) in self.0.iter_mut().zip(other).rev() {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            *a = sum.to_be_bytes()[1];
            carry = sum >> 8;
        }
    }

    /// 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Lower-case hexadecimal digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

impl Serialize for SetDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for SetDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a digest has 64 hexadecimal digits"))
    }
}

/// Counts and bytes of one bucket, prefix template and storage class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// The bucket's name.
    pub bucket: String,
    /// The template, such as `photos/{account}/`: it names no person.
    pub prefix: String,
    /// S3's storage class, or `DELETE_MARKER`.
    pub class: String,
    /// Versions or markers.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What was listed, by bucket, prefix and class, with its digest. Its size depends on the settings alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    groups: BTreeMap<(String, String, String), (u64, u64)>,
    /// Digest of all of it.
    pub digest: SetDigest,
}

impl Tally {
    /// What the class column says of a delete marker.
    pub const MARKER: &'static str = "DELETE_MARKER";

    /// Adds a listed version that lies under the prefix of this template.
    pub fn add(&mut self, listed: &Listed, template: &str) {
        self.digest.add(&listed.version);
        let class = if listed.marker { Self::MARKER } else { &listed.class };
        let bucket = listed.version.bucket().as_str();
        let group = self.groups.entry((bucket.to_owned(), template.to_owned(), class.to_owned())).or_default();
        group.0 += 1;
        group.1 += listed.size;
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: &Self) {
        self.digest.add_digest(&other.digest);
        for (name, (count, bytes)) in &other.groups {
            let group = self.groups.entry(name.clone()).or_default();
            group.0 += count;
            group.1 += bytes;
        }
    }

    /// Versions and markers.
    pub fn count(&self) -> u64 {
        self.groups.values().map(|(count, _)| count).sum()
    }

    /// Delete markers alone.
    pub fn markers(&self) -> u64 {
        self.groups.iter().filter(|((_, _, class), _)| class == Self::MARKER).map(|(_, (count, _))| count).sum()
    }

    /// Bytes.
    pub fn bytes(&self) -> u64 {
        self.groups.values().map(|(_, bytes)| bytes).sum()
    }

    /// The groups as rows, sorted.
    pub fn groups(&self) -> Vec<Group> {
        let row = |((bucket, prefix, class), (count, bytes)): (&(String, String, String), &(u64, u64))| Group {
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            class: class.clone(),
            count: *count,
            bytes: *bytes,
        };
        self.groups.iter().map(row).collect()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TallyWire {
    digest: SetDigest,
    groups: Vec<Group>,
}

impl Serialize for Tally {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TallyWire { digest: self.digest, groups: self.groups() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = TallyWire::deserialize(deserializer)?;
        let groups = wire.groups.into_iter().map(|g| ((g.bucket, g.prefix, g.class), (g.count, g.bytes))).collect();
        Ok(Self { groups, digest: wire.digest })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::BucketName;
    use crate::keys::{ObjectKey, VersionId};

    fn listed(key: &str, size: u64) -> Listed {
        let bucket = BucketName::parse("photolala-dev").unwrap();
        Listed {
            version: ObjectVersion::new(bucket, ObjectKey::new(key), VersionId::new("null").unwrap()),
            marker: size == 0,
            latest: true,
            size,
            class: "STANDARD".to_owned(),
            etag: String::new(),
            modified_ms: 0,
        }
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(keys in proptest::collection::vec("[a-c]{1,2}", 0..20), cut in 0_usize..20) {
            let mut whole = Tally::default();
            keys.iter().rev().for_each(|key| whole.add(&listed(key, 3), "photos/{account}/"));
            let (mut left, mut right) = (Tally::default(), Tally::default());
            for (i, key) in keys.iter().enumerate() {
                let side = if i < cut { &mut left } else { &mut right };
                side.add(&listed(key, 3), "photos/{account}/");
            }
            left.merge(&right);
            prop_assert_eq!(&left, &whole);
            let json = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tally>(&json).unwrap(), whole);
        }
    }

    #[test]
    fn the_digest_carries_over_bytes() {
        let mut sum = SetDigest([0xff; 32]);
        let mut one = [0; 32];
        one[31] = 1;
        sum.add_digest(&SetDigest(one));
        assert_eq!(sum, SetDigest([0; 32]));
    }

    #[test]
    fn markers_are_counted_apart() {
        let mut tally = Tally::default();
        tally.add(&listed("a", 7), "photos/{account}/");
        tally.add(&listed("b", 0), "photos/{account}/");
        assert_eq!((tally.count(), tally.markers(), tally.bytes()), (2, 1, 7));
    }
}
