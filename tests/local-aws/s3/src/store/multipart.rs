//! Multipart uploads: parts gathered under an id until they are completed or aborted.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use s3s::crypto::{Checksum, Md5};

use super::bucket::{Bucket, Condition, Stamp, Written, check_key};
use super::version::{ETag, NewObject};
use super::{Refusal, id};

/// Part numbers (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const PART_NUMBERS: RangeInclusive<i32> = 1..=10_000;
/// Every part but the last has at least 5 MiB (same page).
const PART_SIZE_MIN: usize = 5 * 1024 * 1024;

/// An unfinished multipart upload.
#[derive(Clone, Debug)]
pub struct Upload {
    pub(crate) sequence: u64,
    /// When it was created.
    pub initiated: Timestamp,
    /// Everything of the object but its body.
    pub object: NewObject,
    /// The parts uploaded so far, by number.
    pub parts: BTreeMap<i32, Part>,
}

/// One part of an upload.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its bytes.
    pub body: Bytes,
    /// Its entity tag.
    pub etag: ETag,
    /// When it was uploaded.
    pub modified: Timestamp,
}

impl Upload {
    /// The upload id.
    pub fn id(&self) -> String {
        id::text(self.sequence)
    }
}

impl Bucket {
    /// Begins an upload and returns its id.
    pub fn create_upload(&mut self, key: &str, object: NewObject, stamp: Stamp) -> Result<String, Refusal> {
        check_key(key)?;
        let Stamp { sequence, now } = stamp;
        let initiated = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let upload = Upload { sequence, initiated, object, parts: BTreeMap::new() };
        self.uploads.entry(key.into()).or_default().push(upload);
        Ok(id::text(sequence))
    }

    /// Stores a part; one of the same number is replaced.
    pub fn upload_part(
        &mut self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        now: Timestamp,
    ) -> Result<ETag, Refusal> {
        if !PART_NUMBERS.contains(&number) {
            return Err(Refusal::InvalidPartNumber);
        }
        let etag = ETag { digest: Md5::checksum(&body), parts: 0 };
        let upload = self.uploads.get_mut(key.as_bytes()).into_iter().flatten().find(|upload| upload.id() == upload_id);
        let part = Part { body, etag, modified: now };
        upload.ok_or(Refusal::NoSuchUpload)?.parts.insert(number, part);
        Ok(etag)
    }

    /// Makes an object of the parts chosen (number and entity tag without quotes), in their order.
    pub fn complete_upload(
        &mut self,
        key: &str,
        upload_id: &str,
        chosen: &[(i32, String)],
        condition: &Condition,
        stamp: Stamp,
    ) -> Result<Written, Refusal> {
        let upload = self.upload(key, upload_id)?;
        let parts = choose(upload, chosen)?;
        let digests: Vec<u8> = parts.iter().flat_map(|part| part.etag.digest).collect();
        let etag = ETag { digest: Md5::checksum(&digests), parts: u16::try_from(parts.len()).unwrap_or(u16::MAX) };
        let mut body = BytesMut::new();
        parts.iter().for_each(|part| body.extend_from_slice(&part.body));
        let object = NewObject { body: body.freeze(), ..upload.object.clone() };
        let written = self.put_as(key, object, etag, condition, stamp)?;
        self.abort_upload(key, upload_id)?;
        Ok(written)
    }

    /// Forgets an upload and its parts.
    pub fn abort_upload(&mut self, key: &str, upload_id: &str) -> Result<(), Refusal> {
        self.upload(key, upload_id)?;
        let Some(uploads) = self.uploads.get_mut(key.as_bytes()) else { return Err(Refusal::NoSuchUpload) };
        uploads.retain(|upload| upload.id() != upload_id);
        if uploads.is_empty() {
            self.uploads.remove(key.as_bytes());
        }
        Ok(())
    }

    /// The upload of that key and id.
    pub fn upload(&self, key: &str, upload_id: &str) -> Result<&Upload, Refusal> {
        let mut uploads = self.uploads.get(key.as_bytes()).into_iter().flatten();
        uploads.find(|upload| upload.id() == upload_id).ok_or(Refusal::NoSuchUpload)
    }
}

fn choose<'a>(upload: &'a Upload, chosen: &[(i32, String)]) -> Result<Vec<&'a Part>, Refusal> {
    if !chosen.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(Refusal::InvalidPartOrder);
    }
    let find = |(number, etag): &(i32, String)| upload.parts.get(number).filter(|part| part.etag.to_string() == *etag);
    let parts = chosen.iter().map(find).collect::<Option<Vec<_>>>().ok_or(Refusal::InvalidPart)?;
    let all_but_last = parts.split_last().ok_or(Refusal::InvalidPart)?.1;
    if all_but_last.iter().any(|part| part.body.len() < PART_SIZE_MIN) {
        return Err(Refusal::PartTooSmall);
    }
    Ok(parts)
}
