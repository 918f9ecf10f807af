//! DeleteObjects, read and answered here rather than by s3s: s3s refuses the entity tag `*`, and keeps raw
//! carriage returns that an XML parser makes line feeds of.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};
use s3s::dto::{DeleteObjectsOutput, DeletedObject, Error};
use s3s::route::S3Route;
use s3s::xml::{DeError, DeResult, Deserialize, Deserializer, Serialize, Serializer};
use s3s::{Body, S3Request, S3Response, S3Result, s3_error};

use super::{Wire, body, errors};
use crate::address::Addressing;
use crate::store::{Bucket, Condition, Refusal, Stamp};

/// The most keys of one request.
const KEYS_MAX: usize = 1_000;

/// Takes `POST /bucket?delete` from s3s, after s3s has checked the signature.
pub(crate) struct DeleteObjects {
    pub wire: Wire,
    pub addressing: Arc<Addressing>,
}

#[async_trait::async_trait]
impl S3Route for DeleteObjects {
    fn is_match(&self, method: &Method, uri: &Uri, headers: &HeaderMap, _: &mut http::Extensions) -> bool {
        self.addressing.operation(method, uri, headers) == "DeleteObjects"
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let address = self.addressing.address(&request.uri, &request.headers);
        self.wire.check_access(request.credentials.as_ref(), &request.headers, address.bucket.as_deref())
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let bucket = self.addressing.address(&request.uri, &request.headers).bucket.unwrap_or_default();
        let bypass = request.headers.get("x-amz-bypass-governance-retention").is_some_and(|value| value == "true");
        let body = body::collect(request.input).await?;
        let asked = parse(&body)?;
        let output = delete(&self.wire, &bucket, &asked, bypass)?;
        let mut response = S3Response::new(Body::from(written(&output)?));
        response.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
        Ok(response)
    }
}

#[derive(Debug, Default, PartialEq)]
struct Asked {
    objects: Vec<Identifier>,
    quiet: bool,
}

#[derive(Debug, Default, PartialEq)]
struct Identifier {
    key: Option<String>,
    version_id: Option<String>,
    etag: Option<String>,
}

fn delete(wire: &Wire, bucket: &str, asked: &Asked, bypass: bool) -> S3Result<DeleteObjectsOutput> {
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    wire.store.write_many(bucket, |bucket, stamp| {
        for object in &asked.objects {
            if let Some(code) = wire.store.key_fault() {
                errors.push(fault(object, code));
                continue;
            }
            match delete_one(bucket, object, bypass, stamp()) {
                Ok(_) if asked.quiet => {}
                Ok(done) => deleted.push(done),
                Err(refusal) => errors.push(error(object, &refusal)),
            }
        }
        Ok(())
    })?;
    Ok(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), request_charged: None })
}

fn delete_one(bucket: &mut Bucket, object: &Identifier, bypass: bool, stamp: Stamp) -> Result<DeletedObject, Refusal> {
    let key = object.key.as_deref().unwrap_or_default();
    crate::store::check_key(key)?;
    bucket.check_delete(key, &condition(object.etag.as_deref()))?;
    let deleted = match &object.version_id {
        None => bucket.delete(key, stamp),
        // A malformed id is an error of its key here, where DeleteObject answers InvalidArgument.
        Some(id) => bucket.erase(key, id, bypass, stamp.now).map_err(|refusal| match refusal {
            Refusal::InvalidVersionId => Refusal::NoSuchVersion,
            refusal => refusal,
        })?,
    };
    Ok(DeletedObject {
        key: object.key.clone(),
        version_id: object.version_id.clone(),
        delete_marker: deleted.delete_marker.then_some(true),
        delete_marker_version_id: deleted.version_id.filter(|_| deleted.delete_marker),
    })
}

fn condition(etag: Option<&str>) -> Condition {
    match etag {
        None => Condition::None,
        Some("*") => Condition::Exists,
        Some(etag) => Condition::Matches(etag.trim_matches('"').to_owned()),
    }
}

fn error(object: &Identifier, refusal: &Refusal) -> Error {
    Error {
        code: Some(errors::code(refusal).as_str().to_owned()),
        key: object.key.clone(),
        message: Some(refusal.to_string()),
        version_id: object.version_id.clone(),
    }
}

fn fault(object: &Identifier, code: &str) -> Error {
    let message = Some("An injected fault: this key was left alone.".to_owned());
    Error { code: Some(code.to_owned()), key: object.key.clone(), message, version_id: object.version_id.clone() }
}

fn written(output: &DeleteObjectsOutput) -> S3Result<Vec<u8>> {
    let mut xml = Vec::new();
    let mut serializer = Serializer::new(&mut xml);
    let written = serializer.decl().and_then(|()| output.serialize(&mut serializer));
    written.map(|()| xml).map_err(|_| s3_error!(InternalError))
}

fn parse(body: &[u8]) -> S3Result<Asked> {
    let malformed = || {
        s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema"
        )
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    // Line ends as XML 1.0 §2.11 has them; a carriage return as such is sent as a character reference.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut deserializer = Deserializer::new(text.as_bytes());
    let asked = Asked::deserialize(&mut deserializer).and_then(|asked| deserializer.expect_eof().map(|()| asked));
    let asked = asked.map_err(|_| malformed())?;
    let legal = asked.objects.iter().all(|object| object.key.as_deref().is_some_and(is_legal));
    if legal && (1..=KEYS_MAX).contains(&asked.objects.len()) { Ok(asked) } else { Err(malformed()) }
}

/// Whether XML 1.0 can carry the key (§2.2), raw or as a reference.
fn is_legal(key: &str) -> bool {
    let carries = |character| match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        character => character >= ' ',
    };
    !key.is_empty() && key.chars().all(carries)
}

impl<'xml> Deserialize<'xml> for Asked {
    fn deserialize(d: &mut Deserializer<'xml>) -> DeResult<Self> {
        d.named_element("Delete", |d| {
            let mut asked = Self::default();
            d.for_each_element(|d, name| {
                match name {
                    b"Object" => asked.objects.push(identifier(d)?),
                    b"Quiet" => asked.quiet = d.text(|text| text.parse().map_err(|_| DeError::InvalidContent))?,
                    _ => return Err(DeError::UnexpectedTagName),
                }
                Ok(())
            })?;
            Ok(asked)
        })
    }
}

/// `LastModifiedTime` and `Size` are of directory buckets, and as unknown here as any other element.
fn identifier(d: &mut Deserializer<'_>) -> DeResult<Identifier> {
    let mut identifier = Identifier::default();
    d.for_each_element(|d, name| {
        let field = match name {
            b"Key" => &mut identifier.key,
            b"VersionId" => &mut identifier.version_id,
            b"ETag" => &mut identifier.etag,
            _ => return Err(DeError::UnexpectedTagName),
        };
        *field = Some(d.text(|text| Ok(text.to_owned()))?);
        Ok(())
    })?;
    Ok(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(body: &str) -> Option<String> {
        let body = format!("<Delete><Object><Key>{body}</Key></Object></Delete>");
        parse(body.as_bytes()).ok().and_then(|asked| asked.objects.into_iter().next()?.key)
    }

    #[test]
    fn keys_keep_what_xml_can_carry() {
        assert_eq!(key(" a&#13;&#xA;b&lt;&amp;\"'\tc ").as_deref(), Some(" a\r\nb<&\"'\tc "));
        assert_eq!(key("a\r\nb\rc").as_deref(), Some("a\nb\nc"), "raw line ends");
    }

    #[test]
    fn what_xml_cannot_carry_is_malformed() {
        for body in ["", "a\u{1}", "a&#1;", "a\u{ffff}", "<b/>", "<![CDATA[a]]>"] {
            assert_eq!(key(body), None, "{body:?}");
        }
    }

    #[test]
    fn a_request_holds_one_to_a_thousand_keys() {
        let request = |keys: usize| format!("<Delete>{}</Delete>", "<Object><Key>a</Key></Object>".repeat(keys));
        assert!(parse(request(0).as_bytes()).is_err());
        assert!(parse(request(KEYS_MAX).as_bytes()).is_ok());
        assert!(parse(request(KEYS_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn unknown_elements_are_not_passed_over() {
        let body = "<Delete><Object><Key>a</Key><Size>1</Size></Object></Delete>";
        assert!(parse(body.as_bytes()).is_err());
    }
}
