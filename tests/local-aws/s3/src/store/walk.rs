//! Walking keys in UTF-8 byte order, rolling common prefixes up.
//!
//! Every start and every jump over a common prefix is one search in the tree, so a page costs what the page
//! holds, whatever the bucket holds.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;

/// An object key. Ordered, and searched for, by its bytes, as S3 lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Box<str>);

impl Key {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Self(key.into())
    }
}

/// `str` orders by its UTF-8 bytes, so bytes and keys order alike, as `Borrow` demands.
impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Which keys a listing is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only keys that begin so.
    pub prefix: &'a str,
    /// Keys that share what comes before it (after the prefix) are rolled up into one common prefix.
    pub delimiter: Option<&'a str>,
}

impl Filter<'_> {
    /// The common prefix a key is rolled up into, if it is.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.strip_prefix(self.prefix)?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        Some(&key[..end])
    }
}

/// Where a walk starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    Beginning,
    /// After the key. A key that is itself a common prefix stands for all that it rolls up.
    After(&'a str),
    At(&'a str),
}

/// What a walk meets.
pub(crate) enum Step<'a, V> {
    Key(&'a str, &'a V),
    CommonPrefix(&'a str),
}

/// See the module.
pub(crate) struct Walk<'a, V> {
    map: &'a BTreeMap<Key, V>,
    rest: Range<'a, Key, V>,
    filter: Filter<'a>,
    visible: fn(&V) -> bool,
}

impl<'a, V> Walk<'a, V> {
    /// Keys for which `visible` does not hold are passed over, and make no common prefix.
    pub fn new(map: &'a BTreeMap<Key, V>, filter: Filter<'a>, start: Start<'_>, visible: fn(&V) -> bool) -> Self {
        let first = first(&filter, start);
        let rest = range(map, first.as_ref().map(Vec::as_slice));
        Self { map, rest, filter, visible }
    }
}

impl<'a, V> Iterator for Walk<'a, V> {
    type Item = Step<'a, V>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, value) = self.rest.next()?;
            let key = key.as_str();
            if !key.starts_with(self.filter.prefix) {
                return None;
            }
            if !(self.visible)(value) {
                continue;
            }
            let Some(common) = self.filter.common_prefix(key) else { return Some(Step::Key(key, value)) };
            self.rest = range(self.map, Bound::Included(&successor(common)));
            return Some(Step::CommonPrefix(common));
        }
    }
}

fn range<'a, V>(map: &'a BTreeMap<Key, V>, first: Bound<&[u8]>) -> Range<'a, Key, V> {
    map.range::<[u8], _>((first, Bound::Unbounded))
}

fn first(filter: &Filter<'_>, start: Start<'_>) -> Bound<Vec<u8>> {
    let prefix = filter.prefix.as_bytes();
    match start {
        Start::After(key) if key >= filter.prefix => match filter.common_prefix(key) {
            Some(common) if common == key => Bound::Included(successor(key)),
            _ => Bound::Excluded(key.into()),
        },
        Start::At(key) if key >= filter.prefix => Bound::Included(key.into()),
        _ => Bound::Included(prefix.into()),
    }
}

/// The first byte string after everything that begins with `prefix`. No byte of UTF-8 is 0xFF, so adding one
/// to the last byte never overflows; a common prefix is never empty, for it holds the delimiter.
fn successor(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(start: Start<'_>, prefix: &str, delimiter: Option<&str>) -> Vec<String> {
        let keys = ["a", "a/1", "a/2", "a0", "b/1/x", "b/2", "é/1", "😀"];
        let map: BTreeMap<Key, ()> = keys.into_iter().map(|key| (Key::from(key), ())).collect();
        let walk = Walk::new(&map, Filter { prefix, delimiter }, start, |()| true);
        let name = |step| match step {
            Step::Key(key, ()) => key.to_owned(),
            Step::CommonPrefix(common) => format!("[{common}]"),
        };
        walk.map(name).collect()
    }

    #[test]
    fn rolls_up_common_prefixes() {
        assert_eq!(walk(Start::Beginning, "", Some("/")), ["a", "[a/]", "a0", "[b/]", "[é/]", "😀"]);
        assert_eq!(walk(Start::Beginning, "b/", Some("/")), ["[b/1/]", "b/2"]);
    }

    #[test]
    fn starts_after_a_key_or_after_all_of_a_common_prefix() {
        assert_eq!(walk(Start::After("a/1"), "a", None), ["a/2", "a0"]);
        assert_eq!(walk(Start::After("a/"), "", Some("/")), ["a0", "[b/]", "[é/]", "😀"]);
        assert_eq!(walk(Start::After("a/"), "", None)[..2], ["a/1", "a/2"]);
        assert_eq!(walk(Start::At("b/2"), "b/", None), ["b/2"]);
        assert_eq!(walk(Start::After("a"), "b", None), ["b/1/x", "b/2"]);
    }
}
