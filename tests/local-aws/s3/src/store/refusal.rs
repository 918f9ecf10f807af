//! Why the store refuses.

use jiff::Timestamp;

/// A refusal, in S3's terms; the wire layer gives each its code of
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum Refusal {
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou,
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty,
    #[error("The specified key does not exist.")]
    NoSuchKey,
    #[error("The specified version does not exist.")]
    NoSuchVersion,
    #[error("Invalid version id specified")]
    InvalidVersionId,
    #[error("The specified key does not exist.")]
    CurrentIsDeleteMarker { version_id: String },
    #[error("The specified method is not allowed against this resource.")]
    VersionIsDeleteMarker { version_id: String, modified: Timestamp },
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed,
    #[error("Access Denied because object protected by object lock.")]
    Locked,
    #[error("Bucket is missing Object Lock Configuration")]
    BucketWithoutObjectLock,
    #[error("Object Lock configuration does not exist for this bucket")]
    NoObjectLockConfiguration,
    #[error("The specified object does not have a ObjectLock configuration")]
    NoProtection,
    #[error("An Object Lock configuration needs versioning to be enabled, and versioning cannot then be suspended")]
    ObjectLockNeedsVersioning,
    #[error("The retain until date must be in the future!")]
    RetainUntilIsPast,
    #[error("Your key is too long")]
    KeyTooLong,
    #[error("The operation is not valid for the object's storage class")]
    Archived,
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )]
    NoSuchUpload,
    #[error("Invalid uploadId marker")]
    InvalidUploadIdMarker,
    #[error(
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    )]
    InvalidPart,
    #[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
    InvalidPartOrder,
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    PartTooSmall,
    #[error("Part number must be an integer between 1 and 10000, inclusive")]
    InvalidPartNumber,
}
