//! Pages of listings.

use super::bucket::{Bucket, Wanted};
use super::multipart::Upload;
use super::version::Version;
use super::walk::{Filter, Start, Step, Walk};
use super::{Refusal, id};

/// A page: its items, and whether more follow.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    pub truncated: bool,
}

/// One item of a listing of objects or versions.
#[derive(Clone, Copy)]
pub(crate) enum Entry<'a> {
    Version { key: &'a str, version: &'a Version, latest: bool },
    CommonPrefix(&'a str),
}

/// One item of a listing of uploads.
#[derive(Clone, Copy)]
pub(crate) enum UploadEntry<'a> {
    Upload { key: &'a str, upload: &'a Upload },
    CommonPrefix(&'a str),
}

/// Where a listing of versions or uploads goes on: after all of a key, or after one id of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Marker<'a> {
    pub key: &'a str,
    pub id: Option<&'a str>,
}

impl<'a> Marker<'a> {
    fn start(self) -> Start<'a> {
        match (self.key, self.id) {
            ("", _) => Start::Beginning,
            (key, None) => Start::After(key),
            (key, Some(_)) => Start::At(key),
        }
    }
}

impl Bucket {
    /// Current versions that are no delete markers, after a key (empty: from the beginning).
    pub fn list_objects<'a>(&'a self, filter: Filter<'a>, after: &str, limit: usize) -> Page<Entry<'a>> {
        let start = if after.is_empty() { Start::Beginning } else { Start::After(after) };
        let is_there = |versions: &Vec<Version>| versions.last().is_some_and(|version| !version.is_delete_marker());
        let entries = Walk::new(&self.objects, filter, start, is_there).filter_map(|step| match step {
            Step::Key(key, versions) => versions.last().map(|version| Entry::Version { key, version, latest: true }),
            Step::CommonPrefix(common) => Some(Entry::CommonPrefix(common)),
        });
        page(entries, limit)
    }

    /// All versions and delete markers, by key, the newest of a key first.
    pub fn list_versions<'a>(
        &'a self,
        filter: Filter<'a>,
        marker: Marker<'a>,
        limit: usize,
    ) -> Result<Page<Entry<'a>>, Refusal> {
        let wanted = marker.id.map(Wanted::parse).transpose()?;
        let walk = Walk::new(&self.objects, filter, marker.start(), |_| true);
        let entries = walk.flat_map(move |step| {
            let (key, versions): (_, &[Version]) = match step {
                Step::Key(key, versions) => (key, versions),
                Step::CommonPrefix(common) => (common, &[]),
            };
            let common = versions.is_empty().then_some(Entry::CommonPrefix(key));
            let current = versions.last().map(|version| version.sequence);
            let wanted = wanted.filter(|_| key == marker.key);
            let listed = older(versions, wanted).iter().rev();
            let listed = listed.map(move |version| {
                let latest = Some(version.sequence) == current;
                Entry::Version { key, version, latest }
            });
            common.into_iter().chain(listed)
        });
        Ok(page(entries, limit))
    }

    /// Unfinished uploads, by key, the oldest of a key first.
    pub fn list_uploads<'a>(
        &'a self,
        filter: Filter<'a>,
        marker: Marker<'a>,
        limit: usize,
    ) -> Result<Page<UploadEntry<'a>>, Refusal> {
        let sequence = |text| id::sequence(text).ok_or(Refusal::InvalidUploadIdMarker);
        let after = marker.id.map(sequence).transpose()?;
        let walk = Walk::new(&self.uploads, filter, marker.start(), |_| true);
        let entries = walk.flat_map(move |step| {
            let (key, uploads): (_, &[Upload]) = match step {
                Step::Key(key, uploads) => (key, uploads),
                Step::CommonPrefix(common) => (common, &[]),
            };
            let common = uploads.is_empty().then_some(UploadEntry::CommonPrefix(key));
            let after = after.filter(|_| key == marker.key);
            let newer = uploads.iter().filter(move |upload| after.is_none_or(|after| upload.sequence > after));
            common.into_iter().chain(newer.map(move |upload| UploadEntry::Upload { key, upload }))
        });
        Ok(page(entries, limit))
    }
}

/// The versions older than the marker's. One erased since still has its place, by its sequence number; of a
/// `null` version that is gone the place is not known, so nothing is left out.
fn older(versions: &[Version], marker: Option<Wanted>) -> &[Version] {
    let end = match marker {
        None => versions.len(),
        Some(Wanted::Null) => versions.iter().position(|version| version.null).unwrap_or(versions.len()),
        Some(Wanted::Sequence(sequence)) => versions.partition_point(|version| version.sequence < sequence),
    };
    &versions[..end]
}

fn page<T>(mut entries: impl Iterator<Item = T>, limit: usize) -> Page<T> {
    let items: Vec<T> = entries.by_ref().take(limit).collect();
    let truncated = limit > 0 && entries.next().is_some();
    Page { items, truncated }
}
