//! What a process has from its host, Lambda: random ids, standard output, and the moment it must have stopped by.
//! Nothing else reaches for them.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use uuid::Uuid;

/// Kept free before the function's timeout: a timeout would end as a failure nobody chose.
pub const MARGIN: Duration = Duration::from_secs(10);

/// A process's host.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// An id that nobody can guess.
    pub new_uuid: fn() -> Uuid,
    /// Writes a line to standard output, which CloudWatch reads.
    pub print: fn(&str),
}

impl Host {
    /// AWS Lambda.
    pub const LAMBDA: Self = Self { new_uuid: Uuid::new_v4, print: |line| println!("{line}") };
}

/// The moment to have stopped by, on this process's steady clock. `deadline_ms` is the function's timeout, in
/// milliseconds since 1970 on the machine's clock (Lambda's `Lambda-Runtime-Deadline-Ms`).
pub fn stop_by(deadline_ms: u64) -> Instant {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant::now() + Duration::from_millis(deadline_ms).saturating_sub(now).saturating_sub(MARGIN)
}
