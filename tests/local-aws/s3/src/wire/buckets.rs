//! Operations on buckets.

use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::{Wire, description, values};
use crate::store::{DefaultRetention, ObjectLock, Refusal, Versioning};

/// A default retention in years counts days (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>).
const DAYS_A_YEAR: i32 = 365;

/// The region of which a bucket's location is empty, and where creating one's own bucket again succeeds.
const US_EAST_1: &str = "us-east-1";

pub(crate) fn create(wire: &Wire, input: CreateBucketInput) -> S3Result<CreateBucketOutput> {
    values::refuse_unserved(&[
        ("x-amz-grant-*", input.grant_full_control.is_some() || input.grant_read.is_some()),
        ("x-amz-grant-*", input.grant_read_acp.is_some() || input.grant_write.is_some()),
        ("x-amz-grant-*", input.grant_write_acp.is_some()),
    ])?;
    description::check_acl(input.acl.as_ref().map(BucketCannedACL::as_str))?;
    let constraint = input.create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
    let region = constraint.map(|constraint| constraint.as_str().to_owned());
    let object_lock = input.object_lock_enabled_for_bucket == Some(true);
    let versioning = if object_lock { Versioning::Enabled } else { Versioning::Unversioned };
    match wire.store.add_bucket(&input.bucket, region, versioning, object_lock) {
        Err(Refusal::BucketAlreadyOwnedByYou) if wire.store.region() == US_EAST_1 => {}
        result => result?,
    }
    Ok(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) })
}

pub(crate) fn delete(wire: &Wire, input: DeleteBucketInput) -> S3Result<DeleteBucketOutput> {
    wire.store.remove_bucket(&input.bucket)?;
    Ok(DeleteBucketOutput {})
}

pub(crate) fn head(wire: &Wire, input: HeadBucketInput) -> S3Result<HeadBucketOutput> {
    let region = wire.store.read(&input.bucket, |bucket| Ok(bucket.region.clone()))?;
    Ok(HeadBucketOutput { bucket_region: Some(region), ..HeadBucketOutput::default() })
}

pub(crate) fn list(wire: &Wire, input: ListBucketsInput) -> S3Result<ListBucketsOutput> {
    values::refuse_unserved(&[
        ("bucket-region", input.bucket_region.is_some()),
        ("continuation-token", input.continuation_token.is_some()),
        ("max-buckets", input.max_buckets.is_some()),
    ])?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let names = wire.store.buckets().into_iter().filter(|name| name.starts_with(prefix));
    let described = |name: String| {
        let (created, region) = wire.store.read(&name, |bucket| Ok((bucket.created, bucket.region.clone()))).ok()?;
        Some(Bucket { bucket_region: Some(region), creation_date: Some(values::timestamp(created)), name: Some(name) })
    };
    let buckets = names.filter_map(described).collect();
    let owner = Some(values::owner(&wire.canonical_id));
    Ok(ListBucketsOutput { buckets: Some(buckets), owner, prefix: input.prefix, continuation_token: None })
}

pub(crate) fn location(wire: &Wire, input: GetBucketLocationInput) -> S3Result<GetBucketLocationOutput> {
    let region = wire.store.read(&input.bucket, |bucket| Ok(bucket.region.clone()))?;
    let location_constraint = (region != US_EAST_1).then(|| BucketLocationConstraint::from(region));
    Ok(GetBucketLocationOutput { location_constraint })
}

pub(crate) fn get_versioning(wire: &Wire, input: GetBucketVersioningInput) -> S3Result<GetBucketVersioningOutput> {
    let status = match wire.store.read(&input.bucket, |bucket| Ok(bucket.versioning))? {
        Versioning::Unversioned => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    let status = status.map(BucketVersioningStatus::from_static);
    Ok(GetBucketVersioningOutput { mfa_delete: None, status })
}

pub(crate) fn put_versioning(wire: &Wire, input: PutBucketVersioningInput) -> S3Result<PutBucketVersioningOutput> {
    let VersioningConfiguration { mfa_delete, status } = input.versioning_configuration;
    values::refuse_unserved(&[("MfaDelete", mfa_delete.is_some_and(|mfa| mfa.as_str() != MFADelete::DISABLED))])?;
    let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => return Err(s3_error!(MalformedXML, "The versioning status must be Enabled or Suspended")),
    };
    wire.store.write(&input.bucket, |bucket, _| {
        if bucket.object_lock.is_some() && versioning == Versioning::Suspended {
            return Err(Refusal::ObjectLockNeedsVersioning);
        }
        bucket.versioning = versioning;
        Ok(())
    })?;
    Ok(PutBucketVersioningOutput {})
}

/// SSE-S3, as every bucket has it unless it is configured otherwise.
pub(crate) fn encryption(wire: &Wire, input: GetBucketEncryptionInput) -> S3Result<GetBucketEncryptionOutput> {
    wire.store.read(&input.bucket, |_| Ok(()))?;
    let sse_algorithm = ServerSideEncryption::from_static(ServerSideEncryption::AES256);
    let default = ServerSideEncryptionByDefault { kms_master_key_id: None, sse_algorithm };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(default),
        bucket_key_enabled: Some(false),
    };
    let configuration = ServerSideEncryptionConfiguration { rules: vec![rule] };
    Ok(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) })
}

/// No bucket here is replicated.
pub(crate) fn replication(wire: &Wire, input: GetBucketReplicationInput) -> S3Result<GetBucketReplicationOutput> {
    wire.store.read(&input.bucket, |_| Ok(()))?;
    Err(s3_error!(ReplicationConfigurationNotFoundError, "The replication configuration was not found"))
}

pub(crate) fn get_object_lock(
    wire: &Wire,
    input: GetObjectLockConfigurationInput,
) -> S3Result<GetObjectLockConfigurationOutput> {
    let lock = wire.store.read(&input.bucket, |bucket| bucket.object_lock.ok_or(Refusal::NoObjectLockConfiguration))?;
    let configuration = ObjectLockConfiguration {
        object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
        rule: lock.default.map(lock_rule),
    };
    Ok(GetObjectLockConfigurationOutput { object_lock_configuration: Some(configuration) })
}

pub(crate) fn put_object_lock(
    wire: &Wire,
    input: PutObjectLockConfigurationInput,
) -> S3Result<PutObjectLockConfigurationOutput> {
    let malformed = || s3_error!(MalformedXML, "The Object Lock configuration is not complete");
    let configuration = input.object_lock_configuration.ok_or_else(malformed)?;
    if configuration.object_lock_enabled.is_none_or(|enabled| enabled.as_str() != ObjectLockEnabled::ENABLED) {
        return Err(malformed());
    }
    let default = configuration.rule.and_then(|rule| rule.default_retention).map(default_retention).transpose()?;
    wire.store.write(&input.bucket, |bucket, _| {
        if bucket.versioning != Versioning::Enabled {
            return Err(Refusal::ObjectLockNeedsVersioning);
        }
        bucket.object_lock = Some(ObjectLock { default });
        Ok(())
    })?;
    Ok(PutObjectLockConfigurationOutput::default())
}

fn lock_rule(default: DefaultRetention) -> ObjectLockRule {
    let mode = ObjectLockRetentionMode::from_static(description::lock_mode_name(default.mode));
    let default_retention = s3s::dto::DefaultRetention { days: Some(default.days), mode: Some(mode), years: None };
    ObjectLockRule { default_retention: Some(default_retention) }
}

fn default_retention(wire: s3s::dto::DefaultRetention) -> S3Result<DefaultRetention> {
    let malformed = || s3_error!(MalformedXML, "A default retention has a mode, and either days or years");
    let mode = description::lock_mode(wire.mode.ok_or_else(malformed)?.as_str())?;
    let days = match (wire.days, wire.years) {
        (Some(days), None) => days,
        (None, Some(years)) => years * DAYS_A_YEAR,
        _ => return Err(malformed()),
    };
    Ok(DefaultRetention { mode, days })
}
