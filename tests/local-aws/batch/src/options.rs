use std::{num::NonZeroU64, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

/// The clock of creation and termination times, elapsed times and the 90-day retention.
/// Waiting (redrives, back-off, pauses) goes by tokio's clock instead.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a [`crate::Batch`] stands on.
#[derive(Clone)]
pub struct Options {
    /// The clock for everything a caller can read.
    pub now: Now,
    /// The AWS account, twelve digits; requests for another are refused.
    pub account: String,
    /// The AWS Region, in job ARNs and events.
    pub region: String,
    /// Reads manifests and writes completion reports.
    pub s3: aws_sdk_s3::Client,
    /// Invokes the jobs' functions.
    /// An operation timeout set here should be longer than the functions' own timeouts.
    pub lambda: aws_sdk_lambda::Client,
    /// Where the EventBridge envelopes of `JobCreated` and `JobStatusChanged` go, in order.
    pub events: UnboundedSender<serde_json::Value>,
    /// How fast, in which order and how faultily tasks are delivered.
    pub pace: Pace,
}

impl Options {
    /// Account 123456789012 in us-east-1 by the system's clock, at the default pace; change the fields as needed.
    pub fn new(
        s3: aws_sdk_s3::Client,
        lambda: aws_sdk_lambda::Client,
        events: UnboundedSender<serde_json::Value>,
    ) -> Self {
        Self {
            now: Arc::new(Timestamp::now),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            s3,
            lambda,
            events,
            pace: Pace::default(),
        }
    }
}

/// How tasks are delivered.
/// AWS publishes none of these numbers; they are choices that keep a local run quick.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Most invocations at once in one job (8). A job starts with one and adds one with each answer.
    pub concurrency: usize,
    /// Most jobs active at once (100); others wait in `Ready`, higher priority first.
    pub active_jobs: usize,
    /// Most tasks in one invocation (1, as AWS's own samples rely on).
    pub tasks_per_invocation: usize,
    /// How often a task that answers `TemporaryFailure` is sent again before it has failed (4).
    pub redrives: u32,
    /// Wait before each round of redrives (200 ms).
    pub redrive_delay: Duration,
    /// Wait after a throttled invocation (100 ms); doubles while throttling goes on.
    pub throttle_delay: Duration,
    /// Longest wait after a throttled invocation (5 s).
    pub throttle_delay_max: Duration,
    /// Every n-th invocation is made twice, as at-least-once delivery may; the second answer counts (never).
    pub duplicate_every: Option<NonZeroU64>,
    /// Decides the order of tasks, which is not the manifest's (0).
    pub seed: u64,
    /// Pause in `New` (none), so that the status can be seen.
    pub before_preparing: Duration,
    /// Pause in `Ready` (none), so that the status can be seen.
    pub before_active: Duration,
    /// Most rows in one file of the completion report (100,000).
    pub report_rows: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            concurrency: 8,
            active_jobs: 100,
            tasks_per_invocation: 1,
            redrives: 4,
            redrive_delay: Duration::from_millis(200),
            throttle_delay: Duration::from_millis(100),
            throttle_delay_max: Duration::from_secs(5),
            duplicate_every: None,
            seed: 0,
            before_preparing: Duration::ZERO,
            before_active: Duration::ZERO,
            report_rows: 100_000,
        }
    }
}
