//! What the headers of a write say about the new object.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use s3s::dto::{ObjectLockLegalHoldStatus, ObjectLockMode, Timestamp};
use s3s::{S3Result, s3_error};

use super::{errors, values};
use crate::store::{Encryption, Headers, Mode, NewObject, Retention, StorageClass, Tag};

/// Limits of <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>.
const TAGS_MAX: usize = 10;
const TAG_KEY_LENGTH_MAX: usize = 128;
const TAG_VALUE_LENGTH_MAX: usize = 256;

/// Reads the fields that PutObject, CopyObject and CreateMultipartUpload have in common into a [`NewObject`]
/// without a body; leaves the function if one is refused. A macro, for the three inputs are three types.
macro_rules! described {
    ($input:expr) => {{
        let input = $input;
        $crate::wire::values::refuse_unserved(&[
            ("x-amz-grant-*", input.grant_full_control.is_some() || input.grant_read.is_some()),
            ("x-amz-grant-*", input.grant_read_acp.is_some() || input.grant_write_acp.is_some()),
            ("Expires", input.expires.is_some()),
            ("x-amz-server-side-encryption-customer-*", input.sse_customer_algorithm.is_some()),
            ("x-amz-server-side-encryption-customer-*", input.sse_customer_key.is_some()),
            ("x-amz-server-side-encryption-context", input.ssekms_encryption_context.is_some()),
            ("x-amz-website-redirect-location", input.website_redirect_location.is_some()),
        ])?;
        $crate::wire::description::check_acl(input.acl.as_ref().map(|acl| acl.as_str()))?;
        $crate::store::NewObject {
            body: bytes::Bytes::new(),
            storage_class: $crate::wire::description::storage_class(
                input.storage_class.as_ref().map(|class| class.as_str()),
            )?,
            encryption: $crate::wire::description::encryption(
                input.server_side_encryption.as_ref().map(|method| method.as_str()),
            )?,
            kms_key: input.ssekms_key_id.clone(),
            content_type: input.content_type.clone(),
            headers: $crate::store::Headers {
                cache_control: input.cache_control.clone(),
                content_disposition: input.content_disposition.clone(),
                content_encoding: $crate::wire::description::content_encoding(input.content_encoding.as_deref()),
                content_language: input.content_language.clone(),
            },
            metadata: input.metadata.clone().unwrap_or_default().into_iter().collect(),
            tags: $crate::wire::description::tags(input.tagging.as_deref().unwrap_or_default())?,
            retention: $crate::wire::description::retention(
                input.object_lock_mode.as_ref(),
                input.object_lock_retain_until_date.as_ref(),
            )?,
            legal_hold: input
                .object_lock_legal_hold_status
                .as_ref()
                .map($crate::wire::description::legal_hold)
                .transpose()?,
        }
    }};
}
pub(crate) use described;

/// Buckets made since April 2023 have no access control lists
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>).
pub(crate) fn check_acl(acl: Option<&str>) -> S3Result<()> {
    match acl {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs")),
    }
}

pub(crate) fn storage_class(name: Option<&str>) -> S3Result<StorageClass> {
    let unknown = || s3_error!(InvalidStorageClass, "The storage class you specified is not valid");
    name.map_or(Ok(StorageClass::Standard), |name| StorageClass::parse(name).ok_or_else(unknown))
}

pub(crate) fn encryption(name: Option<&str>) -> S3Result<Encryption> {
    let unknown = || s3_error!(InvalidArgument, "The encryption method specified is not supported");
    name.map_or(Ok(Encryption::Aes256), |name| Encryption::parse(name).ok_or_else(unknown))
}

/// `aws-chunked` is of the transfer, not of the object, and is not stored.
pub(crate) fn content_encoding(encoding: Option<&str>) -> Option<String> {
    let kept: Vec<_> = encoding?.split(',').map(str::trim).filter(|name| *name != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// The tags of an `x-amz-tagging` header: `key=value&…`, form-encoded.
pub(crate) fn tags(header: &str) -> S3Result<Vec<Tag>> {
    let pairs = header.split('&').filter(|pair| !pair.is_empty());
    let tag = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok(Tag { key: form_decoded(key)?, value: form_decoded(value)? })
    };
    checked_tags(pairs.map(tag).collect::<S3Result<_>>()?)
}

/// Refuses a set of tags that S3 would not take.
pub(crate) fn checked_tags(tags: Vec<Tag>) -> S3Result<Vec<Tag>> {
    if tags.len() > TAGS_MAX {
        return Err(errors::bad_request("BadRequest", "Object tags cannot be greater than 10"));
    }
    let by_key: HashMap<&str, &str> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    let fits = |(key, value): (&&str, &&str)| {
        (1..=TAG_KEY_LENGTH_MAX).contains(&key.chars().count()) && value.chars().count() <= TAG_VALUE_LENGTH_MAX
    };
    if by_key.len() != tags.len() || !by_key.iter().all(fits) {
        return Err(s3_error!(InvalidTag, "The tag provided was not a valid tag"));
    }
    Ok(tags)
}

pub(crate) fn retention(mode: Option<&ObjectLockMode>, until: Option<&Timestamp>) -> S3Result<Option<Retention>> {
    match (mode, until) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => {
            Ok(Some(Retention { mode: lock_mode(mode.as_str())?, until: values::moment(until)? }))
        }
        _ => Err(s3_error!(
            InvalidArgument,
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
        )),
    }
}

pub(crate) fn lock_mode(name: &str) -> S3Result<Mode> {
    match name {
        ObjectLockMode::GOVERNANCE => Ok(Mode::Governance),
        ObjectLockMode::COMPLIANCE => Ok(Mode::Compliance),
        _ => Err(s3_error!(InvalidArgument, "Unknown wormMode directive")),
    }
}

pub(crate) fn lock_mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Governance => ObjectLockMode::GOVERNANCE,
        Mode::Compliance => ObjectLockMode::COMPLIANCE,
    }
}

pub(crate) fn legal_hold(status: &ObjectLockLegalHoldStatus) -> S3Result<bool> {
    match status.as_str() {
        ObjectLockLegalHoldStatus::ON => Ok(true),
        ObjectLockLegalHoldStatus::OFF => Ok(false),
        _ => Err(s3_error!(MalformedXML, "Legal hold must be either of 'ON' or 'OFF'")),
    }
}

pub(crate) fn legal_hold_status(on: bool) -> ObjectLockLegalHoldStatus {
    let name = if on { ObjectLockLegalHoldStatus::ON } else { ObjectLockLegalHoldStatus::OFF };
    ObjectLockLegalHoldStatus::from_static(name)
}

/// The stored headers and metadata that `REPLACE` puts in place of the source's.
pub(crate) fn replace_description(object: &mut NewObject, new: NewObject) {
    let NewObject { content_type, headers, metadata, .. } = new;
    let headers: Headers = headers;
    (object.content_type, object.headers, object.metadata) = (content_type, headers, metadata);
}

fn form_decoded(text: &str) -> S3Result<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Into::into).map_err(|_| s3_error!(InvalidArgument, "The header 'x-amz-tagging' is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tagging_header() {
        let expected = [("a b", "c=d"), ("e", "")];
        let tags = tags("a+b=c%3Dd&e").unwrap();
        assert_eq!(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn refuses_doubled_and_too_many_tags() {
        assert!(tags("a=1&a=2").is_err());
        let many: Vec<String> = (0..=TAGS_MAX).map(|number| format!("k{number}=v")).collect();
        assert!(tags(&many.join("&")).is_err());
        assert!(tags(&many[1..].join("&")).is_ok());
    }

    #[test]
    fn the_transfer_encoding_is_not_stored() {
        assert_eq!(content_encoding(Some("aws-chunked")), None);
        assert_eq!(content_encoding(Some("aws-chunked, gzip")), Some("gzip".to_owned()));
    }
}
