//! The pace of erasing: a token bucket whose rate falls when S3 says `SlowDown` and slowly rises again
//! (additive increase, multiplicative decrease), so that live uploads keep their room.

/// What the rate is multiplied by at each `SlowDown`.
const DECREASE: f64 = 0.7;
/// Share of the ceiling won back per second without a `SlowDown`.
const INCREASE_PER_SECOND: f64 = 0.05;
/// The rate never falls below this share of the ceiling: a deletion always moves.
const FLOOR: f64 = 0.02;
/// Two `SlowDown`s within this many seconds are one event: requests in flight fail together.
const SAME_EVENT_SECONDS: f64 = 0.5;

/// A pacer. Times are seconds on any steady clock; the caller brings them.
#[derive(Debug)]
pub struct Pacer {
    ceiling: f64,
    rate: f64,
    /// When the next key may go; a reservation moves it on.
    next_at: f64,
    slowed_at: f64,
    risen_at: f64,
}

impl Pacer {
    /// At most `keys_per_second`, from `now` on.
    pub fn new(keys_per_second: u32, now: f64) -> Self {
        let ceiling = f64::from(keys_per_second.max(1));
        Self { ceiling, rate: ceiling, next_at: now, slowed_at: f64::NEG_INFINITY, risen_at: now }
    }

    /// Reserves room for `keys` and says how many seconds to wait before sending them.
    /// Idle time is not saved up: the first request goes at once, and pays with the wait of the next.
    pub fn reserve(&mut self, keys: usize, now: f64) -> f64 {
        self.rise(now);
        let starts = self.next_at.max(now);
        #[allow(clippy::cast_precision_loss, reason = "a request has at most 1,000 keys")]
        let takes = keys as f64 / self.rate;
        self.next_at = starts + takes;
        starts - now
    }

    /// S3 said `SlowDown`.
    pub fn slow_down(&mut self, now: f64) {
        if now - self.slowed_at >= SAME_EVENT_SECONDS {
            self.rate = (self.rate * DECREASE).max(self.ceiling * FLOOR);
            self.slowed_at = now;
        }
        self.risen_at = now;
    }

    /// Keys a second just now.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    fn rise(&mut self, now: f64) {
        let gained = (now - self.risen_at).max(0.0) * INCREASE_PER_SECOND * self.ceiling;
        self.rate = (self.rate + gained).min(self.ceiling);
        self.risen_at = self.risen_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_ceiling_is_kept_over_any_stretch(sizes in proptest::collection::vec(1_usize..1_000, 1..50)) {
            let mut pacer = Pacer::new(2_500, 0.0);
            let (mut now, mut sent) = (0.0, 0_usize);
            for keys in sizes {
                now += pacer.reserve(keys, now);
                #[allow(clippy::cast_precision_loss)]
                let before = sent as f64;
                prop_assert!(before <= 2_500.0 * now + 1e-6);
                sent += keys;
            }
        }
    }

    #[test]
    fn slow_down_slows_and_time_heals() {
        let mut pacer = Pacer::new(1_000, 0.0);
        pacer.slow_down(1.0);
        pacer.slow_down(1.1);
        assert!((pacer.rate() - 700.0).abs() < 1e-6, "one event, one step");
        pacer.reserve(1, 2.1);
        assert!((pacer.rate() - 750.0).abs() < 1e-6);
        for second in 0..100 {
            pacer.slow_down(10.0 + f64::from(second));
        }
        assert!(pacer.rate() >= 20.0, "it always moves");
    }
}
