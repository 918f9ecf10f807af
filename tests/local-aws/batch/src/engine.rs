use std::{sync::Arc, time::Duration};

use crate::{
    dispatch::{self, End, Ledger},
    invoke::Invoker,
    job::{JobFailure, JobSpec, Progress, Status},
    manifest::{self, Task},
    report,
    store::Shared,
};

/// Lives a job from `New` to its end.
pub(crate) async fn run(shared: Arc<Shared>, id: String) {
    let spec = shared.lock().job(&id).map(|job| job.spec.clone());
    let Some(spec) = spec else { return };
    let life = Life { shared, id, spec };
    let end = match life.prepare().await {
        Ok(tasks) => life.work(&tasks).await,
        Err(stop) => Err(stop),
    };
    life.finish(end);
}

/// Why a job does not go on.
enum Stop {
    /// Its status was changed from outside: cancelled, or failed by time.
    Moved,
    /// It cannot go on.
    Failed(JobFailure),
}

struct Life {
    shared: Arc<Shared>,
    id: String,
    spec: JobSpec,
}

impl Life {
    /// From `New` to `Active`.
    async fn prepare(&self) -> Result<Vec<Task>, Stop> {
        let pace = &self.shared.options.pace;
        self.gate(Status::New, pace.before_preparing).await;
        self.advance(Status::New, Status::Preparing)?;
        let tasks = tokio::select! {
            biased;
            () = self.shared.left(&self.id, Status::Preparing) => return Err(Stop::Moved),
            tasks = manifest::read(&self.shared.options.s3, &self.spec.manifest) => tasks.map_err(Stop::Failed)?,
        };
        self.shared.progress(&self.id, Progress { total: tasks.len() as u64, ..Progress::default() });
        self.confirm().await?;
        self.gate(Status::Ready, pace.before_active).await;
        self.start().await?;
        Ok(tasks)
    }

    /// Keeps the job in a status while jobs are held, and for the pause; leaves at once if the status changes.
    async fn gate(&self, status: Status, pause: Duration) {
        let is_here = |state: &crate::store::State| state.job(&self.id).is_some_and(|job| job.status == status);
        self.shared.until(|state| !state.is_held() || !is_here(state)).await;
        tokio::select! {
            biased;
            () = self.shared.left(&self.id, status) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// From `Preparing` to `Ready`, by way of `Suspended` if the job must be confirmed.
    async fn confirm(&self) -> Result<(), Stop> {
        if !self.spec.confirmation_required {
            return self.advance(Status::Preparing, Status::Ready);
        }
        self.advance(Status::Preparing, Status::Suspended)?;
        self.shared.left(&self.id, Status::Suspended).await;
        Ok(())
    }

    /// Waits for the job's turn.
    async fn start(&self) -> Result<(), Stop> {
        let most = self.shared.options.pace.active_jobs;
        loop {
            let is_ready =
                |state: &crate::store::State| state.job(&self.id).is_some_and(|job| job.status == Status::Ready);
            self.shared.until(|state| state.may_start(&self.id, most) || !is_ready(state)).await;
            if self.shared.start(&self.id) {
                return Ok(());
            }
            if !is_ready(&self.shared.lock()) {
                return Err(Stop::Moved);
            }
        }
    }

    /// From `Active` to the written report.
    async fn work(&self, tasks: &[Task]) -> Result<(), Stop> {
        let invoker = Invoker {
            lambda: self.shared.options.lambda.clone(),
            job_id: self.id.clone(),
            operation: self.spec.operation.clone(),
        };
        let ledger = dispatch::run(&self.shared, &self.id, &invoker, tasks).await;
        match ledger.end {
            // If the job was cancelled in this moment, it stays so.
            End::Done => _ = self.shared.advance(&self.id, Status::Active, Status::Completing),
            End::Stopped => {}
            End::TooManyFailures => self
                .shared
                .fail(&self.id, JobFailure::new("FailureThresholdExceeded", "More than 50% of the job's tasks failed")),
        }
        self.report(tasks, &ledger).await.map_err(Stop::Failed)
    }

    /// A report is written if any task was invoked, however the job ended (UG/batch-ops-job-status).
    async fn report(&self, tasks: &[Task], ledger: &Ledger) -> Result<(), JobFailure> {
        let Some(report) = self.spec.report.as_ref().filter(|_| ledger.invoked) else { return Ok(()) };
        let options = &self.shared.options;
        let files = report::files(report, &self.id, tasks, &ledger.finals, self.shared.now(), options.pace.report_rows);
        report::write(&options.s3, report, files).await.map_err(|why| {
            JobFailure::new(
                "ReportNotWritten",
                format!("The job report could not be written to your report bucket: {why}"),
            )
        })
    }

    /// To the terminal status that belongs to where the job has come.
    fn finish(&self, end: Result<(), Stop>) {
        if let Err(Stop::Failed(failure)) = end {
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
    }

    fn advance(&self, from: Status, to: Status) -> Result<(), Stop> {
        self.shared.advance(&self.id, from, to).then_some(()).ok_or(Stop::Moved)
    }
}
