//! Logs: JSON lines on standard error, ids of deletions only.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard error.
pub fn init() {
    logger(std::io::stderr).init();
}

/// Logs at `info`; SDK and runtime only speak from `warn` on, since their lower levels show requests.
pub fn logger<W>(writer: W) -> impl SubscriberInitExt
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::new("warn,aws=info,photolala_deletion=info,photolala_eraser=info");
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(writer).finish()
}
