//! Identifiers. Each is parsed once, at the edge, and cannot be mistaken for another kind.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A person's account in the product. Not an [`AwsAccountId`].
///
/// It has no `Display`, and `Debug` hides it: personal data never reaches a log by accident.
/// [`AccountId::canonical`] and [`AccountId::spellings`] read it, and are easy to search for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Uuid);

/// Why a text is not an account id. The text itself is not repeated: it may be somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID of 36 characters, such as 123E4567-E89B-42D3-A456-426614174000")]
pub struct NotAnAccountId;

impl AccountId {
    /// Reads a UUID in its hyphenated form of 36 characters, in either letter case.
    pub fn parse(text: &str) -> Result<Self, NotAnAccountId> {
        if text.len() != 36 {
            return Err(NotAnAccountId);
        }
        let uuid = Uuid::try_parse(text).map_err(|_| NotAnAccountId)?;
        if uuid.is_nil() {
            return Err(NotAnAccountId);
        }
        Ok(Self(uuid))
    }

    /// The one form that names records: upper case, as the current app writes keys.
    pub fn canonical(&self) -> String {
        self.0.hyphenated().to_string().to_uppercase()
    }

    /// The spellings under which keys exist: upper case (current app), lower case (v1 apps, sign-in back end).
    /// One spelling if the id has no letters.
    pub fn spellings(&self) -> Vec<String> {
        let (upper, lower) = (self.canonical(), self.0.hyphenated().to_string());
        if upper == lower { vec![upper] } else { vec![upper, lower] }
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountId(…)")
    }
}

impl Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.canonical())
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a random UUID; the caller brings the randomness.
            pub fn new(random: Uuid) -> Self {
                Self(random)
            }

            /// Reads the lower-case or upper-case hyphenated form.
            pub fn parse(text: &str) -> Option<Self> {
                (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

random_id!(
    /// One deletion of one account, from claim to receipt. Says nothing about the person: safe in logs.
    DeletionId
);
random_id!(
    /// One submission of planned deletions to S3 Batch Operations.
    RunId
);
random_id!(
    /// A value used once, written with every conditional write: whoever reads its own nonce back knows
    /// that a write whose answer was lost did happen.
    Nonce
);

/// The twelve digits of an AWS account. Not a person's [`AccountId`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AwsAccountId(String);

impl AwsAccountId {
    /// Reads exactly twelve digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())).then(|| Self(text.to_owned()))
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a general purpose bucket: 3 to 63 of `a-z 0-9 . -`, beginning and ending with a letter or digit
/// (S3 User Guide, "General purpose bucket naming rules").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct BucketName(String);

impl BucketName {
    /// Checks the naming rules.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = text.as_bytes();
        let sound = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|b| inner(*b))
            && edge(bytes.first())
            && edge(bytes.last());
        sound.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! deserialize_parsed {
    ($name:ident, $rule:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom($rule))
            }
        }
    };
}

deserialize_parsed!(AwsAccountId, "an AWS account id has twelve digits");
deserialize_parsed!(BucketName, "a bucket name has 3 to 63 of a-z, 0-9, '.' and '-'");
deserialize_parsed!(JobId, "a job id has 5 to 36 of a-z, A-Z, 0-9, '-' and '_'");

/// The id of an S3 Batch Operations job: 5 to 36 of `[a-zA-Z0-9\-_]` (API reference, DescribeJob).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct JobId(String);

impl JobId {
    /// Checks length and alphabet.
    pub fn parse(text: &str) -> Option<Self> {
        let sound =
            (5..=36).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        sound.then(|| Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPPER: &str = "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9";

    #[test]
    fn both_spellings_are_one_account() {
        let account = AccountId::parse(UPPER).unwrap();
        assert_eq!(account, AccountId::parse(&UPPER.to_lowercase()).unwrap());
        assert_eq!(account.spellings(), [UPPER.to_owned(), UPPER.to_lowercase()]);
    }

    #[test]
    fn anything_but_a_hyphenated_uuid_is_refused() {
        let long = "a".repeat(10_000);
        let braces = format!("{{{UPPER}}}");
        let simple = UPPER.replace('-', "");
        for text in ["", "..", "photos/", &UPPER[..35], &long, &braces, &simple, "2025-10-10"] {
            assert_eq!(AccountId::parse(text), Err(NotAnAccountId), "{text:.40}");
        }
        assert!(AccountId::parse("00000000-0000-0000-0000-000000000000").is_err());
    }

    #[test]
    fn an_account_id_does_not_print() {
        let account = AccountId::parse(UPPER).unwrap();
        assert_eq!(format!("{account:?}"), "AccountId(…)");
    }

    #[test]
    fn bucket_names_follow_the_naming_rules() {
        assert!(BucketName::parse("photolala-dev").is_some());
        for text in ["", "ab", "-ab", "ab-", "A-bucket", "a/b/c", &"a".repeat(64)] {
            assert_eq!(BucketName::parse(text), None, "{text}");
        }
    }
}
