//! The shared pace of everything this process erases.

use std::sync::Mutex;
use std::time::Duration;

use domain::pace::Pacer;
use tokio::time::Instant;

/// A [`Pacer`] that knows the time.
#[derive(Debug)]
pub struct Pace {
    pacer: Mutex<Pacer>,
    started: Instant,
}

impl Pace {
    /// At most this many keys a second.
    pub fn new(keys_per_second: u32) -> Self {
        Self { pacer: Mutex::new(Pacer::new(keys_per_second, 0.0)), started: Instant::now() }
    }

    /// Waits until there is room for this many keys.
    pub async fn wait(&self, keys: usize) {
        let seconds = self.with(|pacer, now| pacer.reserve(keys, now));
        if seconds > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        }
    }

    /// S3 said `SlowDown`.
    pub fn slow_down(&self) {
        self.with(Pacer::slow_down);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Pacer, f64) -> T) -> T {
        let now = self.started.elapsed().as_secs_f64();
        act(&mut self.pacer.lock().expect("nothing panics while holding it"), now)
    }
}
