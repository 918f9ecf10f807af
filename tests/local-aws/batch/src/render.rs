use jiff::Timestamp;

use crate::{
    job::{Job, JobFailure, LambdaInvoke, Manifest, Progress, Report},
    xml::Element,
};

/// A job in DescribeJob (API_control_JobDescriptor).
pub(crate) fn descriptor(job: &Job, now: Timestamp) -> Element {
    Element::new("Job")
        .leaf("JobId", &job.id)
        .leaf("ConfirmationRequired", job.spec.confirmation_required)
        .leaf_some("Description", job.spec.description.as_ref())
        .leaf("JobArn", &job.arn)
        .leaf("Status", job.status.as_str())
        .with(manifest(&job.spec.manifest))
        .with(Element::new("Operation").with(lambda_invoke(&job.spec.operation)))
        .leaf("Priority", job.priority)
        .with_some(progress(job, now))
        .leaf_some("StatusUpdateReason", job.status_update_reason.as_ref())
        .with_some(failures(&job.failures))
        .with(report(job.spec.report.as_ref()))
        .leaf("CreationTime", job.created)
        .leaf_some("TerminationDate", job.terminated)
        .leaf("RoleArn", &job.spec.role_arn)
        .leaf_some("SuspendedDate", job.suspended)
        .leaf_some("SuspendedCause", job.suspended.map(|_| "AwaitingConfirmation"))
}

/// A job in ListJobs (API_control_JobListDescriptor).
/// The item is named `member`: SDKs skip `JobListDescriptor`, the name in the reference, without a word.
pub(crate) fn list_descriptor(job: &Job, now: Timestamp) -> Element {
    Element::new("member")
        .leaf("JobId", &job.id)
        .leaf_some("Description", job.spec.description.as_ref())
        .leaf("Operation", "LambdaInvoke")
        .leaf("Priority", job.priority)
        .leaf("Status", job.status.as_str())
        .leaf("CreationTime", job.created)
        .leaf_some("TerminationDate", job.terminated)
        .with_some(progress(job, now))
}

fn manifest(manifest: &Manifest) -> Element {
    let fields =
        manifest.fields.iter().fold(Element::new("Fields"), |fields, field| fields.leaf("member", field.as_str()));
    let spec = Element::new("Spec").leaf("Format", "S3BatchOperations_CSV_20180820").with(fields);
    let location = Element::new("Location")
        .leaf("ObjectArn", &manifest.object_arn)
        .leaf_some("ObjectVersionId", manifest.version.as_ref())
        .leaf("ETag", &manifest.etag);
    Element::new("Manifest").with(spec).with(location)
}

fn lambda_invoke(invoke: &LambdaInvoke) -> Element {
    let entry = |(key, value)| Element::new("entry").leaf("key", key).leaf("value", value);
    let arguments = Element::new("UserArguments").with_all(invoke.user_arguments.iter().map(entry));
    Element::new("LambdaInvoke")
        .leaf("FunctionArn", &invoke.function_arn)
        .leaf("InvocationSchemaVersion", invoke.schema.as_str())
        .with_some((!invoke.user_arguments.is_empty()).then_some(arguments))
}

fn report(report: Option<&Report>) -> Element {
    let Some(report) = report else { return Element::new("Report").leaf("Enabled", false) };
    Element::new("Report")
        .leaf("Bucket", &report.bucket_arn)
        .leaf("Format", "Report_CSV_20180820")
        .leaf("Enabled", true)
        .leaf_some("Prefix", report.prefix.as_ref())
        .leaf("ReportScope", report.scope.as_str())
        .leaf_some("ExpectedBucketOwner", report.expected_bucket_owner.as_ref())
}

fn progress(job: &Job, now: Timestamp) -> Option<Element> {
    let Progress { total, succeeded, failed } = job.progress?;
    let until = job.active_until.unwrap_or(now);
    let elapsed = job.active_from.map_or(0, |from| until.duration_since(from).as_secs().max(0));
    let summary = Element::new("ProgressSummary")
        .leaf("TotalNumberOfTasks", total)
        .leaf("NumberOfTasksSucceeded", succeeded)
        .leaf("NumberOfTasksFailed", failed);
    Some(summary.with(Element::new("Timers").leaf("ElapsedTimeInActiveSeconds", elapsed)))
}

fn failures(failures: &[JobFailure]) -> Option<Element> {
    let member = |failure: &JobFailure| {
        Element::new("member").leaf("FailureCode", failure.code).leaf("FailureReason", &failure.reason)
    };
    (!failures.is_empty()).then(|| Element::new("FailureReasons").with_all(failures.iter().map(member)))
}
