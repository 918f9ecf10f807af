use std::sync::Arc;

use crate::{job::Progress, manifest::Task};

/// What is known of a job's work, whatever becomes of the engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// The manifest's rows.
    pub(crate) tasks: Arc<[Task]>,
    /// Whether the function was invoked at all.
    pub(crate) invoked: bool,
    finals: Vec<Option<Final>>,
    succeeded: u64,
    failed: u64,
}

/// A task's last word, a row of the completion report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Final {
    pub(crate) succeeded: bool,
    pub(crate) http: u16,
    /// Empty if the task succeeded.
    pub(crate) error: &'static str,
    pub(crate) message: String,
}

impl Ledger {
    /// Of tasks none of which has run.
    pub(crate) fn of(tasks: Vec<Task>) -> Self {
        Self { finals: vec![None; tasks.len()], tasks: tasks.into(), ..Self::default() }
    }

    /// Writes a task's last word down; the first one stays.
    pub(crate) fn conclude(&mut self, index: usize, last: Final) {
        if self.finals[index].is_none() {
            let count = if last.succeeded { &mut self.succeeded } else { &mut self.failed };
            *count += 1;
            self.finals[index] = Some(last);
        }
    }

    /// The counters.
    pub(crate) fn progress(&self) -> Progress {
        Progress { total: self.tasks.len() as u64, succeeded: self.succeeded, failed: self.failed }
    }

    /// The tasks that have not ended, by index.
    pub(crate) fn open(&self) -> impl Iterator<Item = usize> {
        self.finals.iter().enumerate().filter(|(_, last)| last.is_none()).map(|(index, _)| index)
    }

    /// The tasks that have ended, in the manifest's order.
    pub(crate) fn ended(&self) -> impl Iterator<Item = (&Task, &Final)> {
        self.tasks.iter().zip(&self.finals).filter_map(|(task, last)| Some((task, last.as_ref()?)))
    }
}
