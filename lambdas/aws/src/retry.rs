//! Trying again, within a bound of tries and a deadline.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::AwsError;

/// Tries of one call.
const TRIES_MAX: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Calls until it succeeds, fails for good, has been tried eight times, or the deadline is near.
pub async fn retrying<T>(deadline: Instant, call: impl AsyncFn() -> Result<T, AwsError>) -> Result<T, AwsError> {
    let mut tries = 0;
    loop {
        let error = match call().await {
            Err(error) if error.is_passing() => error,
            settled => return settled,
        };
        tries += 1;
        let wait = backoff(tries);
        if tries == TRIES_MAX || Instant::now() + wait >= deadline {
            return Err(error);
        }
        tracing::debug!(operation = error.operation, code = %error.code, tries, "trying again");
        tokio::time::sleep(wait).await;
    }
}

/// Exponential, with full jitter over its upper half: workers that failed together do not come back together.
pub fn backoff(tries: u32) -> Duration {
    let ceiling = FIRST_WAIT.saturating_mul(1 << tries.min(16)).min(LONGEST_WAIT);
    ceiling / 2 + (ceiling / 2).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::Cause;

    fn failure(cause: Cause) -> AwsError {
        AwsError { operation: "Test", code: "X".to_owned(), status: None, request_id: None, cause }
    }

    async fn tries_until(good_at: u32, cause: Cause, seconds: u64) -> (u32, bool) {
        let tries = Cell::new(0);
        let call = async || {
            tries.set(tries.get() + 1);
            if tries.get() == good_at { Ok(()) } else { Err(failure(cause)) }
        };
        let done = retrying(Instant::now() + Duration::from_secs(seconds), call).await.is_ok();
        (tries.get(), done)
    }

    #[tokio::test(start_paused = true)]
    async fn passing_failures_are_tried_again_within_a_bound() {
        assert_eq!(tries_until(5, Cause::Transient, 60).await, (5, true));
        assert_eq!(tries_until(99, Cause::Throttled, 600).await, (TRIES_MAX, false));
        assert_eq!(tries_until(2, Cause::Denied, 60).await, (1, false));
        assert_eq!(tries_until(99, Cause::Transient, 0).await, (1, false));
    }
}
