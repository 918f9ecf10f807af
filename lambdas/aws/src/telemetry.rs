//! Logs: JSON lines on standard error, ids of deletions only.

use tracing_subscriber::EnvFilter;

/// Starts logging at `info`; SDK and runtime only speak from `warn` on, since their lower levels show requests.
pub fn init() {
    let filter = EnvFilter::new("warn,aws=info,photolala_deletion=info,photolala_eraser=info");
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).init();
}
