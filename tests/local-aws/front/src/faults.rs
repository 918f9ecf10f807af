use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderValue, Request, Response, header::CONTENT_LENGTH};
use local_lambda::Lambda;

use crate::{Gate, RequestInfo, Service, Verdict, answers::json_error, s3_control_error, s3_error};

/// Longer than the functions wait for an answer; the request has its effect when they have given it up.
const SLOW: Duration = Duration::from_secs(25);
/// The caller that the job engine is.
const JOBS: &str = "s3-batch-operations";

/// Faults by seed: the same seed meets the same calls with the same faults, as long as they come in the same order.
/// Functions and the job engine meet them; whoever else calls is left alone, but for errors of single keys, since those
/// are drawn where nobody knows who asks. Clones share what they did.
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    rate: f64,
    injected: BTreeMap<Fault, u64>,
    functions: BTreeSet<String>,
    lambda: Option<Lambda>,
}

/// What may become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// 500 in place of the effect.
    InternalError,
    /// 503 (Lambda: 429) in place of the effect.
    SlowDown,
    /// 500, and yet it had its effect.
    ErrorAfterEffect,
    /// The connection is cut before the effect.
    CutBefore,
    /// The connection is cut after it.
    CutAfter,
    /// The effect comes after the caller has given up.
    Slow,
    /// 200, and an error in the body (DeleteObjects).
    ErrorIn200,
    /// One key of DeleteObjects meets an error.
    KeyError,
    /// The answer to a listing ends in its middle.
    HalfPage,
    /// The process is killed before its call has an effect.
    KilledBefore,
    /// The process is killed after the effect, without having seen the answer.
    KilledAfter,
}

impl Fault {
    /// Every fault, with how often it is drawn among a hundred.
    const DRAWN: [(Self, u32); 10] = [
        (Self::InternalError, 22),
        (Self::SlowDown, 16),
        (Self::ErrorAfterEffect, 8),
        (Self::CutBefore, 12),
        (Self::CutAfter, 12),
        (Self::Slow, 4),
        (Self::ErrorIn200, 6),
        (Self::HalfPage, 8),
        (Self::KilledBefore, 6),
        (Self::KilledAfter, 6),
    ];

    fn drawn(rng: &mut Rng) -> Self {
        let tickets: u32 = Self::DRAWN.iter().map(|(_, weight)| weight).sum();
        let mut ticket = rng.u32(..tickets);
        for (fault, weight) in Self::DRAWN {
            match ticket.checked_sub(weight) {
                Some(left) => ticket = left,
                None => return fault,
            }
        }
        Self::InternalError
    }

    /// Some faults are of some calls only.
    fn fits(self, info: &RequestInfo) -> bool {
        match self {
            Self::ErrorIn200 => info.operation == "DeleteObjects",
            Self::HalfPage => info.operation.starts_with("List"),
            // The job engine is AWS's own and no process of ours.
            Self::KilledBefore | Self::KilledAfter => info.calling_function() != Some(JOBS),
            _ => true,
        }
    }
}

impl Faults {
    /// Faults for this share of the calls: 0.0 to 1.0.
    pub fn new(seed: u64, rate: f64) -> Self {
        let state = State {
            rng: Rng::with_seed(seed),
            rate,
            injected: BTreeMap::new(),
            functions: BTreeSet::new(),
            lambda: None,
        };
        Self(Arc::new(Shared { state: Mutex::new(state) }))
    }

    /// From `SEED` or `SEED:RATE`, such as `7:0.1`; the rate is 0.05 where none is named.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (seed, rate) = text.split_once(':').unwrap_or((text, "0.05"));
        let seed = seed.parse().map_err(|_| format!("the seed {seed:?} is not a whole number"))?;
        let rate = rate.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
        let rate = rate.ok_or_else(|| "the rate is a share of the calls, from 0 to 1".to_owned())?;
        Ok(Self::new(seed, rate))
    }

    /// What was injected so far.
    pub fn injected(&self) -> BTreeMap<Fault, u64> {
        self.state().injected.clone()
    }

    /// Another rate from now on; 0.0 ends all faults.
    pub fn set_rate(&self, rate: f64) {
        self.state().rate = rate;
    }

    /// Says which functions it may kill.
    pub(crate) fn among(&self, lambda: &Lambda) {
        let mut state = self.state();
        state.functions = lambda.functions().into_iter().map(|function| function.name).collect();
        state.lambda = Some(lambda.clone());
    }

    /// The error that one key of DeleteObjects meets, if any.
    pub(crate) fn of_key(&self) -> Option<&'static str> {
        const CODES: [&str; 4] = ["InternalError", "InternalError", "SlowDown", "AccessDenied"];
        let mut state = self.state();
        let rate = state.rate;
        if state.rng.f64() >= rate {
            return None;
        }
        *state.injected.entry(Fault::KeyError).or_default() += 1;
        Some(CODES[state.rng.usize(..CODES.len())])
    }

    fn draw(&self, info: &RequestInfo) -> Option<Fault> {
        let mut state = self.state();
        let is_met = info.calling_function().is_some_and(|caller| caller == JOBS || state.functions.contains(caller));
        let rate = state.rate;
        if !is_met || state.rng.f64() >= rate {
            return None;
        }
        let fault = Fault::drawn(&mut state.rng);
        if !fault.fits(info) {
            return None;
        }
        *state.injected.entry(fault).or_default() += 1;
        Some(fault)
    }

    fn kill(&self, info: &RequestInfo) -> Verdict {
        let lambda = self.state().lambda.clone();
        if let (Some(lambda), Some(caller)) = (lambda, &info.caller) {
            lambda.kill_process(caller);
        }
        Verdict::Drop
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Gate for Faults {
    /// What comes after the effect is decided here as well, and remembered in the request's number.
    async fn before(&self, info: &RequestInfo, _: &Request<Bytes>) -> Verdict {
        match self.draw(info) {
            Some(Fault::InternalError) => Verdict::Answer(refusal(info.service, 500)),
            Some(Fault::SlowDown) => Verdict::Answer(refusal(info.service, 503)),
            Some(Fault::CutBefore) => Verdict::Drop,
            Some(Fault::KilledBefore) => self.kill(info),
            Some(Fault::ErrorIn200) => Verdict::Answer(error_in_200()),
            Some(Fault::Slow) => {
                tokio::time::sleep(SLOW).await;
                Verdict::Proceed
            }
            Some(after) => Verdict::ProceedThen(after),
            None => Verdict::Proceed,
        }
    }

    async fn after_fault(&self, fault: Fault, info: &RequestInfo, response: Response<Bytes>) -> Verdict {
        match fault {
            Fault::ErrorAfterEffect => Verdict::Answer(refusal(info.service, 500)),
            Fault::HalfPage => Verdict::Answer(half(response)),
            Fault::KilledAfter => self.kill(info),
            _ => Verdict::Drop,
        }
    }
}

fn refusal(service: Service, status: u16) -> Response<Bytes> {
    let (code, message) = match status {
        500 => ("InternalError", "We encountered an internal error. Please try again."),
        _ => ("SlowDown", "Please reduce your request rate."),
    };
    match service {
        Service::S3 => s3_error(status, code, message),
        Service::S3Control => s3_control_error(status, code, message),
        Service::Lambda if status == 503 => json_error(429, "TooManyRequestsException", "Rate Exceeded."),
        _ => json_error(status, code, message),
    }
}

/// S3 may find out that it cannot go on once it has sent the status.
fn error_in_200() -> Response<Bytes> {
    s3_error(200, "InternalError", "We encountered an internal error. Please try again.")
}

fn half(mut response: Response<Bytes>) -> Response<Bytes> {
    let body = response.body();
    let half = body.slice(..body.len() / 2);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(half.len()));
    *response.body_mut() = half;
    response
}

impl fmt::Display for Faults {
    /// `12 faults: CutAfter 3, InternalError 9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let injected = self.injected();
        let each: Vec<String> = injected.iter().map(|(fault, times)| format!("{fault:?} {times}")).collect();
        write!(f, "{} faults: {}", injected.values().sum::<u64>(), each.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_and_rates_are_read() {
        let rate = |text| format!("{}", Faults::parse(text).unwrap().state().rate);
        assert_eq!([rate("7:0.25"), rate("7")], ["0.25", "0.05"]);
        for wrong in ["", "x", "7:", "7:2", "7:-0.1", ":0.1", "7:NaN"] {
            assert!(Faults::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_seed_draws_the_same_faults_again_and_all_of_them() {
        let drawn = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..500).map(|_| Fault::drawn(&mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!(Fault::DRAWN.iter().all(|(fault, _)| drawn(1).contains(fault)));
    }
}
