use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    job::{LambdaInvoke, SchemaVersion},
    keys,
    manifest::Task,
};

/// The event of one invocation, schema 1.0 or 2.0.
/// Sources: UG/batch-ops-invoke-lambda for 1.0; for 2.0 the fixture of Powertools for AWS Lambda (Python).
pub(crate) fn event(job_id: &str, invoke: &LambdaInvoke, invocation_id: &str, tasks: &[(String, &Task)]) -> Vec<u8> {
    let request = Request {
        invocation_schema_version: invoke.schema.as_str(),
        invocation_id,
        job: JobPart {
            id: job_id,
            user_arguments: Some(&invoke.user_arguments).filter(|arguments| !arguments.is_empty()),
        },
        tasks: tasks.iter().map(|(id, task)| TaskPart::new(invoke.schema, id, task)).collect(),
    };
    // Strings and maps of strings always serialize.
    serde_json::to_vec(&request).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    invocation_schema_version: &'a str,
    invocation_id: &'a str,
    job: JobPart<'a>,
    tasks: Vec<TaskPart<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobPart<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_arguments: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskPart<'a> {
    task_id: &'a str,
    s3_key: String,
    s3_version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3_bucket_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3_bucket: Option<&'a str>,
}

impl<'a> TaskPart<'a> {
    fn new(schema: SchemaVersion, task_id: &'a str, task: &'a Task) -> Self {
        let key = keys::decode_cell(&task.cell).unwrap_or_default();
        Self {
            task_id,
            s3_key: keys::form_encode(&key),
            s3_version_id: task.version.as_deref(),
            s3_bucket_arn: (schema == SchemaVersion::V1).then(|| format!("arn:aws:s3:::{}", task.bucket)),
            s3_bucket: (schema == SchemaVersion::V2).then_some(&*task.bucket),
        }
    }
}

/// What a function may answer for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum ResultCode {
    Succeeded,
    TemporaryFailure,
    PermanentFailure,
}

/// A function's answer: results by task id, and what stands for those it left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    results: HashMap<String, (ResultCode, String)>,
    missing: ResultCode,
}

impl Answer {
    /// `None` if the payload is not the JSON that Batch Operations expects.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let wire: WireAnswer = serde_json::from_slice(payload).ok()?;
        let results = wire
            .results
            .into_iter()
            .map(|result| (result.task_id, (result.result_code, result.result_string.unwrap_or_default())));
        Some(Self {
            results: results.collect(),
            missing: wire.treat_missing_keys_as.unwrap_or(ResultCode::TemporaryFailure),
        })
    }

    /// The result of a task; results of tasks that were not asked about are never looked at.
    pub(crate) fn of(&self, task_id: &str) -> (ResultCode, String) {
        let absent = || (self.missing, "The Lambda payload has no result for this task".into());
        self.results.get(task_id).cloned().unwrap_or_else(absent)
    }
}

/// Unknown fields are let through, as AWS says nothing against them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAnswer {
    treat_missing_keys_as: Option<ResultCode>,
    results: Vec<WireResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireResult {
    task_id: String,
    result_code: ResultCode,
    result_string: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Answer, ResultCode::*, event};
    use crate::{
        job::{LambdaInvoke, SchemaVersion},
        manifest::Task,
    };

    fn sent(schema: SchemaVersion, arguments: &[(&str, &str)], version: Option<&str>) -> Value {
        let user_arguments = arguments.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let invoke = LambdaInvoke { function_arn: "f".into(), schema, user_arguments };
        let task = Task { bucket: "bkt".into(), cell: "a%20b".into(), version: version.map(Into::into) };
        serde_json::from_slice(&event("j", &invoke, "i", &[("t".into(), &task)])).unwrap()
    }

    #[test]
    fn schema_1_has_the_bucket_arn() {
        let task = json!({ "taskId": "t", "s3Key": "a+b", "s3VersionId": null, "s3BucketArn": "arn:aws:s3:::bkt" });
        let event =
            json!({ "invocationSchemaVersion": "1.0", "invocationId": "i", "job": { "id": "j" }, "tasks": [task] });
        assert_eq!(sent(SchemaVersion::V1, &[], None), event);
    }

    #[test]
    fn schema_2_has_the_bucket_and_the_user_arguments() {
        let task = json!({ "taskId": "t", "s3Key": "a+b", "s3VersionId": "null", "s3Bucket": "bkt" });
        let job = json!({ "id": "j", "userArguments": { "k": "v" } });
        let event = json!({ "invocationSchemaVersion": "2.0", "invocationId": "i", "job": job, "tasks": [task] });
        assert_eq!(sent(SchemaVersion::V2, &[("k", "v")], Some("null")), event);
    }

    #[test]
    fn answers_are_found_by_task_id() {
        let text = br#"{"results":[{"taskId":"x","resultCode":"PermanentFailure","resultString":"no"},{"taskId":"t","resultCode":"Succeeded"}]}"#;
        let answer = Answer::read(text).unwrap();
        assert_eq!(answer.of("t"), (Succeeded, String::new()));
        assert_eq!(answer.of("x"), (PermanentFailure, "no".into()));
        assert_eq!(answer.of("y").0, TemporaryFailure);
        assert_eq!(Answer::read(br#"{"treatMissingKeysAs":"Succeeded","results":[]}"#).unwrap().of("y").0, Succeeded);
    }

    #[test]
    fn other_json_is_no_answer() {
        for text in [
            "",
            "null",
            "{}",
            "[]",
            r#"{"results":null}"#,
            r#"{"results":[{"taskId":"t"}]}"#,
            r#"{"results":[{"taskId":"t","resultCode":"Done"}]}"#,
            r#"{"treatMissingKeysAs":"x","results":[]}"#,
        ] {
            assert_eq!(Answer::read(text.as_bytes()), None, "{text}");
        }
    }
}
