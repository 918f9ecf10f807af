//! The listings of objects and versions.

use aws_smithy_types::base64;
use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::Wire;
use super::values::{self, Encoding};
use crate::store::{Data, Entry, Filter, Marker as From, Page, Version};

pub(crate) fn objects_v2(wire: &Wire, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    values::refuse_unserved(&[("x-amz-optional-object-attributes", input.optional_object_attributes.is_some())])?;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let (max_keys, limit) = values::page_limit(input.max_keys, wire.page_size)?;
    let after = match &input.continuation_token {
        Some(token) => decode_token(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let owner = (input.fetch_owner == Some(true)).then_some(wire.canonical_id.as_ref());
    let shown = Shown { encoding, owner };
    let prefix = input.prefix.unwrap_or_default();
    let filter = Filter { prefix: &prefix, delimiter: input.delimiter.as_deref() };
    let listed =
        wire.store.read(&input.bucket, |bucket| Ok(shown.objects(bucket.list_objects(filter, &after, limit))))?;
    let key_count = i32::try_from(listed.contents.len() + listed.common_prefixes.len()).unwrap_or(i32::MAX);
    Ok(ListObjectsV2Output {
        next_continuation_token: listed.truncated.then(|| base64::encode(&listed.last)),
        is_truncated: Some(listed.truncated),
        key_count: Some(key_count),
        contents: Some(listed.contents),
        common_prefixes: Some(listed.common_prefixes),
        name: Some(input.bucket),
        prefix: Some(encoding.text(&prefix)),
        delimiter: input.delimiter.map(|delimiter| encoding.text(&delimiter)),
        start_after: input.start_after.map(|key| encoding.text(&key)),
        continuation_token: input.continuation_token,
        encoding_type: encoding.shown(),
        max_keys: Some(max_keys),
        request_charged: None,
    })
}

pub(crate) fn objects(wire: &Wire, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    values::refuse_unserved(&[("x-amz-optional-object-attributes", input.optional_object_attributes.is_some())])?;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let (max_keys, limit) = values::page_limit(input.max_keys, wire.page_size)?;
    let (prefix, marker) = (input.prefix.unwrap_or_default(), input.marker.unwrap_or_default());
    let filter = Filter { prefix: &prefix, delimiter: input.delimiter.as_deref() };
    let shown = Shown { encoding, owner: Some(&wire.canonical_id) };
    let list = |bucket: &crate::store::Bucket| Ok(shown.objects(bucket.list_objects(filter, &marker, limit)));
    let listed = wire.store.read(&input.bucket, list)?;
    // "This element is returned only if you have the delimiter request parameter specified",
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
    let next_marker = (listed.truncated && filter.delimiter.is_some()).then(|| encoding.text(&listed.last));
    Ok(ListObjectsOutput {
        next_marker,
        is_truncated: Some(listed.truncated),
        contents: Some(listed.contents),
        common_prefixes: Some(listed.common_prefixes),
        name: Some(input.bucket),
        prefix: Some(encoding.text(&prefix)),
        marker: Some(encoding.text(&marker)),
        delimiter: input.delimiter.map(|delimiter| encoding.text(&delimiter)),
        encoding_type: encoding.shown(),
        max_keys: Some(max_keys),
        request_charged: None,
    })
}

pub(crate) fn versions(wire: &Wire, input: ListObjectVersionsInput) -> S3Result<ListObjectVersionsOutput> {
    values::refuse_unserved(&[("x-amz-optional-object-attributes", input.optional_object_attributes.is_some())])?;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let (max_keys, limit) = values::page_limit(input.max_keys, wire.page_size)?;
    let (prefix, key) = (input.prefix.unwrap_or_default(), input.key_marker.unwrap_or_default());
    let id = input.version_id_marker.as_deref();
    check_version_marker(&key, id)?;
    let filter = Filter { prefix: &prefix, delimiter: input.delimiter.as_deref() };
    let shown = Shown { encoding, owner: Some(&wire.canonical_id) };
    let list = |bucket: &crate::store::Bucket| {
        Ok(shown.versions(bucket.list_versions(filter, From { key: &key, id }, limit)?))
    };
    let listed = wire.store.read(&input.bucket, list)?;
    Ok(ListObjectVersionsOutput {
        next_key_marker: listed.truncated.then(|| encoding.text(&listed.last)),
        next_version_id_marker: listed.last_version.filter(|_| listed.truncated),
        is_truncated: Some(listed.truncated),
        versions: Some(listed.versions),
        delete_markers: Some(listed.delete_markers),
        common_prefixes: Some(listed.common_prefixes),
        name: Some(input.bucket),
        prefix: Some(encoding.text(&prefix)),
        key_marker: Some(encoding.text(&key)),
        version_id_marker: input.version_id_marker,
        delimiter: input.delimiter.map(|delimiter| encoding.text(&delimiter)),
        encoding_type: encoding.shown(),
        max_keys: Some(max_keys),
        request_charged: None,
    })
}

fn check_version_marker(key: &str, id: Option<&str>) -> S3Result<()> {
    match id {
        Some("") => Err(s3_error!(InvalidArgument, "A version-id marker cannot be empty.")),
        Some(_) if key.is_empty() => {
            Err(s3_error!(InvalidArgument, "A version-id marker cannot be specified without a key marker."))
        }
        _ => Ok(()),
    }
}

fn decode_token(token: &str) -> S3Result<String> {
    let key = base64::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

/// How entries are shown: their keys' encoding, and their owner, if at all.
#[derive(Clone, Copy)]
struct Shown<'a> {
    encoding: Encoding,
    owner: Option<&'a str>,
}

struct Objects {
    contents: Vec<Object>,
    common_prefixes: Vec<CommonPrefix>,
    truncated: bool,
    last: String,
}

struct Versions {
    versions: Vec<ObjectVersion>,
    delete_markers: Vec<DeleteMarkerEntry>,
    common_prefixes: Vec<CommonPrefix>,
    truncated: bool,
    last: String,
    last_version: Option<String>,
}

impl Shown<'_> {
    fn objects(self, page: Page<Entry<'_>>) -> Objects {
        let last = page.items.last().map(name).unwrap_or_default().to_owned();
        let mut objects =
            Objects { contents: Vec::new(), common_prefixes: Vec::new(), truncated: page.truncated, last };
        for entry in page.items {
            match entry {
                Entry::CommonPrefix(common) => objects.common_prefixes.push(self.common_prefix(common)),
                Entry::Version { key, version, .. } => {
                    objects.contents.extend(version.data().map(|data| self.object(key, version, data)));
                }
            }
        }
        objects
    }

    fn versions(self, page: Page<Entry<'_>>) -> Versions {
        let last = page.items.last();
        let mut versions = Versions {
            last: last.map(name).unwrap_or_default().to_owned(),
            last_version: last.and_then(version_id),
            versions: Vec::new(),
            delete_markers: Vec::new(),
            common_prefixes: Vec::new(),
            truncated: page.truncated,
        };
        for entry in page.items {
            match entry {
                Entry::CommonPrefix(common) => versions.common_prefixes.push(self.common_prefix(common)),
                Entry::Version { key, version, latest } => match version.data() {
                    Some(data) => versions.versions.push(self.version(key, version, data, latest)),
                    None => versions.delete_markers.push(self.delete_marker(key, version, latest)),
                },
            }
        }
        versions
    }

    fn object(self, key: &str, version: &Version, data: &Data) -> Object {
        Object {
            key: Some(self.encoding.text(key)),
            last_modified: Some(values::timestamp(version.modified())),
            e_tag: Some(values::etag(data.etag)),
            size: Some(values::size(data.body.len())),
            storage_class: Some(ObjectStorageClass::from_static(data.storage_class.as_str())),
            owner: self.owner.map(values::owner),
            ..Object::default()
        }
    }

    /// The storage class may be another than Standard, though the API reference lists that one only.
    fn version(self, key: &str, version: &Version, data: &Data, latest: bool) -> ObjectVersion {
        ObjectVersion {
            key: Some(self.encoding.text(key)),
            version_id: Some(version.id()),
            is_latest: Some(latest),
            last_modified: Some(values::timestamp(version.modified())),
            e_tag: Some(values::etag(data.etag)),
            size: Some(values::size(data.body.len())),
            storage_class: Some(ObjectVersionStorageClass::from_static(data.storage_class.as_str())),
            owner: self.owner.map(values::owner),
            ..ObjectVersion::default()
        }
    }

    fn delete_marker(self, key: &str, version: &Version, latest: bool) -> DeleteMarkerEntry {
        DeleteMarkerEntry {
            key: Some(self.encoding.text(key)),
            version_id: Some(version.id()),
            is_latest: Some(latest),
            last_modified: Some(values::timestamp(version.modified())),
            owner: self.owner.map(values::owner),
        }
    }

    fn common_prefix(self, common: &str) -> CommonPrefix {
        CommonPrefix { prefix: Some(self.encoding.text(common)) }
    }
}

fn name<'a>(entry: &Entry<'a>) -> &'a str {
    match entry {
        Entry::Version { key, .. } => key,
        Entry::CommonPrefix(common) => common,
    }
}

fn version_id(entry: &Entry<'_>) -> Option<String> {
    match entry {
        Entry::Version { version, .. } => Some(version.id()),
        Entry::CommonPrefix(_) => None,
    }
}
