//! Which operation a request asks for, and on what.

use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use percent_encoding::percent_decode_str;
use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// The bucket and key of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The bucket, for all but ListBuckets.
    pub bucket: Option<String>,
    /// The decoded key, for operations on one key.
    pub key: Option<String>,
    /// The prefix asked for, for listings.
    pub prefix: Option<String>,
}

/// The `prefix` of a query.
fn prefix(uri: &Uri) -> Option<String> {
    query(uri).into_iter().find(|(name, _)| name == "prefix").map(|(_, prefix)| prefix)
}

/// What [`Addressing::operation`] says of an operation that is not served.
pub(crate) const UNKNOWN: &str = "Unknown";

/// The domains under which a bucket may be a subdomain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addressing {
    domains: Vec<String>,
}

/// What an operation is on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum On {
    Service,
    Bucket,
    Key,
}

/// How one operation is asked for: its method, what it is on, the query that tells it from others (a name, or
/// `name=value`), a header that does, and the other query names it may have.
struct Operation(&'static str, Method, On, &'static [&'static str], Option<&'static str>, &'static [&'static str]);

const COPY: Option<&str> = Some("x-amz-copy-source");
const OVERRIDES: &[&str] = &[
    "versionId",
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];
const PAGING: &[&str] = &["prefix", "delimiter", "encoding-type", "max-keys", "marker"];
const PAGING_V2: &[&str] =
    &["prefix", "delimiter", "encoding-type", "max-keys", "start-after", "continuation-token", "fetch-owner"];
const VERSION_PAGING: &[&str] =
    &["prefix", "delimiter", "encoding-type", "max-keys", "key-marker", "version-id-marker"];
const UPLOAD_PAGING: &[&str] =
    &["prefix", "delimiter", "encoding-type", "max-uploads", "key-marker", "upload-id-marker"];
const BUCKET_PAGING: &[&str] = &["prefix", "max-buckets", "continuation-token", "bucket-region"];
const VERSION: &[&str] = &["versionId"];

/// The operations served. Any other, among them those that S3 tells apart by a query which nothing here names,
/// must not be taken for one of these: `DELETE /bucket?lifecycle` is not DeleteBucket.
#[rustfmt::skip]
const OPERATIONS: &[Operation] = &[
    Operation("ListBuckets", Method::GET, On::Service, &[], None, BUCKET_PAGING),
    Operation("ListObjectVersions", Method::GET, On::Bucket, &["versions"], None, VERSION_PAGING),
    Operation("ListObjectsV2", Method::GET, On::Bucket, &["list-type=2"], None, PAGING_V2),
    Operation("ListMultipartUploads", Method::GET, On::Bucket, &["uploads"], None, UPLOAD_PAGING),
    Operation("GetBucketVersioning", Method::GET, On::Bucket, &["versioning"], None, &[]),
    Operation("GetBucketLocation", Method::GET, On::Bucket, &["location"], None, &[]),
    Operation("GetBucketEncryption", Method::GET, On::Bucket, &["encryption"], None, &[]),
    Operation("GetBucketReplication", Method::GET, On::Bucket, &["replication"], None, &[]),
    Operation("GetObjectLockConfiguration", Method::GET, On::Bucket, &["object-lock"], None, &[]),
    Operation("ListObjects", Method::GET, On::Bucket, &[], None, PAGING),
    Operation("HeadBucket", Method::HEAD, On::Bucket, &[], None, &[]),
    Operation("DeleteObjects", Method::POST, On::Bucket, &["delete"], None, &[]),
    Operation("PutBucketVersioning", Method::PUT, On::Bucket, &["versioning"], None, &[]),
    Operation("PutObjectLockConfiguration", Method::PUT, On::Bucket, &["object-lock"], None, &[]),
    Operation("CreateBucket", Method::PUT, On::Bucket, &[], None, &[]),
    Operation("DeleteBucket", Method::DELETE, On::Bucket, &[], None, &[]),
    Operation("GetObjectTagging", Method::GET, On::Key, &["tagging"], None, VERSION),
    Operation("GetObjectRetention", Method::GET, On::Key, &["retention"], None, VERSION),
    Operation("GetObjectLegalHold", Method::GET, On::Key, &["legal-hold"], None, VERSION),
    Operation("ListParts", Method::GET, On::Key, &["uploadId"], None, &["max-parts", "part-number-marker"]),
    Operation("GetObject", Method::GET, On::Key, &[], None, OVERRIDES),
    Operation("HeadObject", Method::HEAD, On::Key, &[], None, OVERRIDES),
    Operation("CreateMultipartUpload", Method::POST, On::Key, &["uploads"], None, &[]),
    Operation("CompleteMultipartUpload", Method::POST, On::Key, &["uploadId"], None, &[]),
    Operation("PutObjectTagging", Method::PUT, On::Key, &["tagging"], None, VERSION),
    Operation("PutObjectRetention", Method::PUT, On::Key, &["retention"], None, VERSION),
    Operation("PutObjectLegalHold", Method::PUT, On::Key, &["legal-hold"], None, VERSION),
    Operation("UploadPartCopy", Method::PUT, On::Key, &["partNumber", "uploadId"], COPY, &[]),
    Operation("UploadPart", Method::PUT, On::Key, &["partNumber", "uploadId"], None, &[]),
    Operation("CopyObject", Method::PUT, On::Key, &[], COPY, &[]),
    Operation("PutObject", Method::PUT, On::Key, &[], None, &[]),
    Operation("DeleteObjectTagging", Method::DELETE, On::Key, &["tagging"], None, VERSION),
    Operation("AbortMultipartUpload", Method::DELETE, On::Key, &["uploadId"], None, &[]),
    Operation("DeleteObject", Method::DELETE, On::Key, &[], None, VERSION),
];

impl Addressing {
    pub fn new(domains: Vec<String>) -> Self {
        Self { domains }
    }

    /// The name of the operation asked for, or [`UNKNOWN`].
    pub fn operation(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> &'static str {
        let on = match self.address(uri, headers) {
            Address { bucket: None, .. } => On::Service,
            Address { key: None, .. } => On::Bucket,
            Address { .. } => On::Key,
        };
        let query = query(uri);
        let asked = OPERATIONS.iter().find(|operation| operation.is_asked_for(method, on, &query, headers));
        asked.filter(|operation| operation.knows(&query)).map_or(UNKNOWN, |operation| operation.0)
    }

    /// Bucket and key, path-style or virtual-hosted-style.
    pub fn address(&self, uri: &Uri, headers: &HeaderMap) -> Address {
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(uri.host()).unwrap_or_default();
        let (bucket, key) = match self.bucket_of(host) {
            Some((bucket, _)) => (bucket, path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        Address { bucket: decoded(bucket), key: decoded(key), prefix: prefix(uri) }
    }

    /// The bucket that a host name begins with, and the domain it is under.
    fn bucket_of<'a>(&self, host: &'a str) -> Option<(&'a str, &'a str)> {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let under = |domain: &String| {
            let bucket = name.strip_suffix(domain.as_str())?.strip_suffix('.')?;
            Some((bucket, &name[bucket.len() + 1..]))
        };
        self.domains.iter().find_map(under)
    }
}

impl S3Host for Addressing {
    /// Any host that is under none of the domains is taken for path-style.
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        Ok(match self.bucket_of(host) {
            Some((bucket, domain)) => VirtualHost::new(domain).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

impl Operation {
    fn is_asked_for(&self, method: &Method, on: On, query: &[(String, String)], headers: &HeaderMap) -> bool {
        let Self(_, own_method, own_on, told_by, header, _) = self;
        let told = told_by.iter().all(|wanted| query.iter().any(|pair| is(pair, wanted)));
        let with_header = header.is_none_or(|header| headers.contains_key(header));
        own_method == method && *own_on == on && told && with_header
    }

    /// Whether the request has no query that this operation does not know. Signatures and the SDKs' `x-id` say
    /// nothing of the operation.
    fn knows(&self, query: &[(String, String)]) -> bool {
        let Self(_, _, _, told_by, _, others) = self;
        query.iter().all(|pair| {
            let name = pair.0.as_str();
            told_by.iter().any(|wanted| is(pair, wanted))
                || others.contains(&name)
                || name == "x-id"
                || name.starts_with("X-Amz-")
        })
    }
}

fn is(pair: &(String, String), wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((name, value)) => pair.0 == name && pair.1 == value,
        None => pair.0 == wanted,
    }
}

fn query(uri: &Uri) -> Vec<(String, String)> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// What a request is called in a message.
pub(crate) fn described(parts: &Parts) -> String {
    let names: Vec<String> = query(&parts.uri).into_iter().map(|(name, _)| name).collect();
    format!("{} with query [{}]", parts.method, names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: Method, uri: &str) -> &'static str {
        Addressing::default().operation(&method, &uri.parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn names_operations() {
        assert_eq!(operation(Method::GET, "/"), "ListBuckets");
        assert_eq!(operation(Method::GET, "/b?list-type=2&prefix=a%2Fb"), "ListObjectsV2");
        assert_eq!(operation(Method::GET, "/b/?versions&key-marker=k"), "ListObjectVersions");
        assert_eq!(operation(Method::POST, "/b/?delete"), "DeleteObjects");
        assert_eq!(operation(Method::DELETE, "/b/k?versionId=null&x-id=DeleteObject"), "DeleteObject");
        assert_eq!(operation(Method::PUT, "/b/k?partNumber=1&uploadId=u"), "UploadPart");
    }

    #[test]
    fn an_unknown_query_is_not_passed_over() {
        assert_eq!(operation(Method::DELETE, "/b?lifecycle"), UNKNOWN);
        assert_eq!(operation(Method::DELETE, "/b?metadataConfiguration"), UNKNOWN);
        assert_eq!(operation(Method::PUT, "/b/k?acl"), UNKNOWN);
        assert_eq!(operation(Method::GET, "/b?list-type=3"), UNKNOWN);
    }

    #[test]
    fn finds_bucket_and_key_in_both_styles() {
        let addressing = Addressing::new(vec!["s3.amazonaws.com".into(), "localhost".into()]);
        let address = |host: &str, uri: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            let Address { bucket, key, .. } = addressing.address(&uri.parse().unwrap(), &headers);
            (bucket.unwrap_or_default(), key.unwrap_or_default())
        };
        let expected = ("b".to_owned(), "a//./../k +".to_owned());
        assert_eq!(address("127.0.0.1:4566", "/b/a//./../k%20%2B"), expected);
        assert_eq!(address("b.s3.amazonaws.com", "/a//./../k%20%2B"), expected);
        assert_eq!(address("b.localhost:4566", "/a//./../k%20%2B"), expected);
        assert_eq!(address("b.localhost", "//a").1, "/a");
        assert_eq!(address("localhost:4566", "/b/").0, "b");
    }
}
