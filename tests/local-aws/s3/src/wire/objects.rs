//! Operations on one object.

use bytes::Bytes;
use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::description::{self, described};
use super::{Wire, values};
use crate::store::{Bucket, Condition, Data, Encryption, Headers, NewObject, Refusal, StorageClass as Class, Version};

pub(crate) fn put(wire: &Wire, input: PutObjectInput, body: Bytes) -> S3Result<PutObjectOutput> {
    values::refuse_unserved(&[("x-amz-write-offset-bytes", input.write_offset_bytes.is_some())])?;
    let object = NewObject { body, ..described!(&input) };
    let (encryption, kms_key) = (object.encryption, object.kms_key.clone());
    let condition = values::write_condition(input.if_match, input.if_none_match)?;
    let written = wire.store.write(&input.bucket, |bucket, stamp| bucket.put(&input.key, object, &condition, stamp))?;
    Ok(PutObjectOutput {
        e_tag: Some(values::etag(written.etag)),
        version_id: written.version_id,
        server_side_encryption: Some(encryption_name(encryption)),
        ssekms_key_id: kms_key,
        checksum_crc32: input.checksum_crc32,
        checksum_crc32c: input.checksum_crc32c,
        checksum_crc64nvme: input.checksum_crc64nvme,
        checksum_sha1: input.checksum_sha1,
        checksum_sha256: input.checksum_sha256,
        ..PutObjectOutput::default()
    })
}

pub(crate) fn get(wire: &Wire, input: GetObjectInput) -> S3Result<GetObjectOutput> {
    values::refuse_unserved(&[
        ("partNumber", input.part_number.is_some()),
        ("x-amz-server-side-encryption-customer-*", input.sse_customer_algorithm.is_some()),
    ])?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let (described, body, tags) = wire.store.read(&input.bucket, |bucket| {
        let (version, data) = bucket.find(&input.key, input.version_id.as_deref())?;
        let readable = if data.storage_class.is_archived() { Err(Refusal::Archived) } else { Ok(data.body.clone()) };
        Ok((describe(bucket, version, data), readable, data.tags().len()))
    })?;
    conditions.check(&described)?;
    let (body, content_range) = part_of(body?, input.range)?;
    let tag_count = (tags > 0).then(|| i32::try_from(tags).unwrap_or(i32::MAX));
    Ok(with_body(described, body, content_range, tag_count))
}

pub(crate) fn head(wire: &Wire, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
    values::refuse_unserved(&[
        ("partNumber", input.part_number.is_some()),
        ("Range on HeadObject", input.range.is_some()),
        ("x-amz-server-side-encryption-customer-*", input.sse_customer_algorithm.is_some()),
    ])?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let described = wire.store.read(&input.bucket, |bucket| {
        let (version, data) = bucket.find(&input.key, input.version_id.as_deref())?;
        Ok(describe(bucket, version, data))
    })?;
    conditions.check(&described)?;
    Ok(described)
}

pub(crate) fn delete(wire: &Wire, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    values::refuse_unserved(&[
        ("x-amz-if-match-last-modified-time", input.if_match_last_modified_time.is_some()),
        ("x-amz-if-match-size", input.if_match_size.is_some()),
    ])?;
    let bypass = input.bypass_governance_retention == Some(true);
    let condition = values::delete_condition(input.if_match);
    let deleted = wire.store.write(&input.bucket, |bucket, stamp| {
        bucket.check_delete(&input.key, &condition)?;
        match &input.version_id {
            None => Ok(bucket.delete(&input.key, stamp)),
            Some(version_id) => bucket.erase(&input.key, version_id, bypass, stamp.now),
        }
    })?;
    Ok(DeleteObjectOutput {
        delete_marker: deleted.delete_marker.then_some(true),
        version_id: deleted.version_id,
        request_charged: None,
    })
}

pub(crate) fn copy(wire: &Wire, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
    values::refuse_unserved(&[
        ("x-amz-copy-source-if-match", input.copy_source_if_match.is_some()),
        ("x-amz-copy-source-if-none-match", input.copy_source_if_none_match.is_some()),
        ("x-amz-copy-source-if-modified-since", input.copy_source_if_modified_since.is_some()),
        ("x-amz-copy-source-if-unmodified-since", input.copy_source_if_unmodified_since.is_some()),
        ("x-amz-copy-source-server-side-encryption-*", input.copy_source_sse_customer_key.is_some()),
        ("x-amz-checksum-algorithm", input.checksum_algorithm.is_some()),
    ])?;
    let new = described!(&input);
    let (source_version, source) = source(wire, &input)?;
    let object = copied(&input, source, new)?;
    let (encryption, kms_key) = (object.encryption, object.kms_key.clone());
    let put = |bucket: &mut Bucket, stamp| bucket.put(&input.key, object, &Condition::None, stamp);
    let written = wire.store.write(&input.bucket, put)?;
    Ok(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: Some(values::etag(written.etag)),
            last_modified: Some(values::timestamp(wire.store.now())),
            ..CopyObjectResult::default()
        }),
        copy_source_version_id: source_version,
        version_id: written.version_id,
        server_side_encryption: Some(encryption_name(encryption)),
        ssekms_key_id: kms_key,
        ..CopyObjectOutput::default()
    })
}

fn source(wire: &Wire, input: &CopyObjectInput) -> S3Result<(Option<String>, NewObject)> {
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Err(s3_error!(NotImplemented, "the local S3 has no access points"));
    };
    wire.check_owner(bucket, input.expected_source_bucket_owner.as_deref())?;
    let itself = *bucket.as_ref() == *input.bucket && *key.as_ref() == *input.key && version_id.is_none();
    let changed = input.metadata_directive.is_some() || input.storage_class.is_some();
    if itself && !(changed || input.server_side_encryption.is_some()) {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
        ));
    }
    Ok(wire.store.read(bucket, |bucket| {
        let (version, data) = bucket.find(key, version_id.as_deref())?;
        if data.storage_class.is_archived() {
            return Err(Refusal::Archived);
        }
        Ok((bucket.shown_id(version), data.to_new_object()))
    })?)
}

/// The source with what the request puts in place of it.
fn copied(input: &CopyObjectInput, source: NewObject, new: NewObject) -> S3Result<NewObject> {
    let replaces = |directive: Option<&str>| match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "Unknown metadata or tagging directive")),
    };
    let mut object = NewObject {
        storage_class: new.storage_class,
        encryption: new.encryption,
        kms_key: new.kms_key.clone(),
        retention: new.retention,
        legal_hold: new.legal_hold,
        ..source
    };
    if replaces(input.tagging_directive.as_ref().map(TaggingDirective::as_str))? {
        object.tags.clone_from(&new.tags);
    }
    if replaces(input.metadata_directive.as_ref().map(MetadataDirective::as_str))? {
        description::replace_description(&mut object, new);
    }
    Ok(object)
}

/// What HEAD says of a version.
fn describe(bucket: &Bucket, version: &Version, data: &Data) -> HeadObjectOutput {
    let rare = data.rare.as_deref();
    let Headers { cache_control, content_disposition, content_encoding, content_language } =
        rare.map(|rare| rare.headers.clone()).unwrap_or_default();
    let protection = data.protection();
    let metadata = rare.map(|rare| &rare.metadata).filter(|metadata| !metadata.is_empty());
    let class = (data.storage_class != Class::Standard).then(|| StorageClass::from_static(data.storage_class.as_str()));
    HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control,
        content_disposition,
        content_encoding,
        content_language,
        content_length: Some(values::size(data.body.len())),
        content_type: Some(data.content_type.as_deref().unwrap_or("binary/octet-stream").to_owned()),
        e_tag: Some(values::etag(data.etag)),
        last_modified: Some(values::timestamp(version.modified())),
        metadata: metadata.map(|metadata| metadata.clone().into_iter().collect()),
        object_lock_legal_hold_status: protection.legal_hold.map(description::legal_hold_status),
        object_lock_mode: protection
            .retention
            .map(|retention| ObjectLockMode::from_static(description::lock_mode_name(retention.mode))),
        object_lock_retain_until_date: protection.retention.map(|retention| values::timestamp(retention.until)),
        ssekms_key_id: rare.and_then(|rare| rare.kms_key.clone()),
        server_side_encryption: Some(encryption_name(data.encryption)),
        storage_class: class,
        version_id: bucket.shown_id(version),
        ..HeadObjectOutput::default()
    }
}

fn with_body(
    described: HeadObjectOutput,
    body: Bytes,
    content_range: Option<String>,
    tag_count: Option<i32>,
) -> GetObjectOutput {
    GetObjectOutput {
        accept_ranges: described.accept_ranges,
        content_length: Some(values::size(body.len())),
        body: Some(StreamingBlob::from(s3s::Body::from(body))),
        cache_control: described.cache_control,
        content_disposition: described.content_disposition,
        content_encoding: described.content_encoding,
        content_language: described.content_language,
        content_range,
        content_type: described.content_type,
        e_tag: described.e_tag,
        last_modified: described.last_modified,
        metadata: described.metadata,
        object_lock_legal_hold_status: described.object_lock_legal_hold_status,
        object_lock_mode: described.object_lock_mode,
        object_lock_retain_until_date: described.object_lock_retain_until_date,
        ssekms_key_id: described.ssekms_key_id,
        server_side_encryption: described.server_side_encryption,
        storage_class: described.storage_class,
        tag_count,
        version_id: described.version_id,
        ..GetObjectOutput::default()
    }
}

fn part_of(body: Bytes, range: Option<Range>) -> S3Result<(Bytes, Option<String>)> {
    let Some(range) = range else { return Ok((body, None)) };
    let length = body.len();
    let wanted = range.check(length as u64)?;
    let bounds = |position: u64| usize::try_from(position).unwrap_or(length);
    let content_range = format!("bytes {}-{}/{length}", wanted.start, wanted.end - 1);
    Ok((body.slice(bounds(wanted.start)..bounds(wanted.end)), Some(content_range)))
}

pub(crate) fn encryption_name(encryption: Encryption) -> ServerSideEncryption {
    ServerSideEncryption::from_static(encryption.as_str())
}

/// The conditions of a read, in the order of precedence of RFC 9110 §13.2.2.
struct Conditions {
    if_match: Option<IfMatch>,
    if_none_match: Option<IfNoneMatch>,
    if_modified_since: Option<IfModifiedSince>,
    if_unmodified_since: Option<IfUnmodifiedSince>,
}

impl Conditions {
    fn check(&self, described: &HeadObjectOutput) -> S3Result<()> {
        let tag_is = |condition: &ETagCondition| condition.is_any() || condition.as_etag() == described.e_tag.as_ref();
        let newer_than =
            |moment: &Timestamp| described.last_modified.as_ref().is_some_and(|modified| modified > moment);
        let holds = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => tag_is(condition),
            (None, Some(moment)) => !newer_than(moment),
            (None, None) => true,
        };
        let changed = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => !tag_is(condition),
            (None, Some(moment)) => newer_than(moment),
            (None, None) => true,
        };
        match (holds, changed) {
            (false, _) => Err(Refusal::PreconditionFailed.into()),
            (true, false) => Err(s3_error!(NotModified)),
            (true, true) => Ok(()),
        }
    }
}
