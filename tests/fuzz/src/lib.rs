//! What a fuzzer drives: one function for everything in `domain` that reads what comes from outside.
//!
//! Each takes any bytes and panics if a promise is broken. None of them may panic otherwise, take memory out of
//! proportion to its input, or repeat what it was given in a refusal; what is accepted must survive being written and
//! read again. `bin/fuzz` drives them with libFuzzer; `tests/replay/corpora.rs` replays what was kept, on any compiler.

mod day;
mod entry;
mod environment;
mod event;
mod layout;
mod manifest;
mod mapping;
mod outcome;
mod page;
mod record;
mod report;
mod request;
mod settings;
mod silence;
mod status;
mod task;
mod url;

pub use day::day;
pub use entry::entry;
pub use environment::environment;
pub use event::event;
pub use layout::layout;
pub use manifest::manifest;
pub use mapping::mapping;
pub use outcome::outcome;
pub use page::page;
pub use record::record;
pub use report::report;
pub use request::request;
pub use settings::settings;
pub use status::status;
pub use task::task;
pub use url::url;

/// A function that a fuzzer drives.
pub type Target = fn(&[u8]);

/// All of them, by the name of their corpus and of their program.
pub const TARGETS: [(&str, Target); 16] = [
    ("day", day),
    ("entry", entry),
    ("environment", environment),
    ("event", event),
    ("layout", layout),
    ("manifest", manifest),
    ("mapping", mapping),
    ("outcome", outcome),
    ("page", page),
    ("record", record),
    ("report", report),
    ("request", request),
    ("settings", settings),
    ("status", status),
    ("task", task),
    ("url", url),
];
