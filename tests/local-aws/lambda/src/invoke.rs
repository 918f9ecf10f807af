use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::{instance::Instance, lambda::Shared, name::Target, process::Ended};

/// The answer to one request that Lambda took on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// The request's id, the same in the function's context.
    pub request_id: String,
    /// The version that ran.
    pub version: String,
    /// What the function made of it.
    pub outcome: Outcome,
}

/// What a function made of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function answered.
    Answer(Bytes),
    /// The function said it failed, died, or ran out of time: JSON with `errorType` and `errorMessage`.
    FunctionError(Bytes),
}

impl Outcome {
    /// The payload of either.
    pub fn into_payload(self) -> Bytes {
        match self {
            Self::Answer(payload) | Self::FunctionError(payload) => payload,
        }
    }

    pub(crate) fn error(kind: &str, message: &str) -> Self {
        let body = json!({ "errorType": kind, "errorMessage": message });
        Self::FunctionError(Bytes::from(body.to_string()))
    }
}

pub(crate) fn new_request_id() -> String {
    Uuid::new_v4().to_string()
}

/// Runs one request on an idle process or a new one.
/// It runs to its end even if the caller goes away, as on AWS.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    target: &Target,
    request_id: String,
    payload: Bytes,
    slot: OwnedSemaphorePermit,
) -> Invoked {
    let (shared, owned) = (shared.clone(), target.clone());
    let id = request_id.clone();
    let running = tokio::spawn(async move {
        let outcome = outcome(&shared, &owned, &id, payload).await;
        drop(slot);
        outcome
    });
    let outcome = running.await.unwrap_or_else(|_| Outcome::error("Runtime.Unknown", "the local Lambda ended"));
    Invoked { request_id, version: target.version.clone(), outcome }
}

async fn outcome(shared: &Shared, target: &Target, id: &str, payload: Bytes) -> Outcome {
    // A process that died while it was idle never saw the request, so the request goes to another.
    while let Some(process) = target.pool.take_idle(&target.version) {
        let finished = process.run(id, &target.arn, payload.clone()).await;
        if !matches!(finished, Err(Ended::BeforeDelivery(_))) {
            return finish(target, process, id, finished);
        }
    }
    match Instance::start(shared, target) {
        Ok(process) => {
            let finished = process.run(id, &target.arn, payload).await;
            finish(target, process, id, finished)
        }
        Err(error) => {
            let name = &target.pool.function.name;
            let message = format!("RequestId: {id} Error: cannot start {name}: {error}");
            Outcome::error("Runtime.InvalidEntrypoint", &message)
        }
    }
}

fn finish(target: &Target, process: Arc<Instance>, id: &str, finished: Result<Outcome, Ended>) -> Outcome {
    match finished {
        Ok(outcome) => {
            target.pool.give_back(process);
            outcome
        }
        Err(ended) => ended.outcome(id),
    }
}
