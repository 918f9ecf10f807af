//! The deletion function. Start with [`handler`], then [`life`]: the states of a deletion, one after another.

pub mod answer;
pub mod begin;
pub mod cancel;
pub mod candidate;
pub mod caps;
pub mod check;
pub mod claim;
pub mod clean;
pub mod confirm;
pub mod desk;
pub mod dry_run;
pub mod due;
pub mod entries;
pub mod erase;
pub mod finish;
pub mod handler;
pub mod holder;
pub mod immediate;
pub mod job;
pub mod life;
pub mod listing;
pub mod mappings;
pub mod notices;
pub mod plan;
pub mod reconcile;
pub mod resume;
pub mod schedule;
pub mod scheduled;
pub mod settle;
pub mod sign_ins;
pub mod status;
pub mod statuses;
pub mod submit;
pub mod survey;
pub mod verify;

use aws::clients::{Buckets, SdkConfig};
use aws::clock::ServerClock;
use aws::erase::Counts;
use aws::host::Host;
use aws::list_objects::list_page;
use aws::metrics::{Measured, Unit, emit};
use aws::pace::Pace;
use aws::{AwsError, Bucket};
use domain::Timestamp;
use domain::ids::{AccountId, DeletionId, Nonce};
use domain::layout::{AccountPrefix, DAYS};
use domain::receipt::Place;
use domain::settings::DeletionSettings;
use jiff::SignedDuration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::desk::Desk;

/// What invocations share.
#[derive(Debug)]
pub struct App {
    /// From the environment's variables.
    pub settings: DeletionSettings,
    /// Where random ids come from and metrics go to.
    pub host: Host,
    /// Where everything lies.
    pub buckets: Buckets,
    /// S3 Batch Operations.
    pub jobs: aws_sdk_s3control::Client,
    /// To hand work over to another invocation.
    pub lambda: aws_sdk_lambda::Client,
    /// Takes notices.
    pub events: aws_sdk_eventbridge::Client,
    /// S3's time.
    pub clock: ServerClock,
    /// The pace of everything erased by this process.
    pub pace: Pace,
    /// For the metrics.
    pub counts: Counts,
    /// Where accounts that are in work at the same time share a listing of mappings.
    pub desk: Desk,
    /// Accounts that are surveyed and erased at the same time.
    pub places: Semaphore,
    /// Accounts whose requests and statuses are read at the same time.
    pub looks: Semaphore,
}

/// Accounts erased at the same time: their pages are what memory holds.
const ACCOUNTS_ERASED_AT_ONCE: usize = 8;
/// Accounts looked at at the same time, with a handful of small reads each.
const LOOKS_AT_ONCE: usize = 32;

impl App {
    /// Makes the clients.
    pub fn new(sdk: &SdkConfig, settings: DeletionSettings, host: Host) -> Self {
        let clock = ServerClock::default();
        Self {
            buckets: Buckets::new(sdk, &settings.shared, &clock),
            jobs: aws::clients::jobs(sdk),
            lambda: aws_sdk_lambda::Client::new(sdk),
            events: aws_sdk_eventbridge::Client::new(sdk),
            pace: Pace::new(settings.shared.pace_keys_per_second),
            counts: Counts::default(),
            desk: Desk::default(),
            places: Semaphore::new(ACCOUNTS_ERASED_AT_ONCE),
            looks: Semaphore::new(LOOKS_AT_ONCE),
            clock,
            host,
            settings,
        }
    }

    /// The service's own bucket.
    pub fn manifest(&self) -> &Bucket {
        &self.buckets.manifest
    }

    /// Every prefix of an account.
    pub fn prefixes(&self, account: &AccountId) -> Vec<AccountPrefix> {
        AccountPrefix::all(&self.settings.shared.account_prefixes, account)
    }

    /// The template of an account prefix: what receipts and metrics may name.
    pub fn template(&self, prefix: &AccountPrefix) -> &str {
        self.settings.shared.account_prefixes[prefix.template()].as_str()
    }

    /// What receipts say about this service.
    pub fn place(&self) -> Place {
        Place {
            environment: self.settings.shared.environment.clone(),
            buckets: self.buckets.photos.iter().map(|b| b.name.to_string()).collect(),
            other_stores: self.settings.other_stores.clone(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Prints metrics about a deletion.
    pub fn measure(&self, deletion: Option<&DeletionId>, metrics: &[(&str, Unit, u64)]) {
        let environment = &self.settings.shared.environment;
        emit(Measured { host: &self.host, environment, at: self.clock.now() }, deletion, metrics);
    }

    /// A fresh nonce.
    pub fn nonce(&self) -> Nonce {
        Nonce::new((self.host.new_uuid)())
    }
}

/// Asks S3 for the time, so that a fresh process does not go by its machine's.
pub async fn set_clock(app: &App, deadline: Instant) -> Result<(), AwsError> {
    aws::retry::retrying(deadline, async || list_page(app.manifest(), DAYS, None).await).await.map(|_| ())
}

/// One invocation: how long it may take, and who waits for it.
#[derive(Debug, Clone)]
pub struct Turn {
    /// When to have stopped.
    pub deadline: Instant,
    /// When a caller has waited long enough: planning is handed over then.
    pub patience: Option<Instant>,
    /// The function's own name, to hand over to.
    pub function: String,
    /// How far this invocation's time is ahead of S3's: none, but where an event may name a time.
    pub ahead: SignedDuration,
    /// Whether planned deletions are left held, to go into one job together.
    pub gathers: bool,
}

impl Turn {
    /// The moment to judge requests by.
    pub fn now(&self, app: &App) -> Timestamp {
        app.clock.now().checked_add(self.ahead).unwrap_or(Timestamp::MAX)
    }
}

/// Why an invocation stops before the deletion is complete. The record stays, and a later run goes on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Stop {
    /// Another run holds the record now.
    #[error("another run has taken over")]
    Lost,
    /// Time is nearly up.
    #[error("time is up; a later run goes on")]
    TimeUp,
    /// AWS refused, or kept failing.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Something is there that must not be guessed about.
    #[error("{0}")]
    Refused(String),
}

impl Stop {
    /// Whether somebody should hear of it: not where another run was quicker, or a later one goes on.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Lost | Self::TimeUp)
    }
}
