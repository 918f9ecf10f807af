//! Places in the functions' code where a test-only build can go wrong on purpose, each by a name.
//!
//! `planted!("sever-nothing")` is `false`, and no code at all, unless the feature `planted` is on. The simulation switches
//! it on for the workspace's builds; the functions are deployed without it, and `bin/functions` refuses them otherwise.
//! `tests/planted` lists every name with what goes wrong there, and sees to it that the tests notice each.
//!
//! A fault point is code like any other: whatever is renamed or moved takes it along.

/// What stands before each name in a program that has fault points, so that a program can be searched for them.
pub const MARK: &str = "planted fault: ";

/// The environment variable that names the fault to switch on.
pub const VARIABLE: &str = "PLANTED_FAULT";

/// Whether this fault is switched on, or, after `=>`, what is done in that case.
#[cfg(feature = "planted")]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::is_chosen(concat!("planted fault: ", $name))
    };
    ($name:literal => $wrong:expr) => {
        if $crate::planted!($name) {
            $wrong;
        }
    };
}

/// Never: fault points are not compiled in.
#[cfg(not(feature = "planted"))]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        false
    };
    ($name:literal => $wrong:expr) => {
        if false {
            $wrong;
        }
    };
}

/// Whether [`VARIABLE`] named this fault, given with its [`MARK`], when the process first asked.
#[cfg(feature = "planted")]
pub fn is_chosen(marked: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var(VARIABLE).ok());
    chosen.as_deref().is_some_and(|chosen| marked.strip_prefix(MARK) == Some(chosen))
}
