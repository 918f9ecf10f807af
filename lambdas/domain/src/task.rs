//! What S3 Batch Operations asks of the eraser, and what the eraser answers
//! (S3 User Guide, "Invoke AWS Lambda function"; schemas 1.0 and 2.0).

use serde::{Deserialize, Serialize};

use crate::keys::{EncodedKey, ObjectKey};

/// An invocation, read.
#[derive(Debug)]
pub struct Invocation {
    schema: Schema,
    id: String,
    /// The tasks; one today, any number by the schema.
    pub tasks: Vec<Task>,
}

/// One manifest row: one page.
#[derive(Debug)]
pub struct Task {
    /// Opaque; goes back with the answer.
    pub id: String,
    /// The page's key, decoded once; an undecodable one is refused task by task.
    pub page: Option<ObjectKey>,
}

/// Which schema the job was created with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Schema {
    #[serde(rename = "1.0")]
    V1,
    #[serde(rename = "2.0")]
    V2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvocationWire {
    invocation_schema_version: Schema,
    invocation_id: String,
    tasks: Vec<TaskWire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskWire {
    task_id: String,
    s3_key: String,
}

/// The schema an event names, if that is a short number: serde would repeat any value, and values may be keys.
fn version(event: &serde_json::Value) -> String {
    let named = event["invocationSchemaVersion"].as_str().unwrap_or_default();
    let is_number = (1..=5).contains(&named.len()) && named.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_number { named.to_owned() } else { "unknown".to_owned() }
}

impl Invocation {
    /// Reads an event. Bucket names in it are not looked at: the page's bucket comes from the eraser's settings.
    pub fn parse(event: serde_json::Value) -> Result<Self, String> {
        let version = version(&event);
        let wire: InvocationWire = serde_json::from_value(event)
            .map_err(|_| format!("not an S3 Batch Operations event (schema {version})"))?;
        let task = |t: TaskWire| Task { page: EncodedKey(&t.s3_key).decode().ok(), id: t.task_id };
        Ok(Self {
            schema: wire.invocation_schema_version,
            id: wire.invocation_id,
            tasks: wire.tasks.into_iter().map(task).collect(),
        })
    }

    /// The answer, with a result for every task in the order asked.
    /// A task without a result would be `TemporaryFailure`: asked again, never taken as done.
    pub fn answer(&self, results: &[TaskResult]) -> Answer {
        let result = |(task, result): (&Task, &TaskResult)| ResultWire {
            task_id: task.id.clone(),
            result_code: result.code(),
            result_string: result.text().to_owned(),
        };
        Answer {
            invocation_schema_version: self.schema,
            treat_missing_keys_as: "TemporaryFailure",
            invocation_id: self.id.clone(),
            results: self.tasks.iter().zip(results).map(result).collect(),
        }
    }
}

/// How a task ended. The text goes into the completion report: page names and counts, no keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskResult {
    /// Every version on the page has a final outcome, held and denied ones included, so that one locked account
    /// cannot fail a job of many.
    Succeeded(String),
    /// Something passing; S3 Batch Operations tries again.
    TemporaryFailure(String),
    /// The page must not be acted on.
    PermanentFailure(String),
}

impl TaskResult {
    fn code(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "Succeeded",
            Self::TemporaryFailure(_) => "TemporaryFailure",
            Self::PermanentFailure(_) => "PermanentFailure",
        }
    }

    /// Why, or what was done.
    pub fn text(&self) -> &str {
        match self {
            Self::Succeeded(text) | Self::TemporaryFailure(text) | Self::PermanentFailure(text) => text,
        }
    }
}

/// The answer to an invocation, as JSON goes out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    invocation_schema_version: Schema,
    treat_missing_keys_as: &'static str,
    invocation_id: String,
    results: Vec<ResultWire>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultWire {
    task_id: String,
    result_code: &'static str,
    result_string: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_schemas_are_read_and_keys_decoded_once() {
        for version in ["1.0", "2.0"] {
            let event = json!({"invocationSchemaVersion": version, "invocationId": "i", "job": {"id": "j"},
                "tasks": [{"taskId": "t", "s3Key": "pages/a+b%2Bc%2541", "s3VersionId": null}]});
            let invocation = Invocation::parse(event).unwrap();
            assert_eq!(invocation.tasks[0].page, Some(ObjectKey::new("pages/a b+c%41")));
            let answer = serde_json::to_value(invocation.answer(&[TaskResult::Succeeded("ok".to_owned())])).unwrap();
            assert_eq!(
                answer,
                json!({"invocationSchemaVersion": version, "treatMissingKeysAs": "TemporaryFailure",
                    "invocationId": "i", "results": [{"taskId": "t", "resultCode": "Succeeded", "resultString": "ok"}]})
            );
        }
    }

    #[test]
    fn an_unknown_schema_is_refused_by_name() {
        let event = json!({"invocationSchemaVersion": "3.0", "invocationId": "i", "tasks": []});
        assert!(Invocation::parse(event).unwrap_err().contains("3.0"));
    }

    #[test]
    fn an_undecodable_key_spoils_its_own_task_only() {
        let event = json!({"invocationSchemaVersion": "2.0", "invocationId": "i",
            "tasks": [{"taskId": "t", "s3Key": "%FF"}, {"taskId": "u", "s3Key": "a"}]});
        let tasks = Invocation::parse(event).unwrap().tasks;
        assert_eq!((tasks[0].page.is_none(), tasks[1].page.is_some()), (true, true));
    }
}
