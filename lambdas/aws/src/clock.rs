//! The time, as S3 tells it: the `Date` header of its answers. `LastModified` is written by the same clock, so
//! leases and due times do not depend on the clock of the machine a function happens to run on.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use domain::Timestamp;
use tokio::time::Instant;

/// What the missing fraction of a second, and servers that differ a little, account for.
const WHOLE_SECONDS: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

/// Remembers the last `Date` seen. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ServerClock(Arc<Mutex<Option<(Timestamp, Instant)>>>);

impl ServerClock {
    /// Now: the last date seen and the time since. Before the first answer, the machine's own clock.
    pub fn now(&self) -> Timestamp {
        let seen = *self.0.lock().expect("nothing panics while holding it");
        match seen {
            Some((date, at)) => date + at.elapsed(),
            None => Timestamp::now(),
        }
    }

    fn see(&self, date: &str) {
        let Ok(zoned) = jiff::fmt::rfc2822::parse(date) else { return };
        let date = zoned.timestamp();
        let mut seen = self.0.lock().expect("nothing panics while holding it");
        // The header has whole seconds: one that seems a moment behind says nothing new, and time must not go back.
        let known = seen.map(|(date, at)| date + at.elapsed());
        if !known.is_some_and(|known| known >= date && known.duration_since(date) < WHOLE_SECONDS) {
            *seen = Some((date, Instant::now()));
        }
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), aws_sdk_s3::error::BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.see(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_date_header_is_the_time_and_goes_on() {
        let clock = ServerClock::default();
        clock.see("Sun, 06 Nov 1994 08:49:37 GMT");
        tokio::time::advance(std::time::Duration::from_secs(3)).await;
        assert_eq!(clock.now().to_string(), "1994-11-06T08:49:40Z");
        clock.see("Sun, 06 Nov 1994 08:49:39 GMT");
        assert_eq!(clock.now().to_string(), "1994-11-06T08:49:40Z", "it does not go back by a fraction");
        clock.see("Sun, 06 Nov 1994 08:50:00 GMT");
        assert_eq!(clock.now().to_string(), "1994-11-06T08:50:00Z", "it follows S3");
        clock.see("Sun, 06 Nov 1994 08:49:40 GMT");
        clock.see("not a date");
        assert_eq!(clock.now().to_string(), "1994-11-06T08:49:40Z");
    }
}
