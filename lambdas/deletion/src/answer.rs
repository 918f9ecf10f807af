//! A record as an answer to Delete Now.

use domain::answer::{Answer, ImmediateBody, Objects, RETRY_AFTER_SECONDS, user_id};
use domain::receipt::Method;
use domain::record::{Record, State};
use fault_point::planted;

/// What the app is told about a record.
pub fn of_record(record: &Record) -> Answer {
    Answer::new(words(record).0, &body_of(record))
}

/// A record as it is told to whoever asks for something while another run may hold it. That run looks again, and what it
/// has found complete may not be so any more: the person may have used the account since.
pub fn as_told(mut record: Record, is_held: bool) -> Record {
    planted!("answer-hasty" => return record);
    if is_held && matches!(record.state, State::Finishing { .. } | State::Settling { .. }) {
        record.state = State::Verifying;
    }
    record
}

/// The body of such an answer, which is a line of a run's answer too.
pub fn body_of(record: &Record) -> ImmediateBody {
    let (_, status, message) = words(record);
    let objects = objects(record);
    ImmediateBody {
        status,
        user_id: user_id(&record.account_id),
        deletion_id: record.deletion_id,
        state: record.state.public_name(),
        job_id: record.done.jobs.last().cloned(),
        object_count: objects.total,
        deleted_count: objects.erased,
        method: method(record),
        objects,
        held_until: if let State::Held { until, .. } = record.state { until } else { None },
        retry_after_seconds: (status == "busy").then_some(RETRY_AFTER_SECONDS),
        message: message.to_owned(),
    }
}

/// Counts of versions and markers, from what the record knows.
pub fn objects(record: &Record) -> Objects {
    let done = &record.done;
    let total = done.listed.count();
    Objects { total, erased: (done.erased + done.absent).min(total), held: done.held, failed: 0 }
}

fn method(record: &Record) -> Method {
    let by_job = !record.done.runs.is_empty() || matches!(record.state, State::Planned { .. });
    match (by_job, record.done.listed.count(), &record.state) {
        (true, ..) => Method::Batch,
        (false, 0, State::Finishing { .. } | State::Settling { .. }) => Method::None,
        (false, ..) => Method::Direct,
    }
}

fn words(record: &Record) -> (u16, &'static str, &'static str) {
    match &record.state {
        State::Finishing { .. } | State::Settling { .. } if record.done.listed.count() == 0 => {
            (200, "completed", "there was nothing to erase")
        }
        State::Finishing { .. } | State::Settling { .. } => (200, "completed", "everything was erased"),
        State::Submitted { .. } if !record.done.jobs.is_empty() => {
            (200, "batch_job_created", "a job is erasing the account; ask for its status")
        }
        State::Planned { .. } | State::Submitted { .. } => {
            (202, "batch_job_created", "a job is being created; ask for the status by deletion id")
        }
        State::Held { .. } => (200, "held", "everything that may be erased was; the rest is under Object Lock"),
        State::Failed { .. } => {
            (503, "failed", "the deletion could not go on; it is tried again, and the operators are told")
        }
        State::Claiming if record.is_being_checked() => {
            (503, "busy", "a scheduled deletion of this account is being checked; ask again")
        }
        State::Scheduling | State::Cancelling | State::Confirming => {
            (503, "busy", "another request about this account is being written down; ask again")
        }
        State::Claiming | State::Claimed | State::Verifying if planted!("answer-early") => {
            (200, "completed", "everything was erased")
        }
        State::Claiming | State::Claimed | State::Verifying => {
            (202, "in_progress", "the account is being erased; ask for the status by deletion id")
        }
    }
}
