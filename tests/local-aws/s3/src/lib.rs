//! Amazon S3 in memory: the wire protocol of the `s3s` crate over a versioned store of our own.
//!
//! It serves what a service that erases data needs of S3, as exactly as AWS documents it: versions, delete
//! markers, conditional writes and deletes, listings with real paging, multipart uploads, Object Lock, archive
//! classes. What it does not serve answers `NotImplemented` by name, never an empty success.
//!
//! Not checked: IAM (one key pair may do everything), the age of a signature (the clock can be moved, a client's
//! clock need not follow), the region of a request.

mod address;
mod sdk;
mod store;
mod wire;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result, s3_error};

pub use address::Address;
use address::Addressing;
pub use sdk::{in_process, in_process_or_cut, sdk_client, sdk_config};
pub use store::{
    Data, DefaultRetention, ETag, Encryption, Headers, KEY_LENGTH_MAX, KeyFaults, Listed, Mode, NewObject, Protection,
    Refusal, Retention, StorageClass, Store, Tag, Version, Versioning,
};
use wire::{DeleteObjects, Wire, body, values};

/// The movable clock: `Date`, `LastModified` and retention go by it.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How an [`S3`] is made.
#[derive(Clone)]
pub struct Options {
    /// The clock.
    pub now: Now,
    /// The region of new buckets.
    pub region: String,
    /// The AWS account that owns new buckets: twelve digits.
    pub owner: String,
    /// The one access key id.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Whether requests must be signed (yes). Where client and S3 are one program, as in simulation, a signature tells
    /// nothing; what comes with a request is left unread then, and anybody may ask.
    pub signed: bool,
    /// The most items of any page, 1 to 1,000: fewer forces paging on small buckets.
    pub page_size: usize,
    /// Domains under which a bucket may be a subdomain (`bucket.s3.amazonaws.com`). Path style always works.
    pub virtual_host_domains: Vec<String>,
}

impl Default for Options {
    /// The system's clock, `us-east-1`, AWS account 123456789012, credentials `test`/`test`, full pages.
    fn default() -> Self {
        Self {
            now: Arc::new(Timestamp::now),
            region: "us-east-1".to_owned(),
            owner: "123456789012".to_owned(),
            access_key: "test".to_owned(),
            secret_key: "test".to_owned(),
            signed: true,
            page_size: 1_000,
            virtual_host_domains: Vec::new(),
        }
    }
}

/// An S3. Clones share everything.
#[derive(Clone)]
pub struct S3(Arc<Inner>);

struct Inner {
    options: Options,
    store: Arc<Store>,
    addressing: Arc<Addressing>,
    service: S3Service,
    requests: AtomicU64,
}

impl S3 {
    /// An S3 without buckets.
    pub fn new(options: Options) -> Self {
        let Options { now, region, owner, .. } = &options;
        let store = Arc::new(Store::new(now.clone(), region.clone(), owner.clone()));
        let addressing = Arc::new(Addressing::new(options.virtual_host_domains.clone()));
        let canonical_id = values::canonical_id(owner).into();
        let page_size = options.page_size.clamp(1, 1_000);
        let wire = Wire { store: store.clone(), page_size, signed: options.signed, canonical_id };
        let service = service(&options, wire, &addressing);
        Self(Arc::new(Inner { options, store, addressing, service, requests: AtomicU64::new(0) }))
    }

    /// Direct access to what is stored.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// One HTTP exchange.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (mut parts, body) = request.into_parts();
        if !self.0.options.signed {
            parts.headers.remove(header::AUTHORIZATION);
        }
        let operation = self.operation(&parts);
        let method = parts.method.clone();
        let result = match screen(&mut parts, operation, &body) {
            Ok(()) => self.serve(Request::from_parts(parts, Body::from(body))).await,
            Err(error) => error.to_http_response(),
        };
        let unserializable = |_| Response::new(Body::from(Bytes::new()));
        let response = result.unwrap_or_else(|error| error.to_http_response().unwrap_or_else(unserializable));
        self.finish(&method, operation, response).await
    }

    /// The name of the operation a request asks for (`DeleteObjects`, …); `Unknown` where it is not served.
    pub fn operation(&self, request: &Parts) -> &'static str {
        self.0.addressing.operation(&request.method, &request.uri, &request.headers)
    }

    /// The bucket and key a request is about.
    pub fn address(&self, request: &Parts) -> Address {
        self.0.addressing.address(&request.uri, &request.headers)
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    async fn serve(&self, request: Request<Body>) -> S3Result<Response<Body>> {
        self.0.service.call(request).await.map_err(|_| s3_error!(InternalError, "the answer could not be written"))
    }

    /// Gives an answer what every answer of S3's has.
    async fn finish(&self, method: &Method, operation: &str, response: Response<Body>) -> Response<Bytes> {
        let (mut parts, body) = response.into_parts();
        let request_id = self.request_id();
        let mut body = body::collect(body).await.unwrap_or_default();
        if parts.status.is_client_error() || parts.status.is_server_error() {
            body = with_request_id(&body, &request_id);
        }
        if operation != "GetObject" || !parts.status.is_success() {
            body = legible(body);
        }
        if *method == Method::HEAD || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            body = Bytes::new();
        } else {
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        add_common_headers(&mut parts.headers, self.0.store.now(), &request_id);
        Response::from_parts(parts, body)
    }

    fn request_id(&self) -> String {
        format!("{:016X}", self.0.requests.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

fn service(options: &Options, wire: Wire, addressing: &Arc<Addressing>) -> S3Service {
    let mut config = S3Config::default();
    // The clock can be moved, so a signature has no age.
    config.presigned_url_max_skew_time_secs = u32::MAX;
    let mut builder = S3ServiceBuilder::new(wire.clone());
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(OneKey { id: options.access_key.clone(), secret: options.secret_key.clone().into() });
    builder.set_access(wire.clone());
    builder.set_host(addressing.as_ref().clone());
    builder.set_route(DeleteObjects { wire, addressing: addressing.clone() });
    builder.build()
}

/// The one key pair. (s3s's own answers `NotSignedUp` to an unknown id.)
struct OneKey {
    id: String,
    secret: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.id {
            return Ok(self.secret.clone());
        }
        Err(s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records."))
    }
}

/// Refuses what s3s would take for another operation, and a body that is not what its digests say.
fn screen(parts: &mut Parts, operation: &str, body: &[u8]) -> S3Result<()> {
    if operation == address::UNKNOWN {
        return Err(s3_error!(NotImplemented, "the local S3 does not serve {}", address::described(parts)));
    }
    if operation == "DeleteObjects" && !body::has_digest(&parts.headers) {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(s3_error!(InvalidRequest, "{message}"));
    }
    // The checksum sent with CompleteMultipartUpload is the object's; a chunked body's comes behind it.
    if operation != "CompleteMultipartUpload" && !is_chunked(&parts.headers) {
        body::check_digests(&parts.headers, body)?;
    }
    if let (false, Some(authority)) = (parts.headers.contains_key(header::HOST), parts.uri.authority()) {
        // s3s looks for the bucket in `Host` only.
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| s3_error!(InvalidURI))?;
        parts.headers.insert(header::HOST, host);
    }
    if !body.is_empty() {
        parts.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(body.len()));
    }
    Ok(())
}

fn is_chunked(headers: &HeaderMap) -> bool {
    headers.get("x-amz-content-sha256").is_some_and(|hash| hash.as_bytes().starts_with(b"STREAMING-"))
}

/// s3s writes neither the request id nor the host id into an error, and has no words for a wrong signature.
fn with_request_id(body: &[u8], request_id: &str) -> Bytes {
    const END: &[u8] = b"</Error>";
    const WRONG_SIGNATURE: &[u8] = b"<Code>SignatureDoesNotMatch</Code>";
    let Some(start) = body.strip_suffix(END) else { return Bytes::copy_from_slice(body) };
    let message = if start.ends_with(WRONG_SIGNATURE) {
        "<Message>The request signature we calculated does not match the signature you provided. \
         Check your key and signing method.</Message>"
    } else {
        ""
    };
    let ids = format!("{message}<RequestId>{request_id}</RequestId><HostId>local</HostId>");
    [start, ids.as_bytes(), END].concat().into()
}

/// Writes control characters as references, as S3 does: s3s writes them raw, and a parser would make a line feed
/// of a carriage return. (Other references than `&#13;` are not XML 1.0; that is why `encoding-type=url` exists.)
fn legible(xml: Bytes) -> Bytes {
    let is_raw = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n');
    // Piece by piece without a way out inside, which the compiler makes vector instructions of.
    let has_raw = |piece: &[u8]| piece.iter().fold(false, |found, byte| found | is_raw(byte));
    if !xml.chunks(1_024).any(has_raw) {
        return xml;
    }
    let mut text = String::with_capacity(xml.len() + 64);
    for character in String::from_utf8_lossy(&xml).chars() {
        match u8::try_from(character) {
            Ok(byte) if is_raw(&byte) => drop(write!(text, "&#{byte};")),
            _ => text.push(character),
        }
    }
    text.into()
}

fn add_common_headers(headers: &mut HeaderMap, now: Timestamp, request_id: &str) {
    headers.insert(header::DATE, values::http_date(now));
    headers.insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
    headers.insert("x-amz-id-2", HeaderValue::from_static("local"));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amz-request-id", request_id);
    }
}
