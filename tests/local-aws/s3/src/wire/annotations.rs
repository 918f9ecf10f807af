//! Tags, retention and legal hold: what may be changed of a version that is there.

use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::{Wire, description, values};
use crate::store::{self, Bucket, Mode, Refusal, Retention};

pub(crate) fn put_tagging(wire: &Wire, input: PutObjectTaggingInput) -> S3Result<PutObjectTaggingOutput> {
    let malformed = || s3_error!(MalformedXML, "A tag has a key and a value");
    let tag = |tag: Tag| match (tag.key, tag.value) {
        (Some(key), Some(value)) => Ok(store::Tag { key, value }),
        _ => Err(malformed()),
    };
    let tags = input.tagging.tag_set.into_iter().map(tag).collect::<S3Result<_>>()?;
    let tags = description::checked_tags(tags)?;
    let version_id = wire.store.write(&input.bucket, |bucket, _| {
        let (shown, data) = bucket.find_mut(&input.key, input.version_id.as_deref())?;
        data.rare_mut().tags = tags;
        Ok(shown)
    })?;
    Ok(PutObjectTaggingOutput { version_id })
}

pub(crate) fn get_tagging(wire: &Wire, input: GetObjectTaggingInput) -> S3Result<GetObjectTaggingOutput> {
    let (version_id, tags) = wire.store.read(&input.bucket, |bucket| {
        let (version, data) = bucket.find(&input.key, input.version_id.as_deref())?;
        Ok((bucket.shown_id(version), data.tags().to_vec()))
    })?;
    let tag_set = tags.into_iter().map(|tag| Tag { key: Some(tag.key), value: Some(tag.value) }).collect();
    Ok(GetObjectTaggingOutput { tag_set, version_id })
}

pub(crate) fn delete_tagging(wire: &Wire, input: DeleteObjectTaggingInput) -> S3Result<DeleteObjectTaggingOutput> {
    let version_id = wire.store.write(&input.bucket, |bucket, _| {
        let (shown, data) = bucket.find_mut(&input.key, input.version_id.as_deref())?;
        data.rare_mut().tags.clear();
        Ok(shown)
    })?;
    Ok(DeleteObjectTaggingOutput { version_id })
}

pub(crate) fn put_retention(wire: &Wire, input: PutObjectRetentionInput) -> S3Result<PutObjectRetentionOutput> {
    let bypass = input.bypass_governance_retention == Some(true);
    let retention = input.retention.map(retention).transpose()?.flatten();
    wire.store.write(&input.bucket, |bucket, stamp| {
        check_locking(bucket)?;
        if retention.is_some_and(|retention| retention.until <= stamp.now) {
            return Err(Refusal::RetainUntilIsPast);
        }
        let (_, data) = bucket.find_mut(&input.key, input.version_id.as_deref())?;
        data.rare_mut().protection.retain(retention, stamp.now, bypass)
    })?;
    Ok(PutObjectRetentionOutput::default())
}

pub(crate) fn get_retention(wire: &Wire, input: GetObjectRetentionInput) -> S3Result<GetObjectRetentionOutput> {
    let retention = wire.store.read(&input.bucket, |bucket| {
        check_locking(bucket)?;
        let (_, data) = bucket.find(&input.key, input.version_id.as_deref())?;
        data.protection().retention.ok_or(Refusal::NoProtection)
    })?;
    let retention = ObjectLockRetention {
        mode: Some(ObjectLockRetentionMode::from_static(description::lock_mode_name(retention.mode))),
        retain_until_date: Some(values::timestamp(retention.until)),
    };
    Ok(GetObjectRetentionOutput { retention: Some(retention) })
}

pub(crate) fn put_legal_hold(wire: &Wire, input: PutObjectLegalHoldInput) -> S3Result<PutObjectLegalHoldOutput> {
    let status = input.legal_hold.and_then(|hold| hold.status);
    let status = status.ok_or_else(|| s3_error!(MalformedXML, "A legal hold has a status"))?;
    let on = description::legal_hold(&status)?;
    wire.store.write(&input.bucket, |bucket, _| {
        check_locking(bucket)?;
        let (_, data) = bucket.find_mut(&input.key, input.version_id.as_deref())?;
        data.rare_mut().protection.legal_hold = Some(on);
        Ok(())
    })?;
    Ok(PutObjectLegalHoldOutput::default())
}

pub(crate) fn get_legal_hold(wire: &Wire, input: GetObjectLegalHoldInput) -> S3Result<GetObjectLegalHoldOutput> {
    let on = wire.store.read(&input.bucket, |bucket| {
        check_locking(bucket)?;
        let (_, data) = bucket.find(&input.key, input.version_id.as_deref())?;
        data.protection().legal_hold.ok_or(Refusal::NoProtection)
    })?;
    let legal_hold = ObjectLockLegalHold { status: Some(description::legal_hold_status(on)) };
    Ok(GetObjectLegalHoldOutput { legal_hold: Some(legal_hold) })
}

fn check_locking(bucket: &Bucket) -> Result<(), Refusal> {
    bucket.object_lock.map(drop).ok_or(Refusal::BucketWithoutObjectLock)
}

/// An empty retention takes the old one away.
fn retention(wire: ObjectLockRetention) -> S3Result<Option<Retention>> {
    match (wire.mode, wire.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => {
            let mode: Mode = description::lock_mode(mode.as_str())?;
            Ok(Some(Retention { mode, until: values::moment(&until)? }))
        }
        _ => Err(s3_error!(MalformedXML, "A retention has a mode and a date")),
    }
}
