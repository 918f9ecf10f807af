//! S3's operations as s3s hands them over, each in the words of the store.

mod annotations;
pub(crate) mod body;
mod buckets;
mod delete_objects;
pub(crate) mod description;
mod errors;
mod listing;
mod multipart;
mod objects;
pub(crate) mod values;

use std::sync::Arc;

use http::HeaderMap;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::Credentials;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::store::Store;

pub(crate) use delete_objects::DeleteObjects;

/// The operations, over a store.
#[derive(Clone)]
pub(crate) struct Wire {
    pub store: Arc<Store>,
    pub page_size: usize,
    pub signed: bool,
    /// The canonical user id of our AWS account, as listings show owners.
    pub canonical_id: Arc<str>,
}

/// Implements s3s's trait: each operation is a plain function of its input, but for the two with a body.
/// Operations that are not named here answer `NotImplemented`.
macro_rules! serve {
    ($($method:ident($input:ident) -> $output:ident by $function:path;)*) => {
        #[async_trait::async_trait]
        impl s3s::S3 for Wire {
            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                $function(self, request.input).map(S3Response::new)
            })*

            async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
                let mut input = request.input;
                let body = body::receive(input.body.take(), request.trailing_headers).await?;
                objects::put(self, input, body).map(S3Response::new)
            }

            async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
                let mut input = request.input;
                let body = body::receive(input.body.take(), request.trailing_headers).await?;
                multipart::upload_part(self, input, body).map(S3Response::new)
            }
        }
    };
}

serve! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput by multipart::abort;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput by multipart::complete;
    copy_object(CopyObjectInput) -> CopyObjectOutput by objects::copy;
    create_bucket(CreateBucketInput) -> CreateBucketOutput by buckets::create;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput by multipart::create;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput by buckets::delete;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput by objects::delete;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput by annotations::delete_tagging;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput by buckets::encryption;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput by buckets::location;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput by buckets::replication;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput by buckets::get_versioning;
    get_object(GetObjectInput) -> GetObjectOutput by objects::get;
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput by annotations::get_legal_hold;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput
        by buckets::get_object_lock;
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput by annotations::get_retention;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput by annotations::get_tagging;
    head_bucket(HeadBucketInput) -> HeadBucketOutput by buckets::head;
    head_object(HeadObjectInput) -> HeadObjectOutput by objects::head;
    list_buckets(ListBucketsInput) -> ListBucketsOutput by buckets::list;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput by multipart::list_uploads;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput by listing::versions;
    list_objects(ListObjectsInput) -> ListObjectsOutput by listing::objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output by listing::objects_v2;
    list_parts(ListPartsInput) -> ListPartsOutput by multipart::list_parts;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput by buckets::put_versioning;
    put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput by annotations::put_legal_hold;
    put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput
        by buckets::put_object_lock;
    put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput by annotations::put_retention;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput by annotations::put_tagging;
}

impl Wire {
    /// Refuses anonymous requests where they must be signed, and those that expect another owner of the bucket.
    pub fn check_access(
        &self,
        credentials: Option<&Credentials>,
        headers: &HeaderMap,
        bucket: Option<&str>,
    ) -> S3Result<()> {
        if self.signed && credentials.is_none() {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let expected = headers.get("x-amz-expected-bucket-owner");
        let expected = expected.map(|owner| owner.to_str().unwrap_or_default());
        bucket.map_or(Ok(()), |bucket| self.check_owner(bucket, expected))
    }

    /// Refuses a bucket that is not of the owner expected. One that does not exist is for the operation to refuse.
    pub fn check_owner(&self, bucket: &str, expected: Option<&str>) -> S3Result<()> {
        let Ok(owner) = self.store.read(bucket, |bucket| Ok(bucket.owner.clone())) else { return Ok(()) };
        let as_expected = expected.is_none_or(|expected| expected == owner);
        if as_expected { Ok(()) } else { Err(s3_error!(AccessDenied, "Access Denied")) }
    }
}

#[async_trait::async_trait]
impl S3Access for Wire {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        self.check_access(context.credentials(), context.headers(), context.s3_path().get_bucket_name())
    }
}
