use std::{sync::Arc, time::Duration};

use crate::{
    dispatch::{self, End},
    invoke::Invoker,
    job::{JobFailure, JobSpec, Status},
    manifest, report,
    store::{Shared, State},
};

/// Lives a job to its end, from `New` or from wherever an engine that was killed has left it.
pub(crate) async fn run(shared: Arc<Shared>, id: String) {
    let spec = shared.lock().job(&id).map(|job| job.spec.clone());
    let Some(spec) = spec else { return };
    let life = Life { shared, id, spec };
    let end = life.live().await;
    life.finish(end);
}

struct Life {
    shared: Arc<Shared>,
    id: String,
    spec: JobSpec,
}

impl Life {
    /// From status to status, until the report is written.
    async fn live(&self) -> Result<(), JobFailure> {
        while let Some(status) = self.status() {
            match status {
                Status::New => self.begin().await,
                Status::Preparing => self.prepare().await?,
                Status::Suspended => self.shared.left(&self.id, Status::Suspended).await,
                Status::Ready => self.start().await,
                Status::Active => self.work().await,
                // However the job ends.
                _ => return self.report().await,
            }
        }
        Ok(())
    }

    fn status(&self) -> Option<Status> {
        self.shared.lock().job(&self.id).map(|job| job.status)
    }

    async fn begin(&self) {
        self.gate(Status::New, self.shared.options.pace.before_preparing).await;
        self.shared.advance(&self.id, Status::New, Status::Preparing);
    }

    /// Reads the manifest, then to `Ready`, by way of `Suspended` if the job must be confirmed.
    async fn prepare(&self) -> Result<(), JobFailure> {
        let tasks = tokio::select! {
            biased;
            () = self.shared.left(&self.id, Status::Preparing) => return Ok(()),
            tasks = manifest::read(&self.shared.options.s3, &self.spec.manifest) => tasks?,
        };
        self.shared.planned(&self.id, tasks);
        let to = if self.spec.confirmation_required { Status::Suspended } else { Status::Ready };
        self.shared.advance(&self.id, Status::Preparing, to);
        Ok(())
    }

    /// Keeps the job in a status while jobs are held, and for the pause; leaves at once if the status changes.
    async fn gate(&self, status: Status, pause: Duration) {
        self.shared.until(|state| !state.is_held() || !self.is(status, state)).await;
        tokio::select! {
            biased;
            () = self.shared.left(&self.id, status) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Waits for the job's turn.
    async fn start(&self) {
        let pace = &self.shared.options.pace;
        self.gate(Status::Ready, pace.before_active).await;
        let may_go_on = |state: &State| state.may_start(&self.id, pace.active_jobs) || !self.is(Status::Ready, state);
        loop {
            self.shared.until(may_go_on).await;
            if self.shared.start(&self.id) || !self.is(Status::Ready, &self.shared.lock()) {
                return;
            }
        }
    }

    fn is(&self, status: Status, state: &State) -> bool {
        state.job(&self.id).is_some_and(|job| job.status == status)
    }

    /// Out of `Active`.
    async fn work(&self) {
        let invoker = Invoker {
            lambda: self.shared.options.lambda.clone(),
            job_id: self.id.clone(),
            operation: self.spec.operation.clone(),
        };
        match dispatch::run(&self.shared, &self.id, &invoker).await {
            // If the job was cancelled in this moment, it stays so.
            End::Done => _ = self.shared.advance(&self.id, Status::Active, Status::Completing),
            End::Stopped => {}
            End::TooManyFailures => self
                .shared
                .fail(&self.id, JobFailure::new("FailureThresholdExceeded", "More than 50% of the job's tasks failed")),
        }
    }

    /// A report is written if any task was invoked, however the job ended (UG/batch-ops-job-status).
    async fn report(&self) -> Result<(), JobFailure> {
        let ledger = self.shared.lock().ledger(&self.id);
        let Some(report) = self.spec.report.as_ref().filter(|_| ledger.invoked) else { return Ok(()) };
        let options = &self.shared.options;
        let files = report::files(report, &self.id, &ledger, self.shared.now(), options.pace.report_rows);
        report::write(&options.s3, report, files).await.map_err(|why| {
            JobFailure::new(
                "ReportNotWritten",
                format!("The job report could not be written to your report bucket: {why}"),
            )
        })
    }

    /// To the terminal status that belongs to where the job has come.
    fn finish(&self, end: Result<(), JobFailure>) {
        if let Err(failure) = end {
            self.shared.fail(&self.id, failure);
        }
        let ends = [
            (Status::Completing, Status::Complete),
            (Status::Cancelling, Status::Cancelled),
            (Status::Failing, Status::Failed),
        ];
        let ended = ends.into_iter().any(|(from, to)| self.shared.advance(&self.id, from, to));
        if !ended {
            tracing::error!(job = self.id, "a job stopped in a status that has no end");
        }
        self.shared.ended(&self.id);
    }
}
