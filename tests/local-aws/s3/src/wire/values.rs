//! Small values between the store and the wire.

use std::fmt::Write as _;
use std::time::SystemTime;

use http::HeaderValue;
use jiff::fmt::rfc2822::DateTimePrinter;
use s3s::crypto::{Checksum, Sha256};
use s3s::dto::{ETag as WireETag, EncodingType, IfMatch, IfNoneMatch, Initiator, Owner, Timestamp, TimestampFormat};
use s3s::{S3Result, s3_error};

use crate::store::{Condition, ETag};

/// The most items of any page (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).
pub(crate) const PAGE_MAX: i32 = 1_000;

pub(crate) fn timestamp(moment: jiff::Timestamp) -> Timestamp {
    SystemTime::from(moment).into()
}

/// s3s keeps the moment private, but writes it as text.
pub(crate) fn moment(timestamp: &Timestamp) -> S3Result<jiff::Timestamp> {
    let mut text = Vec::new();
    let written = timestamp.format(TimestampFormat::DateTime, &mut text).ok();
    let text = written.and_then(|()| String::from_utf8(text).ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| s3_error!(InvalidArgument, "Invalid date"))
}

/// As the `Date` and `Last-Modified` headers have it.
pub(crate) fn http_date(moment: jiff::Timestamp) -> HeaderValue {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap_or_default();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

pub(crate) fn etag(etag: ETag) -> WireETag {
    WireETag::Strong(etag.to_string())
}

pub(crate) fn size(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The canonical user id of an AWS account: 64 opaque characters.
pub(crate) fn canonical_id(account: &str) -> String {
    Sha256::checksum(account.as_bytes()).iter().fold(String::with_capacity(64), |mut id, byte| {
        let _infallible = write!(id, "{byte:02x}");
        id
    })
}

pub(crate) fn owner(canonical_id: &str) -> Owner {
    Owner { id: Some(canonical_id.to_owned()), display_name: None }
}

pub(crate) fn initiator(canonical_id: &str) -> Initiator {
    Initiator { id: Some(canonical_id.to_owned()), display_name: None }
}

/// Refuses a request that asks for something we do not serve, by name.
pub(crate) fn refuse_unserved(fields: &[(&str, bool)]) -> S3Result<()> {
    match fields.iter().find(|(_, present)| *present) {
        Some((name, _)) => Err(s3_error!(NotImplemented, "the local S3 does not serve {name}")),
        None => Ok(()),
    }
}

/// The condition of a write: `If-None-Match: *`, or `If-Match` with an entity tag.
pub(crate) fn write_condition(if_match: Option<IfMatch>, if_none_match: Option<IfNoneMatch>) -> S3Result<Condition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::None),
        (None, Some(IfNoneMatch::Any)) => Ok(Condition::Absent),
        (Some(IfMatch::ETag(etag)), None) => Ok(Condition::Matches(etag.into_value())),
        _ => Err(s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented")),
    }
}

/// The condition of a delete: `If-Match` with an entity tag or `*`.
pub(crate) fn delete_condition(if_match: Option<IfMatch>) -> Condition {
    match if_match {
        None => Condition::None,
        Some(IfMatch::Any) => Condition::Exists,
        Some(IfMatch::ETag(etag)) => Condition::Matches(etag.into_value()),
    }
}

/// How a listing shows keys: as they are, or percent-encoded (`encoding-type=url`).
#[derive(Clone, Copy)]
pub(crate) struct Encoding {
    url: bool,
}

impl Encoding {
    pub fn parse(encoding_type: Option<&EncodingType>) -> S3Result<Self> {
        match encoding_type.map(EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some(EncodingType::URL) => Ok(Self { url: true }),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
        }
    }

    pub fn shown(self) -> Option<EncodingType> {
        self.url.then(|| EncodingType::from_static(EncodingType::URL))
    }

    pub fn text(self, text: &str) -> String {
        if self.url { url_encoded(text) } else { text.to_owned() }
    }
}

/// S3's form: unreserved characters and `/` stay, a space becomes `+`, all else is percent-encoded UTF-8.
fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => encoded.push(byte.into()),
            b' ' => encoded.push('+'),
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// How many items a page shows (`MaxKeys`), and how many it may hold.
pub(crate) fn page_limit(asked: Option<i32>, page_size: usize) -> S3Result<(i32, usize)> {
    let shown = asked.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let limit = usize::try_from(shown).map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?;
    Ok((shown, limit.min(page_size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_s3_does() {
        assert_eq!(url_encoded("a b+c/d~e_f-g.h"), "a+b%2Bc/d~e_f-g.h");
        assert_eq!(url_encoded("\r\u{1}é(%"), "%0D%01%C3%A9%28%25");
    }

    #[test]
    fn a_moment_survives_the_wire() {
        let start: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(moment(&timestamp(start)).unwrap(), start);
        assert_eq!(http_date(start), "Fri, 02 Jan 2026 03:04:05 GMT");
    }
}
