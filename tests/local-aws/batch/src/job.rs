use std::collections::BTreeMap;

use jiff::Timestamp;

/// A job as DescribeJob shows it, with its tags.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Job {
    /// A UUID.
    pub id: String,
    /// `arn:aws:s3:{region}:{account}:job/{id}`.
    pub arn: String,
    /// The place among all jobs ever created here, from 0.
    pub sequence: u64,
    /// What CreateJob asked for; never changes.
    pub spec: JobSpec,
    /// Where the job stands.
    pub status: Status,
    /// Higher first, among jobs that wait in `Ready`.
    pub priority: i32,
    /// Up to 50.
    pub tags: BTreeMap<String, String>,
    /// The counters; nothing before the manifest is read.
    pub progress: Option<Progress>,
    /// When CreateJob was called.
    pub created: Timestamp,
    /// When the job became active.
    pub active_from: Option<Timestamp>,
    /// When the job was no longer active.
    pub active_until: Option<Timestamp>,
    /// When the job came to await confirmation.
    pub suspended: Option<Timestamp>,
    /// When the job reached a terminal status.
    pub terminated: Option<Timestamp>,
    /// The reason the caller gave with the last UpdateJobStatus.
    pub status_update_reason: Option<String>,
    /// Why the job failed.
    pub failures: Vec<JobFailure>,
}

/// What CreateJob asks for, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobSpec {
    /// 1 to 256 characters.
    pub description: Option<String>,
    /// Whether the job waits in `Suspended` for UpdateJobStatus `Ready`.
    pub confirmation_required: bool,
    /// The list of tasks.
    pub manifest: Manifest,
    /// What is done with each task.
    pub operation: LambdaInvoke,
    /// The priority the job is created with.
    pub priority: i32,
    /// The completion report, if one is wanted.
    pub report: Option<Report>,
    /// The job's role; not evaluated.
    pub role_arn: String,
}

/// A CSV manifest (`S3BatchOperations_CSV_20180820`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The meaning of each column.
    pub fields: Vec<ManifestField>,
    /// The manifest object's ARN.
    pub object_arn: String,
    /// The bucket in that ARN.
    pub bucket: String,
    /// The key in that ARN.
    pub key: String,
    /// The version to read, the current one if none.
    pub version: Option<String>,
    /// The ETag the object must have when it is read, without quotes.
    pub etag: String,
}

/// The meaning of a manifest's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestField {
    /// The bucket's name.
    Bucket,
    /// The key, percent-encoded.
    Key,
    /// The object's version.
    VersionId,
    /// A column to skip.
    Ignore,
}

impl ManifestField {
    pub(crate) const ALL: [Self; 4] = [Self::Bucket, Self::Key, Self::VersionId, Self::Ignore];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "Bucket",
            Self::Key => "Key",
            Self::VersionId => "VersionId",
            Self::Ignore => "Ignore",
        }
    }
}

/// The operation `LambdaInvoke`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LambdaInvoke {
    /// The function, with or without version or alias.
    pub function_arn: String,
    /// The form of the event; 1.0 if CreateJob does not say.
    pub schema: SchemaVersion,
    /// Sent with every invocation of schema 2.0.
    pub user_arguments: BTreeMap<String, String>,
}

/// The form of the event a function gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaVersion {
    /// With `s3BucketArn`.
    V1,
    /// With `s3Bucket` and `userArguments`.
    V2,
}

impl SchemaVersion {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }
}

/// Where the completion report goes and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The bucket's name.
    pub bucket: String,
    /// The bucket's ARN as it was given.
    pub bucket_arn: String,
    /// Before `job-{id}/`, without a trailing slash.
    pub prefix: Option<String>,
    /// All tasks or only failed ones.
    pub scope: ReportScope,
    /// Sent with each write; another owner makes the job fail.
    pub expected_bucket_owner: Option<String>,
}

/// Which tasks a report lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportScope {
    /// Succeeded and failed ones.
    AllTasks,
    /// Failed ones.
    FailedTasksOnly,
}

impl ReportScope {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllTasks => "AllTasks",
            Self::FailedTasksOnly => "FailedTasksOnly",
        }
    }
}

/// How many tasks there are and how they ended; tasks that wait for a redrive have not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows of the manifest.
    pub total: u64,
    /// Tasks that ended well.
    pub succeeded: u64,
    /// Tasks that failed for good.
    pub failed: u64,
}

/// Why a job failed.
/// AWS publishes no list of codes; only `InvalidManifestContent` is named in its pages, the others are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// Up to 64 characters.
    pub code: &'static str,
    /// Up to 256 characters.
    pub reason: String,
}

impl JobFailure {
    /// The most characters of a reason (API_control_JobFailure).
    const REASON_MAX: usize = 256;

    /// Cuts the reason to what the API can carry.
    pub(crate) fn new(code: &'static str, reason: impl AsRef<str>) -> Self {
        Self { code, reason: reason.as_ref().chars().take(Self::REASON_MAX).collect() }
    }
}

/// Where a job stands; AWS's words.
/// `Pausing` and `Paused` do not occur here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Status {
    New,
    Preparing,
    Suspended,
    Ready,
    Active,
    Pausing,
    Paused,
    Completing,
    Complete,
    Cancelling,
    Cancelled,
    Failing,
    Failed,
}

impl Status {
    pub(crate) const ALL: [Self; 13] = [
        Self::New,
        Self::Preparing,
        Self::Suspended,
        Self::Ready,
        Self::Active,
        Self::Pausing,
        Self::Paused,
        Self::Completing,
        Self::Complete,
        Self::Cancelling,
        Self::Cancelled,
        Self::Failing,
        Self::Failed,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Preparing => "Preparing",
            Self::Suspended => "Suspended",
            Self::Ready => "Ready",
            Self::Active => "Active",
            Self::Pausing => "Pausing",
            Self::Paused => "Paused",
            Self::Completing => "Completing",
            Self::Complete => "Complete",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
            Self::Failing => "Failing",
            Self::Failed => "Failed",
        }
    }

    /// Whether the job is over.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Cancelled | Self::Failed)
    }

    /// Whether the job can still be cancelled: it is neither over nor on its way to being cancelled or failed.
    pub fn is_live(self) -> bool {
        !self.is_terminal() && !matches!(self, Self::Cancelling | Self::Failing)
    }
}
