use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::{RequestInfo, Service};

/// Requests kept while recording; older ones are dropped first.
const RECORDS_MAX: usize = 1_000_000;

/// Counts every request, and keeps each one while it is switched on; clones share what they saw.
#[derive(Clone, Default)]
pub struct Recorder {
    on: Arc<AtomicBool>,
    records: Arc<Mutex<VecDeque<Record>>>,
    counts: Arc<Mutex<BTreeMap<Count, u64>>>,
}

/// One request that was served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// The request.
    pub info: RequestInfo,
    /// When its answer was ready.
    pub ended: Instant,
    /// The status of the answer; none if the connection was cut.
    pub status: Option<u16>,
}

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Count {
    /// The function whose process sent the request, or another app id; none where the User-Agent had none.
    pub caller: Option<String>,
    /// The service.
    pub service: Service,
    /// AWS's name of the operation.
    pub operation: &'static str,
}

impl Recorder {
    /// Keeps each request from now on.
    pub fn start(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    /// Keeps no further requests and hands over those kept, in the order their answers were ready.
    pub fn stop(&self) -> Vec<Record> {
        self.on.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }

    /// The requests kept so far.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many requests of each kind arrived.
    pub fn counts(&self) -> BTreeMap<Count, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests of that operation arrived, from whomever.
    pub fn count(&self, operation: &str) -> u64 {
        let counts = self.counts();
        counts.iter().filter(|(count, _)| count.operation == operation).map(|(_, requests)| requests).sum()
    }

    /// How many requests of that operation that function (or other app id) sent.
    pub fn count_by(&self, caller: &str, operation: &str) -> u64 {
        let counts = self.counts();
        let is_meant = |count: &Count| count.caller.as_deref() == Some(caller) && count.operation == operation;
        counts.iter().filter(|(count, _)| is_meant(count)).map(|(_, requests)| requests).sum()
    }

    /// Forgets counts and kept requests.
    pub fn reset(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn arrived(&self, info: &RequestInfo) {
        let caller = info.calling_function().map(str::to_owned);
        let count = Count { caller, service: info.service, operation: info.operation };
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(count).or_default() += 1;
    }

    pub(crate) fn ended(&self, info: &RequestInfo, status: Option<u16>) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == RECORDS_MAX {
            records.pop_front();
        }
        records.push_back(Record { info: info.clone(), ended: Instant::now(), status });
    }
}
