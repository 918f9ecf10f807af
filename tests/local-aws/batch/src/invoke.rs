use aws_sdk_lambda::{
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::invoke::{InvokeError, InvokeOutput},
    primitives::Blob,
    types::InvocationType,
};
use aws_smithy_types::base64;
use uuid::Uuid;

use crate::{
    job::LambdaInvoke,
    manifest::Task,
    payload::{Answer, ResultCode, event},
};

/// What one invocation came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Lambda refused to run the function now; no task has failed.
    Throttled,
    /// One outcome a task, in the order they were sent.
    Outcomes(Vec<Outcome>),
}

/// How one task ended, this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: ResultCode,
    /// The status of the Lambda call, 200 even for function errors.
    pub(crate) http: u16,
    /// The last column of the completion report.
    pub(crate) message: String,
}

/// Invokes a job's function.
pub(crate) struct Invoker {
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) job_id: String,
    pub(crate) operation: LambdaInvoke,
}

impl Invoker {
    /// Sends the tasks in one synchronous invocation; `times` is more than 1 for a duplicate delivery,
    /// of which the last answer counts.
    pub(crate) async fn deliver(&self, tasks: &[(usize, &Task)], times: usize) -> Delivery {
        let tasks: Vec<(String, &Task)> = tasks.iter().map(|(index, task)| (self.task_id(*index), *task)).collect();
        let mut delivery = self.invoke(&tasks).await;
        for _ in 1..times {
            delivery = self.invoke(&tasks).await;
        }
        delivery
    }

    async fn invoke(&self, tasks: &[(String, &Task)]) -> Delivery {
        let invocation_id = base64::encode(Uuid::new_v4().as_bytes());
        let payload = event(&self.job_id, &self.operation, &invocation_id, tasks);
        let call = self.lambda.invoke().function_name(&self.operation.function_arn);
        let call = call.invocation_type(InvocationType::RequestResponse).payload(Blob::new(payload));
        // On its own, so that the invocation goes on when the engine that waits for it is killed.
        let Ok(sent) = tokio::spawn(call.send()).await else {
            // The whole runtime ends, and the engine with it.
            return std::future::pending().await;
        };
        match sent {
            Ok(output) => Delivery::Outcomes(answered(&output, tasks)),
            Err(error) => failed(&error, tasks.len()),
        }
    }

    /// The same for every delivery of a task, and nothing to be read from.
    fn task_id(&self, index: usize) -> String {
        base64::encode(format!("{}:{index}", self.job_id))
    }
}

fn answered(output: &InvokeOutput, tasks: &[(String, &Task)]) -> Vec<Outcome> {
    let payload = output.payload().map(Blob::as_ref).unwrap_or_default();
    let all = |message: String| vec![Outcome { code: ResultCode::PermanentFailure, http: 200, message }; tasks.len()];
    if output.function_error().is_some() {
        return all(format!("Lambda returned function error: {}", String::from_utf8_lossy(payload)));
    }
    let Some(answer) = Answer::read(payload) else {
        return all("Invalid JSON returned in Lambda payload".into());
    };
    let outcome = |(code, message)| Outcome { code, http: 200, message };
    tasks.iter().map(|(id, _)| outcome(answer.of(id))).collect()
}

/// AWS does not describe failures of the call itself.
/// A throttle is not the task's fault; a timeout ends as a function's own timeout does;
/// what another attempt may mend is temporary; a refusal is for good.
fn failed(error: &SdkError<InvokeError>, tasks: usize) -> Delivery {
    let status = error.raw_response().map(|response| response.status().as_u16());
    let (code, http, message) = match (error, status) {
        (_, Some(429)) => return Delivery::Throttled,
        (SdkError::TimeoutError(_), _) => {
            let message =
                r#"Lambda returned function error: {"errorMessage":"Task timed out: the call had no answer in time"}"#;
            (ResultCode::PermanentFailure, 200, message.into())
        }
        (_, Some(status @ 400..=499)) => (ResultCode::PermanentFailure, status, described(error)),
        (_, status) => (ResultCode::TemporaryFailure, status.unwrap_or(500), described(error)),
    };
    Delivery::Outcomes(vec![Outcome { code, http, message }; tasks])
}

fn described(error: &SdkError<InvokeError>) -> String {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("Lambda invocation failed: {code}: {message}"),
        (Some(code), None) => format!("Lambda invocation failed: {code}"),
        _ => format!("Lambda invocation failed: {}", DisplayErrorContext(error)),
    }
}
