use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// The events that passed `EventBridge`; clones share them.
#[derive(Clone, Default)]
pub struct Events {
    put: Arc<Mutex<Vec<PutEvent>>>,
    of_jobs: Arc<Mutex<Vec<Value>>>,
}

/// An event that a caller put.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PutEvent {
    /// The name or ARN of the bus, `default` if the caller gave none.
    pub bus: String,
    /// The event as a rule's target would see it.
    pub envelope: Value,
}

impl Events {
    /// The events that `PutEvents` accepted, oldest first.
    pub fn put(&self) -> Vec<PutEvent> {
        self.put.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The envelopes of the events that jobs made (`JobCreated`, `JobStatusChanged`), oldest first.
    pub fn of_jobs(&self) -> Vec<Value> {
        self.of_jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add_put(&self, event: PutEvent) {
        self.put.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    pub(crate) fn add_of_job(&self, envelope: Value) {
        self.of_jobs.lock().unwrap_or_else(PoisonError::into_inner).push(envelope);
    }
}
