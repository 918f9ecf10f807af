use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, time::Instant};

/// The clock of S3, S3 Batch Operations and `EventBridge`: the real one, moved by an offset. It stands still where
/// tokio's clock is paused.
/// Lambda's deadlines and every wait go by tokio's clock.
#[derive(Clone)]
pub struct Clock {
    /// When it was made, by the real clock and by tokio's.
    start: (Timestamp, Instant),
    offset: Arc<RwLock<SignedDuration>>,
    moved: Arc<watch::Sender<()>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { start: (Timestamp::now(), Instant::now()), offset: Arc::default(), moved: Arc::default() }
    }
}

impl Clock {
    /// The moved time.
    pub fn now(&self) -> Timestamp {
        self.unmoved().saturating_add(self.offset()).expect("a signed duration is never refused")
    }

    /// How far the clock is ahead of the real one.
    pub fn offset(&self) -> SignedDuration {
        *self.offset.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock on, or back with a negative duration.
    /// Scheduled rules that became due fire soon after; [`crate::LocalAws::advance`] fires them at once.
    pub fn advance(&self, by: SignedDuration) {
        let mut offset = self.offset.write().unwrap_or_else(PoisonError::into_inner);
        *offset = offset.saturating_add(by);
        drop(offset);
        self.moved.send_replace(());
    }

    /// Sets the clock; it runs on from there.
    pub fn set(&self, now: Timestamp) {
        *self.offset.write().unwrap_or_else(PoisonError::into_inner) = now.duration_since(self.unmoved());
        self.moved.send_replace(());
    }

    /// The clock as the other crates take it.
    pub(crate) fn shared(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// Wakes at every move.
    pub(crate) fn moves(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    fn unmoved(&self) -> Timestamp {
        let (then, instant) = self.start;
        then.saturating_add(instant.elapsed()).expect("a process does not live for thousands of years")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_and_runs_on() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(SignedDuration::from_hours(48));
        let ahead = clock.now().duration_since(before);
        assert!(ahead >= SignedDuration::from_hours(48), "{ahead}");
        let then: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        clock.set(then);
        assert!(clock.now() >= then && clock.now() < then.checked_add(SignedDuration::from_hours(1)).unwrap());
        assert!((clock.shared())() >= then);
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_stands_still_where_time_is_paused() {
        let clock = Clock::default();
        let before = clock.now();
        tokio::time::advance(std::time::Duration::from_secs(7)).await;
        assert_eq!(clock.now().duration_since(before), SignedDuration::from_secs(7));
    }
}
