use domain::record::{Awaited, Record, State};

use crate::silence;

/// The record of a deletion, as the deletion function and as the eraser read it.
pub fn record(data: &[u8]) {
    let awaited = Awaited::parse(data);
    match Record::parse(data) {
        Ok(record) => {
            assert!(awaited.is_none() || awaited == awaits(&record), "the eraser acts on what waits, and on no more");
            reads_back(&record);
        }
        Err(refusal) => silence::check(&refusal, data),
    }
}

fn awaits(record: &Record) -> Option<Awaited> {
    let waits = matches!(record.state, State::Submitted { .. });
    waits.then_some(Awaited { deletion_id: record.deletion_id, attempt: record.attempt })
}

fn reads_back(record: &Record) {
    let json = record.to_json();
    assert_eq!(Record::parse(&json).as_ref(), Ok(record), "as it was written");
    assert_eq!(Awaited::parse(&json), awaits(record), "both read what is written");
}
