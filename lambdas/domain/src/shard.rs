//! Shards: parts of a prefix that are listed side by side.
//!
//! A shard is a range of keys, not a longer prefix, so that no key falls between two shards whatever it looks
//! like. A range leaves its lower bound out and takes its upper bound in, because that is how `key-marker`
//! works: a listing starts after it.

use std::fmt;

/// Ranges a prefix is cut into once its first page was truncated: one a hexadecimal digit, since photo keys
/// are MD5 digests.
pub const RANGES: u8 = 16;
/// Pages after which a range is cut once more.
pub const PAGES_BEFORE_SPLIT: u32 = 64;

/// Which part of a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Range {
    /// All of it: the first page, and the rest if that page was not truncated.
    Whole,
    /// One of 16.
    Sixteenth(u8),
    /// One of 256: `Part(sixteenth, part of it)`.
    Part(u8, u8),
}

/// A part of one account prefix in one bucket, both as indexes into the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    /// Index of the bucket.
    pub bucket: usize,
    /// Index of the account prefix.
    pub prefix: usize,
    /// Which part.
    pub range: Range,
}

/// Bounds of a shard relative to its prefix: after `after`, up to and with `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// What the key must be greater than, in byte order. `None`: the prefix begins here.
    pub after: Option<String>,
    /// What the key must not be greater than. `None`: the prefix ends here.
    pub until: Option<String>,
}

impl Shard {
    /// The parts that together are this shard, or none if it is cut no further.
    pub fn split(self) -> Vec<Self> {
        let part = |n| match self.range {
            Range::Whole => Some(Range::Sixteenth(n)),
            Range::Sixteenth(of) => Some(Range::Part(of, n)),
            Range::Part(..) => None,
        };
        (0..RANGES).filter_map(part).map(|range| Self { range, ..self }).collect()
    }

    /// Its bounds.
    pub fn bounds(self) -> Bounds {
        match self.range {
            Range::Whole => Bounds { after: None, until: None },
            Range::Sixteenth(n) => sixteenth(n),
            Range::Part(of, n) => Bounds {
                after: if n == 0 { sixteenth(of).after } else { Some(format!("{of:x}{n:x}")) },
                until: if n + 1 == RANGES { sixteenth(of).until } else { Some(format!("{of:x}{:x}", n + 1)) },
            },
        }
    }
}

fn sixteenth(n: u8) -> Bounds {
    Bounds { after: (n > 0).then(|| format!("{n:x}")), until: (n + 1 < RANGES).then(|| format!("{:x}", n + 1)) }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}p{}", self.bucket, self.prefix)?;
        match self.range {
            Range::Whole => Ok(()),
            Range::Sixteenth(n) => write!(f, "r{n:x}"),
            Range::Part(of, n) => write!(f, "r{of:x}{n:x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(shard: Shard, key: &str) -> bool {
        let Bounds { after, until } = shard.bounds();
        after.is_none_or(|a| key > a.as_str()) && until.is_none_or(|u| key <= u.as_str())
    }

    proptest! {
        #[test]
        fn every_key_lies_in_exactly_one_part(key in "[0-9a-fA-F~! /]{0,4}|\\PC{0,3}") {
            let whole = Shard { bucket: 0, prefix: 3, range: Range::Whole };
            prop_assert_eq!(whole.split().into_iter().filter(|s| holds(*s, &key)).count(), 1);
            for sixteenth in whole.split() {
                let parts = sixteenth.split().into_iter().filter(|s| holds(*s, &key)).count();
                prop_assert_eq!(parts, usize::from(holds(sixteenth, &key)));
            }
        }
    }

    #[test]
    fn names_tell_shards_apart() {
        let whole = Shard { bucket: 0, prefix: 3, range: Range::Whole };
        let mut all = vec![whole];
        all.extend(whole.split());
        all.extend(whole.split().into_iter().flat_map(Shard::split));
        let names: std::collections::BTreeSet<String> = all.iter().map(Shard::to_string).collect();
        assert_eq!(names.len(), 1 + 16 + 256);
    }
}
