//! Multipart uploads.

use bytes::Bytes;
use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::description::described;
use super::values::{self, Encoding};
use super::{Wire, objects};
use crate::store::{self, Filter, Marker as From, StorageClass as Class, UploadEntry};

pub(crate) fn create(wire: &Wire, input: CreateMultipartUploadInput) -> S3Result<CreateMultipartUploadOutput> {
    let object = described!(&input);
    let (encryption, kms_key) = (object.encryption, object.kms_key.clone());
    let create = |bucket: &mut store::Bucket, stamp| bucket.create_upload(&input.key, object, stamp);
    let upload_id = wire.store.write(&input.bucket, create)?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload_id),
        server_side_encryption: Some(objects::encryption_name(encryption)),
        ssekms_key_id: kms_key,
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        ..CreateMultipartUploadOutput::default()
    })
}

pub(crate) fn upload_part(wire: &Wire, input: UploadPartInput, body: Bytes) -> S3Result<UploadPartOutput> {
    values::refuse_unserved(&[("x-amz-server-side-encryption-customer-*", input.sse_customer_algorithm.is_some())])?;
    let etag = wire.store.write(&input.bucket, |bucket, stamp| {
        bucket.upload_part(&input.key, &input.upload_id, input.part_number, body, stamp.now)
    })?;
    Ok(UploadPartOutput {
        e_tag: Some(values::etag(etag)),
        checksum_crc32: input.checksum_crc32,
        checksum_crc32c: input.checksum_crc32c,
        checksum_crc64nvme: input.checksum_crc64nvme,
        checksum_sha1: input.checksum_sha1,
        checksum_sha256: input.checksum_sha256,
        ..UploadPartOutput::default()
    })
}

pub(crate) fn complete(wire: &Wire, input: CompleteMultipartUploadInput) -> S3Result<CompleteMultipartUploadOutput> {
    values::refuse_unserved(&[
        ("x-amz-server-side-encryption-customer-*", input.sse_customer_algorithm.is_some()),
        ("x-amz-mp-object-size", input.mpu_object_size.is_some()),
    ])?;
    let chosen = chosen(input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default())?;
    let condition = values::write_condition(input.if_match, input.if_none_match)?;
    let written = wire.store.write(&input.bucket, |bucket, stamp| {
        bucket.complete_upload(&input.key, &input.upload_id, &chosen, &condition, stamp)
    })?;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(values::etag(written.etag)),
        version_id: written.version_id,
        ..CompleteMultipartUploadOutput::default()
    })
}

pub(crate) fn abort(wire: &Wire, input: AbortMultipartUploadInput) -> S3Result<AbortMultipartUploadOutput> {
    values::refuse_unserved(&[("x-amz-if-match-initiated-time", input.if_match_initiated_time.is_some())])?;
    wire.store.write(&input.bucket, |bucket, _| bucket.abort_upload(&input.key, &input.upload_id))?;
    Ok(AbortMultipartUploadOutput::default())
}

pub(crate) fn list_parts(wire: &Wire, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let (max_parts, limit) = values::page_limit(input.max_parts, wire.page_size)?;
    let after = input.part_number_marker.unwrap_or_default();
    let (parts, class) = wire.store.read(&input.bucket, |bucket| {
        let upload = bucket.upload(&input.key, &input.upload_id)?;
        let parts: Vec<Part> = upload.parts.range(after + 1..).take(limit + 1).map(part).collect();
        Ok((parts, upload.object.storage_class))
    })?;
    let truncated = limit > 0 && parts.len() > limit;
    let parts: Vec<Part> = parts.into_iter().take(limit).collect();
    Ok(ListPartsOutput {
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        parts: Some(parts),
        is_truncated: Some(truncated),
        max_parts: Some(max_parts),
        part_number_marker: Some(after),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        owner: Some(values::owner(&wire.canonical_id)),
        initiator: Some(values::initiator(&wire.canonical_id)),
        storage_class: Some(StorageClass::from_static(class.as_str())),
        ..ListPartsOutput::default()
    })
}

pub(crate) fn list_uploads(wire: &Wire, input: ListMultipartUploadsInput) -> S3Result<ListMultipartUploadsOutput> {
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let (max_uploads, limit) = values::page_limit(input.max_uploads, wire.page_size)?;
    let (prefix, key) = (input.prefix.unwrap_or_default(), input.key_marker.unwrap_or_default());
    // "If key-marker is not specified, the upload-id-marker parameter is ignored",
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
    let id = input.upload_id_marker.as_deref().filter(|id| !key.is_empty() && !id.is_empty());
    let filter = Filter { prefix: &prefix, delimiter: input.delimiter.as_deref() };
    let listed = wire.store.read(&input.bucket, |bucket| {
        let page = bucket.list_uploads(filter, From { key: &key, id }, limit)?;
        Ok(Uploads::of(&page.items, page.truncated, encoding, &wire.canonical_id))
    })?;
    Ok(ListMultipartUploadsOutput {
        uploads: Some(listed.uploads),
        common_prefixes: Some(listed.common_prefixes),
        is_truncated: Some(listed.truncated),
        next_key_marker: listed.last,
        next_upload_id_marker: listed.last_id,
        bucket: Some(input.bucket),
        prefix: Some(encoding.text(&prefix)),
        delimiter: input.delimiter.map(|delimiter| encoding.text(&delimiter)),
        key_marker: Some(encoding.text(&key)),
        upload_id_marker: input.upload_id_marker,
        encoding_type: encoding.shown(),
        max_uploads: Some(max_uploads),
        request_charged: None,
    })
}

struct Uploads {
    uploads: Vec<MultipartUpload>,
    common_prefixes: Vec<CommonPrefix>,
    truncated: bool,
    last: Option<String>,
    last_id: Option<String>,
}

impl Uploads {
    fn of(entries: &[UploadEntry<'_>], truncated: bool, encoding: Encoding, owner: &str) -> Self {
        let (last, last_id) = match entries.last().filter(|_| truncated) {
            Some(UploadEntry::Upload { key, upload }) => (Some(encoding.text(key)), Some(upload.id())),
            Some(UploadEntry::CommonPrefix(common)) => (Some(encoding.text(common)), None),
            None => (None, None),
        };
        let mut listed = Self { uploads: Vec::new(), common_prefixes: Vec::new(), truncated, last, last_id };
        for entry in entries {
            match entry {
                UploadEntry::Upload { key, upload } => listed.uploads.push(shown(encoding.text(key), upload, owner)),
                UploadEntry::CommonPrefix(common) => {
                    listed.common_prefixes.push(CommonPrefix { prefix: Some(encoding.text(common)) });
                }
            }
        }
        listed
    }
}

fn shown(key: String, upload: &store::Upload, owner: &str) -> MultipartUpload {
    let class: Class = upload.object.storage_class;
    MultipartUpload {
        key: Some(key),
        upload_id: Some(upload.id()),
        initiated: Some(values::timestamp(upload.initiated)),
        storage_class: Some(StorageClass::from_static(class.as_str())),
        owner: Some(values::owner(owner)),
        initiator: Some(values::initiator(owner)),
        ..MultipartUpload::default()
    }
}

fn part((number, part): (&i32, &store::Part)) -> Part {
    Part {
        part_number: Some(*number),
        size: Some(values::size(part.body.len())),
        e_tag: Some(values::etag(part.etag)),
        last_modified: Some(values::timestamp(part.modified)),
        ..Part::default()
    }
}

fn chosen(parts: Vec<CompletedPart>) -> S3Result<Vec<(i32, String)>> {
    let malformed = || s3_error!(MalformedXML, "A part has a number and an entity tag");
    if parts.is_empty() {
        return Err(malformed());
    }
    let choice = |part: CompletedPart| Some((part.part_number?, part.e_tag?.into_value()));
    parts.into_iter().map(choice).collect::<Option<_>>().ok_or_else(malformed)
}
