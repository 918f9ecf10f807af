use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::{Metric, embedded_metrics, environment::Identity};

/// Lines kept for one function; older ones are dropped first.
const LINES_MAX: usize = 100_000;

/// Metric points kept; older ones are dropped first.
const METRICS_MAX: usize = 100_000;

/// One line that a process wrote to stdout or stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The id of the process, `function-number`.
    pub process: String,
    /// When it was read, by the real clock.
    pub time: Timestamp,
    /// The line without its end.
    pub text: String,
}

/// `CloudWatch` as far as functions write to it: log lines, and the metrics in them.
#[derive(Default)]
pub(crate) struct Logs {
    lines: Mutex<BTreeMap<String, VecDeque<LogLine>>>,
    metrics: Mutex<VecDeque<Metric>>,
}

impl Logs {
    pub(crate) fn add(&self, from: &Identity, text: &str) {
        self.add_metrics(embedded_metrics::read(&from.function, text));
        let line = LogLine { process: from.id.clone(), time: Timestamp::now(), text: text.to_owned() };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.entry(from.function.clone()).or_default();
        lines.push_back(line);
        if lines.len() > LINES_MAX {
            lines.pop_front();
        }
    }

    fn add_metrics(&self, found: Vec<Metric>) {
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.extend(found);
        let surplus = metrics.len().saturating_sub(METRICS_MAX);
        metrics.drain(..surplus);
    }

    pub(crate) fn lines(&self, function: &str) -> Vec<LogLine> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(function).map(|lines| lines.iter().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn functions(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
