//! DeleteObjects: up to 1,000 object versions erased in one call, each answered for.

use std::collections::HashMap;

use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use domain::keys::{ObjectVersion, VersionId};

use crate::{AwsError, Bucket};

const OPERATION: &str = "DeleteObjects";

/// What S3 said of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAnswer {
    /// Erased, or not there: S3 does not tell these apart.
    Deleted,
    /// An error code.
    Error(String),
    /// Nothing. Silence is not success.
    Missing,
}

/// Erases versions of one bucket. The answers are in the order of the question; S3's order means nothing.
/// An answer about a version nobody asked for, or two about one, is a contradiction.
pub async fn delete_objects(bucket: &Bucket, versions: &[&ObjectVersion]) -> Result<Vec<KeyAnswer>, AwsError> {
    let identifiers = versions.iter().map(|v| {
        let identifier = ObjectIdentifier::builder().key(v.key().as_str()).version_id(v.version().as_str()).build();
        identifier.expect("the key is set")
    });
    let delete = Delete::builder().set_objects(Some(identifiers.collect())).build().expect("objects are set");
    let output = bucket
        .client
        .delete_objects()
        .bucket(bucket.name.as_str())
        .expected_bucket_owner(bucket.owner.as_str())
        .delete(delete)
        .send()
        .await
        .map_err(|e| AwsError::of(OPERATION, &e))?;
    read(versions, output)
}

fn read(versions: &[&ObjectVersion], output: DeleteObjectsOutput) -> Result<Vec<KeyAnswer>, AwsError> {
    let deleted = output.deleted.unwrap_or_default().into_iter().map(|d| {
        // Of an erased delete marker some servers tell the id in the marker's own field only (API reference,
        // DeletedObject: there it is the version that was deleted).
        (d.key, d.version_id.or(d.delete_marker_version_id), KeyAnswer::Deleted)
    });
    let errors = output.errors.unwrap_or_default().into_iter().map(|e| {
        let code = e.code.unwrap_or_else(|| "NoErrorCode".to_owned());
        (e.key, e.version_id, KeyAnswer::Error(code))
    });
    let said = deleted.chain(errors);
    let mut by_name = HashMap::new();
    for (key, version, answer) in said {
        let version = version.filter(|v| !v.is_empty()).unwrap_or_else(|| VersionId::NULL.to_owned());
        if by_name.insert((key.unwrap_or_default(), version), answer).is_some() {
            return Err(AwsError::contradiction(OPERATION, "AnsweredTwice"));
        }
    }
    let name = |v: &ObjectVersion| (v.key().as_str().to_owned(), v.version().as_str().to_owned());
    let answers = versions.iter().map(|v| by_name.remove(&name(v)).unwrap_or(KeyAnswer::Missing)).collect();
    if by_name.is_empty() { Ok(answers) } else { Err(AwsError::contradiction(OPERATION, "AnsweredUnasked")) }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{DeletedObject, Error};
    use domain::ids::BucketName;
    use domain::keys::ObjectKey;

    use super::*;

    fn version(key: &str) -> ObjectVersion {
        let bucket = BucketName::parse("photolala-dev").unwrap();
        ObjectVersion::new(bucket, ObjectKey::new(key), VersionId::new("v1").unwrap())
    }

    fn deleted(key: &str) -> DeletedObject {
        DeletedObject::builder().key(key).version_id("v1").build()
    }

    fn answers(output: DeleteObjectsOutput) -> Result<Vec<KeyAnswer>, String> {
        read(&[&version("a"), &version("b"), &version("c")], output).map_err(|e| e.code)
    }

    #[test]
    fn every_version_is_answered_for_in_the_order_asked() {
        let slow = Error::builder().key("c").version_id("v1").code("SlowDown").build();
        let output = DeleteObjectsOutput::builder().deleted(deleted("a")).errors(slow).build();
        let slow = KeyAnswer::Error("SlowDown".to_owned());
        assert_eq!(answers(output), Ok(vec![KeyAnswer::Deleted, KeyAnswer::Missing, slow]));
    }

    #[test]
    fn an_erased_marker_may_be_named_by_its_own_field() {
        let marker = DeletedObject::builder().key("a").delete_marker(true).delete_marker_version_id("v1").build();
        let output = DeleteObjectsOutput::builder().deleted(marker).build();
        assert_eq!(answers(output), Ok(vec![KeyAnswer::Deleted, KeyAnswer::Missing, KeyAnswer::Missing]));
    }

    #[test]
    fn contradictions_are_errors() {
        let twice = DeleteObjectsOutput::builder().deleted(deleted("a")).deleted(deleted("a")).build();
        assert_eq!(answers(twice), Err("AnsweredTwice".to_owned()));
        let foreign = DeleteObjectsOutput::builder().deleted(deleted("z")).build();
        assert_eq!(answers(foreign), Err("AnsweredUnasked".to_owned()));
    }
}
