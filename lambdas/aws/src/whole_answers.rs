//! An answer that ends in its middle is no answer.
//!
//! The SDK's XML decoder takes a document that was cut off for one that has ended: a listing would lose entries without
//! a word, and what is not listed is not erased. So every XML answer must end with the end of its first element.

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use fault_point::planted;

/// Refuses answers of S3 and S3 Batch Operations that are cut off; the call counts as one that had no answer.
#[derive(Debug, Clone, Copy)]
pub struct WholeAnswers;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        // What is read as a stream, an object's body, has its length in a header.
        let body = response.body().bytes().unwrap_or_default();
        if !planted!("pages-cut") && response.status().is_success() && !is_whole(body) {
            return Err("the answer ends in its middle".into());
        }
        Ok(())
    }
}

/// Whether an XML document ends with its first element. A body that is no XML is nothing to this.
fn is_whole(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    if !body.starts_with(b"<") {
        return true;
    }
    let Some(root) = without_declaration(body) else { return false };
    let end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
    let Some(name) = root.iter().position(end).and_then(|length| root.get(1..length)) else { return false };
    let closes = root.strip_suffix(b">").and_then(|rest| rest.strip_suffix(name));
    let is_empty = root.ends_with(b"/>") && !root[1..].contains(&b'<');
    is_empty || closes.is_some_and(|rest| rest.ends_with(b"</"))
}

/// From the first element on, if there is one.
fn without_declaration(body: &[u8]) -> Option<&[u8]> {
    if !body.starts_with(b"<?") {
        return Some(body);
    }
    let end = body.windows(2).position(|two| two == b"?>")?;
    Some(body[end + 2..].trim_ascii_start()).filter(|root| root.starts_with(b"<"))
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
    use bytes::Bytes;
    use domain::ids::{AwsAccountId, BucketName};
    use local_s3::in_process;

    use super::*;
    use crate::clients::{client, without_retries};
    use crate::clock::ServerClock;
    use crate::list_object_versions::list_object_versions;
    use crate::{AwsError, Bucket};

    const LISTING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix>p/</Prefix>\
        <KeyMarker></KeyMarker><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>\
        <Version><Key>p/1</Key><VersionId>null</VersionId><IsLatest>true</IsLatest><Size>1</Size></Version>\
        <Version><Key>p/2</Key><VersionId>null</VersionId><IsLatest>true</IsLatest><Size>1</Size></Version>\
        </ListVersionsResult>";

    async fn listed(answer: &str) -> Result<usize, AwsError> {
        let answer = Bytes::copy_from_slice(answer.as_bytes());
        let http = in_process(move |_| std::future::ready(http::Response::new(answer.clone())));
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
            .http_client(http)
            .build();
        let bucket = Bucket {
            client: client(&without_retries(&sdk), "us-east-1", &ServerClock::default()),
            name: BucketName::parse("photolala-dev").unwrap(),
            region: "us-east-1".to_owned(),
            owner: AwsAccountId::parse("123456789012").unwrap(),
        };
        list_object_versions(&bucket, "p/", None).await.map(|versions| versions.listed.len())
    }

    /// A listing that is cut off anywhere would be read as a shorter one, or as an empty one.
    #[tokio::test]
    async fn a_listing_that_is_cut_off_is_no_listing() {
        assert_eq!(listed(LISTING).await, Ok(2));
        for cut in (1..LISTING.len()).step_by(7) {
            let answer = listed(&LISTING[..cut]).await;
            assert!(answer.as_ref().is_err_and(AwsError::is_passing), "cut at {cut}: {answer:?}");
        }
    }

    #[test]
    fn a_document_is_whole_if_it_ends_with_its_first_element() {
        for whole in
            ["", "not XML", "<a></a>", "<a>\n</a>\n", "<a/>", "<a x=\"/\" />", "<?xml?><a><b/></a>", "<a><a/></a>"]
        {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
        for cut in ["<", "<a", "<?xml", "<?xml?>", "<a>", "<a><b/>", "<a><b></b>", "<a></a", "<a x=\"/", "<ab></b>"] {
            assert!(!is_whole(cut.as_bytes()), "{cut}");
        }
    }
}
