//! All input and output of the functions: one operation, one file.
//!
//! Operations take the SDK's own client; tests swap the HTTP layer under it, so that signing, paging and XML are
//! tested with the rest. Nothing is erased but through [`erase`].

pub mod abort_multipart_upload;
pub mod clients;
pub mod clock;
pub mod create_job;
pub mod delete_object;
pub mod delete_objects;
pub mod describe_job;
pub mod erase;
pub mod error;
pub mod get_bucket_encryption;
pub mod get_bucket_versioning;
pub mod get_object;
pub mod host;
pub mod invoke;
pub mod list_jobs;
pub mod list_multipart_uploads;
pub mod list_object_versions;
pub mod list_objects;
pub mod metrics;
pub mod object_lock;
pub mod pace;
pub mod page_io;
pub mod put_events;
pub mod put_object;
pub mod retry;
pub mod telemetry;
pub mod whole_answers;

pub use clients::{Bucket, Buckets};
pub use error::{AwsError, Cause};
