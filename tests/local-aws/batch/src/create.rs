use std::{collections::BTreeMap, ops::RangeInclusive};

use crate::{
    error::ApiError,
    job::{JobSpec, LambdaInvoke, Manifest, ManifestField, Report, ReportScope, SchemaVersion},
    tags,
    xml::Element,
};

/// The operations of S3 Batch Operations other than `LambdaInvoke`; there is none that deletes objects.
const OTHER_OPERATIONS: [&str; 10] = [
    "S3PutObjectCopy",
    "S3PutObjectAcl",
    "S3PutObjectTagging",
    "S3DeleteObjectTagging",
    "S3InitiateRestoreObject",
    "S3PutObjectLegalHold",
    "S3PutObjectRetention",
    "S3ReplicateObject",
    "S3ComputeObjectChecksum",
    "S3UpdateObjectEncryption",
];

/// Most user arguments (API_control_LambdaInvokeOperation).
const USER_ARGUMENTS_MAX: usize = 10;

/// A CreateJob request, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreateJob {
    /// Makes a repeated request the same job.
    pub(crate) token: String,
    pub(crate) spec: JobSpec,
    pub(crate) tags: BTreeMap<String, String>,
}

impl CreateJob {
    /// Reads a `CreateJobRequest` made in the AWS account `account`.
    /// The limits are those of API_control_CreateJob and the types it refers to.
    pub(crate) fn read(body: &[u8], account: &str) -> Result<Self, ApiError> {
        let root = Element::parse(body)?;
        if root.name != "CreateJobRequest" {
            return Err(ApiError::bad_request(format!("expected CreateJobRequest, not {}", root.name)));
        }
        root.only(&[
            "ClientRequestToken",
            "ConfirmationRequired",
            "Description",
            "Manifest",
            "ManifestGenerator",
            "Operation",
            "Priority",
            "Report",
            "RoleArn",
            "Tags",
        ])?;
        let tags = root.child("Tags").map(|list| tags::read(list, "BadRequestException")).transpose()?;
        Ok(Self {
            token: required(&root, "ClientRequestToken", 1..=64)?,
            spec: spec(&root, account)?,
            tags: tags.unwrap_or_default(),
        })
    }
}

fn spec(root: &Element, account: &str) -> Result<JobSpec, ApiError> {
    Ok(JobSpec {
        description: optional(root, "Description", 1..=256)?,
        confirmation_required: boolean(root, "ConfirmationRequired")?.unwrap_or(false),
        manifest: manifest(root)?,
        operation: operation(element(root, "Operation")?)?,
        priority: priority(&required(root, "Priority", 1..=10)?)?,
        report: report(element(root, "Report")?)?,
        role_arn: role(root, account)?,
    })
}

/// A priority as text: 0 to 2147483647.
pub(crate) fn priority(text: &str) -> Result<i32, ApiError> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| ApiError::bad_request(format!("Priority is a number from 0 to {}, not {text}", i32::MAX)))
}

fn manifest(root: &Element) -> Result<Manifest, ApiError> {
    match (root.child("Manifest"), root.child("ManifestGenerator")) {
        (Some(_), Some(_)) => Err(ApiError::bad_request("give Manifest or ManifestGenerator, not both")),
        (None, None) => Err(ApiError::bad_request("give Manifest or ManifestGenerator")),
        (None, Some(_)) => Err(ApiError::not_implemented("ManifestGenerator")),
        (Some(manifest), None) => {
            manifest.only(&["Spec", "Location"])?;
            let fields = manifest_fields(element(manifest, "Spec")?)?;
            manifest_location(element(manifest, "Location")?, fields)
        }
    }
}

fn manifest_fields(spec: &Element) -> Result<Vec<ManifestField>, ApiError> {
    spec.only(&["Format", "Fields"])?;
    match required(spec, "Format", 1..=64)?.as_str() {
        "S3BatchOperations_CSV_20180820" => {}
        "S3InventoryReport_CSV_20161130" => {
            return Err(ApiError::not_implemented("the manifest format S3InventoryReport_CSV_20161130"));
        }
        other => return Err(ApiError::bad_request(format!("unknown manifest format {other}"))),
    }
    let items = spec.child("Fields").map(|fields| fields.list(&["member", "JobManifestFieldName"])).transpose()?;
    let fields = items.unwrap_or_default().iter().map(|item| named(item, &ManifestField::ALL, ManifestField::as_str));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    check_fields(&fields)?;
    Ok(fields)
}

fn check_fields(fields: &[ManifestField]) -> Result<(), ApiError> {
    let count = |field| fields.iter().filter(|other| **other == field).count();
    let missing: Vec<&str> = [ManifestField::Bucket, ManifestField::Key]
        .into_iter()
        .filter(|field| count(*field) == 0)
        .map(ManifestField::as_str)
        .collect();
    if !missing.is_empty() {
        return Err(ApiError::bad_request(format!(
            "Required fields are missing in the schema: {}",
            missing.join(", ")
        )));
    }
    let twice = ManifestField::ALL.into_iter().find(|field| *field != ManifestField::Ignore && count(*field) > 1);
    twice.map_or(Ok(()), |field| {
        Err(ApiError::bad_request(format!("the manifest field {} is given twice", field.as_str())))
    })
}

fn manifest_location(location: &Element, fields: Vec<ManifestField>) -> Result<Manifest, ApiError> {
    location.only(&["ObjectArn", "ObjectVersionId", "ETag"])?;
    let object_arn = required(location, "ObjectArn", 1..=2000)?;
    let (bucket, key) = s3_resource(&object_arn)
        .and_then(|resource| resource.split_once('/'))
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .ok_or_else(|| {
            ApiError::bad_request(format!(
                "ObjectArn is the ARN of an object in a general purpose bucket, not {object_arn}"
            ))
        })?;
    Ok(Manifest {
        fields,
        bucket: bucket.into(),
        key: key.into(),
        version: optional(location, "ObjectVersionId", 1..=2000)?,
        etag: required(location, "ETag", 1..=1024)?.trim_matches('"').into(),
        object_arn,
    })
}

fn operation(operation: &Element) -> Result<LambdaInvoke, ApiError> {
    let [only] = operation.children.as_slice() else {
        return Err(ApiError::bad_request("Operation has exactly one member"));
    };
    match only.name.as_str() {
        "LambdaInvoke" => lambda_invoke(only),
        name if OTHER_OPERATIONS.contains(&name) => Err(ApiError::not_implemented(format!("the operation {name}"))),
        name => Err(ApiError::bad_request(format!("unknown operation {name}"))),
    }
}

fn lambda_invoke(invoke: &Element) -> Result<LambdaInvoke, ApiError> {
    invoke.only(&["FunctionArn", "InvocationSchemaVersion", "UserArguments"])?;
    let function_arn = required(invoke, "FunctionArn", 1..=1024)?;
    if !function_arn.chars().all(|character| character.is_ascii_alphanumeric() || "-_:$".contains(character)) {
        return Err(ApiError::bad_request(format!("FunctionArn is not the ARN of a function: {function_arn}")));
    }
    let schema = match optional(invoke, "InvocationSchemaVersion", 1..=64)?.as_deref() {
        None | Some("1.0") => SchemaVersion::V1,
        Some("2.0") => SchemaVersion::V2,
        Some(other) => {
            return Err(ApiError::bad_request(format!("InvocationSchemaVersion is 1.0 or 2.0, not {other}")));
        }
    };
    let user_arguments = invoke.child("UserArguments").map(user_arguments).transpose()?.unwrap_or_default();
    if schema == SchemaVersion::V1 && !user_arguments.is_empty() {
        return Err(ApiError::bad_request("UserArguments need InvocationSchemaVersion 2.0"));
    }
    Ok(LambdaInvoke { function_arn, schema, user_arguments })
}

fn user_arguments(map: &Element) -> Result<BTreeMap<String, String>, ApiError> {
    let entries = map.list(&["entry"])?;
    if entries.len() > USER_ARGUMENTS_MAX {
        return Err(ApiError::bad_request(format!(
            "at most {USER_ARGUMENTS_MAX} UserArguments, not {}",
            entries.len()
        )));
    }
    let mut arguments = BTreeMap::new();
    for entry in entries {
        entry.only(&["key", "value"])?;
        let key = required(entry, "key", 1..=64)?;
        if arguments.insert(key.clone(), required(entry, "value", 0..=1024)?).is_some() {
            return Err(ApiError::bad_request(format!("the user argument {key} is given twice")));
        }
    }
    Ok(arguments)
}

/// The report; what is given is checked even if the report is not enabled.
fn report(report: &Element) -> Result<Option<Report>, ApiError> {
    report.only(&["Bucket", "Format", "Enabled", "Prefix", "ReportScope", "ExpectedBucketOwner"])?;
    let bucket =
        optional(report, "Bucket", 1..=128)?.map(|arn| report_bucket(&arn).map(|bucket| (arn, bucket))).transpose()?;
    let format = optional(report, "Format", 1..=64)?;
    if let Some(other) = format.as_deref().filter(|format| *format != "Report_CSV_20180820") {
        return Err(ApiError::bad_request(format!("unknown report format {other}")));
    }
    let scopes = [ReportScope::AllTasks, ReportScope::FailedTasksOnly];
    let scope = report.child("ReportScope").map(|scope| named(scope, &scopes, ReportScope::as_str)).transpose()?;
    let prefix = optional(report, "Prefix", 1..=512)?;
    let owner = optional(report, "ExpectedBucketOwner", 12..=12)?;
    if owner.as_deref().is_some_and(|owner| !owner.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(ApiError::bad_request("ExpectedBucketOwner is an AWS account of twelve digits"));
    }
    match (boolean(report, "Enabled")?, bucket, format, scope) {
        (None, ..) => Err(missing("Enabled", "Report")),
        (Some(false), ..) => Ok(None),
        (Some(true), Some((bucket_arn, bucket)), Some(_), Some(scope)) => {
            Ok(Some(Report { bucket, bucket_arn, prefix, scope, expected_bucket_owner: owner }))
        }
        (Some(true), ..) => Err(ApiError::bad_request("an enabled Report needs Bucket, Format and ReportScope")),
    }
}

fn report_bucket(arn: &str) -> Result<String, ApiError> {
    let bucket = s3_resource(arn).filter(|bucket| !bucket.is_empty() && !bucket.contains('/'));
    bucket.map(Into::into).ok_or_else(|| {
        ApiError::bad_request(format!("Report.Bucket is the ARN of a general purpose bucket, not {arn}"))
    })
}

/// What `arn:{partition}:s3:::` is followed by.
fn s3_resource(arn: &str) -> Option<&str> {
    let (partition, resource) = arn.strip_prefix("arn:")?.split_once(':')?;
    (!partition.is_empty()).then_some(resource)?.strip_prefix("s3:::")
}

fn role(root: &Element, account: &str) -> Result<String, ApiError> {
    let arn = required(root, "RoleArn", 1..=2048)?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", owner, role]
            if !partition.is_empty()
                && owner.len() == 12
                && owner.bytes().all(|byte| byte.is_ascii_digit())
                && role.starts_with("role/") =>
        {
            // A role of another AWS account cannot be passed (UG/troubleshooting-batch-operations).
            if *owner == account {
                Ok(arn)
            } else {
                Err(ApiError::access_denied("Cross-account pass role is not allowed"))
            }
        }
        _ => Err(ApiError::bad_request(format!("RoleArn is not the ARN of a role: {arn}"))),
    }
}

fn element<'a>(parent: &'a Element, name: &str) -> Result<&'a Element, ApiError> {
    parent.child(name).ok_or_else(|| missing(name, &parent.name))
}

fn required(parent: &Element, name: &str, length: RangeInclusive<usize>) -> Result<String, ApiError> {
    optional(parent, name, length)?.ok_or_else(|| missing(name, &parent.name))
}

fn optional(parent: &Element, name: &str, length: RangeInclusive<usize>) -> Result<Option<String>, ApiError> {
    let Some(child) = parent.child(name) else { return Ok(None) };
    if !child.children.is_empty() || !length.contains(&child.text.chars().count()) {
        let (least, most) = length.into_inner();
        return Err(ApiError::bad_request(format!("{}.{name} has {least} to {most} characters", parent.name)));
    }
    Ok(Some(child.text.clone()))
}

fn boolean(parent: &Element, name: &str) -> Result<Option<bool>, ApiError> {
    let Some(child) = parent.child(name) else { return Ok(None) };
    match child.text.as_str() {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        other => Err(ApiError::bad_request(format!("{}.{name} is true or false, not {other}", parent.name))),
    }
}

fn named<T: Copy>(item: &Element, all: &[T], name: fn(T) -> &'static str) -> Result<T, ApiError> {
    let found = all.iter().copied().find(|value| name(*value) == item.text);
    found.ok_or_else(|| ApiError::bad_request(format!("unknown value {} in {}", item.text, item.name)))
}

fn missing(name: &str, parent: &str) -> ApiError {
    ApiError::bad_request(format!("{name} is missing in {parent}"))
}
