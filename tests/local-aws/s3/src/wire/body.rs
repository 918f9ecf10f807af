//! Request bodies, and the digests sent with them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>

use aws_smithy_types::base64;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::StreamingBlob;
use s3s::{Body, S3Error, S3Result, TrailingHeaders, s3_error};

use super::errors;

/// A checksum of a body, as its header has it.
type Sum = fn(&[u8]) -> Option<String>;

/// The checksum headers, and how each is computed.
const CHECKSUMS: [(&str, Sum); 5] = [
    ("x-amz-checksum-crc32", |body| sum(ChecksumHasher { crc32: Some(Crc32::new()), ..Default::default() }, body)),
    ("x-amz-checksum-crc32c", |body| sum(ChecksumHasher { crc32c: Some(Crc32c::new()), ..Default::default() }, body)),
    ("x-amz-checksum-crc64nvme", |body| {
        sum(ChecksumHasher { crc64nvme: Some(Crc64Nvme::new()), ..Default::default() }, body)
    }),
    ("x-amz-checksum-sha1", |body| sum(ChecksumHasher { sha1: Some(Sha1::new()), ..Default::default() }, body)),
    ("x-amz-checksum-sha256", |body| sum(ChecksumHasher { sha256: Some(Sha256::new()), ..Default::default() }, body)),
];

/// Reads an object's or a part's body, and checks the digests that came behind it.
pub(crate) async fn receive(blob: Option<StreamingBlob>, trailers: Option<TrailingHeaders>) -> S3Result<Bytes> {
    let Some(blob) = blob else { return Ok(Bytes::new()) };
    let body = collect(Body::from(blob)).await?;
    if let Some(trailers) = trailers.and_then(|trailers| trailers.take()) {
        check_digests(&trailers, &body)?;
    }
    // A copy of its own: a slice would keep the whole buffer that it was received in.
    Ok(Bytes::copy_from_slice(&body))
}

/// Reads a body to its end.
pub(crate) async fn collect(body: Body) -> S3Result<Bytes> {
    body.collect().await.map(|body| body.to_bytes()).map_err(|error| broken(&error.to_string()))
}

/// Refuses a body that is not what `Content-MD5` or a checksum header says.
pub(crate) fn check_digests(headers: &HeaderMap, body: &[u8]) -> S3Result<()> {
    if let Some(sent) = headers.get("content-md5") {
        let digest = sent.to_str().ok().and_then(|text| base64::decode(text).ok());
        match digest {
            Some(digest) if digest.len() == 16 => same("Content-MD5", digest == Md5::checksum(body))?,
            _ => return Err(s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid")),
        }
    }
    for (name, computed) in CHECKSUMS {
        if let Some(sent) = headers.get(name) {
            same(name, computed(body).is_some_and(|computed| sent.as_bytes() == computed.as_bytes()))?;
        }
    }
    Ok(())
}

/// Whether any digest comes with the headers.
pub(crate) fn has_digest(headers: &HeaderMap) -> bool {
    headers.contains_key("content-md5") || CHECKSUMS.iter().any(|(name, _)| headers.contains_key(*name))
}

fn same(name: &str, same: bool) -> S3Result<()> {
    if same {
        return Ok(());
    }
    Err(s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum."))
}

/// s3s's stream errors are private types; their texts tell them apart.
fn broken(error: &str) -> S3Error {
    if error.contains("Sha256Mismatch") {
        errors::bad_request(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    } else if error.contains("SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch, "A chunk's signature does not match")
    } else {
        s3_error!(IncompleteBody, "You did not provide the number of bytes specified")
    }
}

fn sum(mut hasher: ChecksumHasher, body: &[u8]) -> Option<String> {
    hasher.update(body);
    let sums = hasher.finalize();
    let crc = sums.checksum_crc32.or(sums.checksum_crc32c).or(sums.checksum_crc64nvme);
    crc.or(sums.checksum_sha1).or(sums.checksum_sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, value: &str) -> S3Result<()> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        check_digests(&headers, b"hello")
    }

    #[test]
    fn digests_of_hello() {
        let right = [
            ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
            ("x-amz-checksum-crc32", "NhCmhg=="),
            ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
            ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ];
        for (name, value) in right {
            assert!(check(name, value).is_ok(), "{name}");
        }
        for (name, _) in CHECKSUMS {
            assert_eq!(check(name, "AAAA").unwrap_err().code().as_str(), "BadDigest");
        }
        assert_eq!(check("content-md5", "AAAA").unwrap_err().code().as_str(), "InvalidDigest");
        assert_eq!(check("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").unwrap_err().code().as_str(), "BadDigest");
    }
}
