use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    Job, Options, api,
    job::JobFailure,
    store::{Shared, State},
};

/// S3 Batch Operations of one AWS account in one Region; clones share their jobs.
#[derive(Clone)]
pub struct Batch {
    shared: Arc<Shared>,
}

impl Batch {
    /// No jobs yet.
    pub fn new(options: Options) -> Self {
        Self { shared: Arc::new(Shared::new(options)) }
    }

    /// Answers one request of the S3 Control API.
    /// A created job runs on the tokio runtime that made this call.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        api::answer(&self.shared, request)
    }

    /// Every job that is remembered, oldest first.
    pub fn jobs(&self) -> Vec<Job> {
        self.shared.swept().jobs().cloned().collect()
    }

    /// The job of that id, as it is now.
    pub fn job(&self, id: &str) -> Option<Job> {
        self.shared.swept().job(id).cloned()
    }

    /// Waits until the job satisfies `met` at one of its changes of status; `None` if there is no such job.
    pub async fn wait(&self, id: &str, mut met: impl FnMut(&Job) -> bool) -> Option<Job> {
        let seen = |state: &State, met: &mut dyn FnMut(&Job) -> bool| state.job(id).is_none_or(met);
        self.shared.until(|state| seen(state, &mut met)).await;
        self.job(id)
    }

    /// Waits until the job is `Complete`, `Cancelled` or `Failed`; `None` if there is no such job.
    pub async fn finished(&self, id: &str) -> Option<Job> {
        self.wait(id, |job| job.status.is_terminal()).await
    }

    /// Puts a live job on its way to `Cancelled`, as UpdateJobStatus does; false if it has ended or is unknown.
    pub fn cancel(&self, id: &str) -> bool {
        self.shared.request_status(id, false, None).is_ok()
    }

    /// Puts a live job on its way to `Failed`, as a fault inside S3 Batch Operations would.
    pub fn fail(&self, id: &str) {
        self.shared.fail(id, JobFailure::new("InternalError", "An injected fault: the job could not go on"));
    }

    /// Kills the engine and starts it again, as often happens to a service that lives long; answers how many jobs it
    /// then took up. What it had written down stays. Invocations in flight go on in Lambda and their answers are
    /// lost, so their tasks are delivered again, as at-least-once delivery may.
    pub async fn crash(&self) -> usize {
        self.shared.crash().await
    }

    /// Keeps jobs from leaving `New` and `Ready` until [`Batch::release`].
    pub fn hold(&self) {
        self.shared.hold(true);
    }

    /// Lets held jobs go on.
    pub fn release(&self) {
        self.shared.hold(false);
    }
}
