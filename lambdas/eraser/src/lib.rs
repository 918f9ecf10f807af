//! The eraser: S3 Batch Operations hands it pages; it checks each against the record of the deletion and every key
//! against the account's prefixes, erases, and answers every task.

pub mod check;

use aws::clients::Buckets;
use aws::clock::ServerClock;
use aws::erase::{Counts, Terms, erase};
use aws::host::Host;
use aws::metrics::{Measured, Unit, emit};
use aws::pace::Pace;
use aws::page_io::{PageError, get_page, read_page_key};
use aws::put_object::{Condition, put_own};
use domain::keys::{ObjectKey, ObjectVersion};
use domain::layout::attempt_outcomes_prefix;
use domain::outcome::{Hold, Outcome, PageOutcome};
use domain::page::{Page, PageName};
use domain::settings::SharedSettings;
use domain::task::{Invocation, TaskResult};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::check::{Permits, Refusal};

/// What invocations share.
#[derive(Debug)]
pub struct Eraser {
    settings: SharedSettings,
    host: Host,
    buckets: Buckets,
    clock: ServerClock,
    pace: Pace,
    counts: Counts,
    permits: Permits,
}

impl Eraser {
    /// Makes the clients.
    pub fn new(sdk: &aws::clients::SdkConfig, settings: SharedSettings, host: Host) -> Self {
        let clock = ServerClock::default();
        Self {
            buckets: Buckets::new(sdk, &settings, &clock),
            pace: Pace::new(settings.pace_keys_per_second),
            counts: Counts::default(),
            permits: Permits::default(),
            settings,
            host,
            clock,
        }
    }

    /// Serves one invocation of S3 Batch Operations. Only an event that is none is an error; every
    /// task gets its result before `deadline`.
    pub async fn handle(&self, event: Value, deadline: Instant) -> Result<Value, String> {
        let invocation = Invocation::parse(event)?;
        let mut results = Vec::new();
        for task in &invocation.tasks {
            let result = match &task.page {
                Some(key) => self.erase_page(key, deadline).await.unwrap_or_else(|refusal| self.refuse(&refusal)),
                None => self.refuse(&Refusal::Forged("the key of the page is not UTF-8")),
            };
            results.push(result);
        }
        Ok(json!(invocation.answer(&results)))
    }

    async fn erase_page(&self, key: &ObjectKey, deadline: Instant) -> Result<TaskResult, Refusal> {
        let (deletion, attempt, name) = read_page_key(key).ok_or(Refusal::Forged("the key is not that of a page"))?;
        let page = match get_page(&self.buckets.manifest, key).await {
            Ok(page) => page,
            Err(PageError::Absent) => return Err(Refusal::Stale),
            Err(PageError::Malformed(_)) => return Err(Refusal::Forged("the page cannot be read")),
            Err(PageError::Aws(error)) => return Ok(TaskResult::TemporaryFailure(format!("page: {error}"))),
        };
        let header = &page.header;
        if (header.deletion_id, header.attempt) != (deletion, attempt) {
            return Err(Refusal::Forged("the page speaks of another deletion than its key"));
        }
        let bucket = check::page(&page, &self.settings, &self.buckets)?;
        match check::record(header, &self.buckets.manifest, &self.permits, deadline).await {
            Ok(()) => {}
            Err(check::RecordError::Refused(refusal)) => return Err(refusal),
            Err(check::RecordError::Aws(error)) => {
                return Ok(TaskResult::TemporaryFailure(format!("record: {error}")));
            }
        }
        Ok(self.erase_checked(bucket, &page, &name, deadline).await)
    }

    async fn erase_checked(&self, bucket: &aws::Bucket, page: &Page, name: &PageName, deadline: Instant) -> TaskResult {
        let versions: Vec<ObjectVersion> = page.rows.iter().map(|row| row.version.clone()).collect();
        let terms = Terms { pace: &self.pace, deadline, counts: &self.counts };
        let outcomes = match erase(bucket, &versions, terms).await {
            Ok(outcomes) => outcomes,
            Err(error) => return TaskResult::TemporaryFailure(format!("page {name}: {error}")),
        };
        self.measure(page, &outcomes);
        let Some(sum) = PageOutcome::of(versions.iter().zip(&outcomes)) else {
            let open = outcomes.iter().filter(|o| **o == Outcome::Unfinished).count();
            return TaskResult::TemporaryFailure(format!("page {name}: {open} of {} unanswered", outcomes.len()));
        };
        let prefix = attempt_outcomes_prefix(&page.header.deletion_id, page.header.attempt);
        let body = held_body(&outcomes);
        match put_own(&self.buckets.manifest, &sum.key(&prefix, name), body, Condition::None).await {
            Ok(_) => TaskResult::Succeeded(format!(
                "page {name}: {} erased, {} absent, {} held, {} denied",
                sum.erased, sum.absent, sum.held, sum.denied
            )),
            Err(error) => TaskResult::TemporaryFailure(format!("outcome of page {name}: {error}")),
        }
    }

    fn measure(&self, page: &Page, outcomes: &[Outcome]) {
        let erased = page.rows.iter().zip(outcomes).filter(|(_, o)| **o == Outcome::Erased);
        let bytes = erased.clone().map(|(row, _)| row.size).sum();
        let taken = |counter: &std::sync::atomic::AtomicU64| counter.swap(0, std::sync::atomic::Ordering::Relaxed);
        let metrics = [
            ("VersionsErased", Unit::Count, erased.count() as u64),
            ("BytesErased", Unit::Bytes, bytes),
            ("Retries", Unit::Count, taken(&self.counts.retries)),
            ("Throttles", Unit::Count, taken(&self.counts.throttles)),
        ];
        emit(self.measured(), Some(&page.header.deletion_id), &metrics);
    }

    fn measured(&self) -> Measured<'_> {
        Measured { host: &self.host, environment: &self.settings.environment, at: self.clock.now() }
    }

    fn refuse(&self, refusal: &Refusal) -> TaskResult {
        tracing::warn!(%refusal, "a task was refused");
        if matches!(refusal, Refusal::Forged(_)) {
            emit(self.measured(), None, &[("EraserRefusals", Unit::Count, 1)]);
        }
        TaskResult::PermanentFailure(refusal.to_string())
    }
}

/// When held versions become erasable, for the record: the latest date, and whether a legal hold has none.
fn held_body(outcomes: &[Outcome]) -> Vec<u8> {
    let holds = outcomes.iter().filter_map(|o| if let Outcome::Held(hold) = o { Some(hold) } else { None });
    let until = holds.clone().filter_map(|h| if let Hold::Until(at) = h { Some(*at) } else { None }).max();
    let legal = holds.into_iter().any(|h| *h == Hold::Legal);
    json!({ "heldUntil": until, "legalHold": legal }).to_string().into_bytes()
}
