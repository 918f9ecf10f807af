//! Taking planning up where another planner left it: the pages it wrote are all there is to know.

use std::collections::{BTreeMap, HashMap};

use aws::list_object_versions::Marker;
use aws::list_objects::list_objects;
use aws::page_io::{PageError, get_page};
use aws::{AwsError, Cause};
use domain::keys::ObjectKey;
use domain::layout::attempt_pages_prefix;
use domain::page::{Page, PageName};
use domain::record::Record;
use domain::tally::Tally;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

use crate::clean::remove_own;
use crate::listing::Position;
use crate::{App, Stop};

/// Pages read at the same time.
const READS_IN_FLIGHT: usize = 8;

/// Where each shard goes on, and what its pages hold.
#[derive(Debug, Default)]
pub struct Resumed {
    /// By shard name.
    pub positions: HashMap<String, Position>,
    /// What the pages kept hold.
    pub listed: Tally,
}

impl Resumed {
    /// Whether nothing was planned before.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }
}

/// Reads the pages of this attempt. Tails are removed, since what they hold is listed again; so are pages behind a
/// gap, whose planner died before the page in between was written.
pub async fn resume(app: &App, record: &Record, deadline: Instant) -> Result<Resumed, Stop> {
    let prefix = attempt_pages_prefix(&record.deletion_id, record.attempt);
    let keys: Vec<ObjectKey> =
        list_objects(app.manifest(), &prefix, deadline).await?.into_iter().map(|o| o.key).collect();
    let (kept, dropped) = sort(keys);
    remove_own(app, &dropped, deadline).await?;
    let read = kept.into_iter().map(async |(shard, key)| {
        let page = get_page(app.manifest(), &key).await.map_err(unreadable)?;
        Ok::<_, Stop>((shard, page))
    });
    let mut pages = stream::iter(read).buffered(READS_IN_FLIGHT);
    let mut resumed = Resumed::default();
    while let Some((shard, page)) = pages.try_next().await? {
        resumed.take(app, record, shard, &page);
    }
    Ok(resumed)
}

impl Resumed {
    /// Pages of a shard come in order, so that the last one taken tells how far it went.
    fn take(&mut self, app: &App, record: &Record, shard: String, page: &Page) {
        let prefixes = app.prefixes(&record.account_id);
        for row in &page.rows {
            let prefix = prefixes.iter().find(|prefix| prefix.covers(row.version.key()));
            let template = prefix.map_or("", |prefix| app.template(prefix));
            self.listed.add(&row.to_listed(), template);
        }
        let position = self.positions.entry(shard).or_default();
        let last = page.rows.last().map(|row| &row.version);
        position.after =
            last.map(|v| Marker { key: v.key().as_str().to_owned(), version: Some(v.version().as_str().to_owned()) });
        position.pages += 1;
    }
}

/// Which pages to keep, in order of shard, epoch and number, and which to remove.
fn sort(keys: Vec<ObjectKey>) -> (Vec<(String, ObjectKey)>, Vec<ObjectKey>) {
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    let mut expected: BTreeMap<(String, u32), u32> = BTreeMap::new();
    let mut named: Vec<(Option<PageName>, ObjectKey)> =
        keys.into_iter().map(|key| (PageName::parse(&key), key)).collect();
    named.sort();
    for (name, key) in named {
        let Some(PageName { shard, epoch, number }) = name.filter(|n| !n.shard.ends_with("tail")) else {
            dropped.push(key);
            continue;
        };
        let next = expected.entry((shard.clone(), epoch)).or_default();
        if number == *next {
            *next += 1;
            kept.push((shard, key));
        } else {
            dropped.push(key);
        }
    }
    (kept, dropped)
}

fn unreadable(error: PageError) -> Stop {
    match error {
        PageError::Aws(error) => Stop::Aws(error),
        PageError::Absent | PageError::Malformed(_) => Stop::Aws(AwsError {
            operation: "GetObject",
            code: "UnreadablePage".to_owned(),
            status: None,
            request_id: None,
            cause: Cause::Contradiction,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_and_pages_behind_a_gap_are_listed_again() {
        let key = |name: &str| ObjectKey::new(format!("pages/d/1/{name}.jsonl.zst"));
        let names = ["0-b0p0r1-000002", "0-b0p0r1-000000", "0-b0tail-000000", "1-b0p0r1-000000", "rubbish"];
        let (kept, dropped) = sort(names.iter().map(|n| key(n)).collect());
        let kept: Vec<ObjectKey> = kept.into_iter().map(|(_, key)| key).collect();
        assert_eq!(kept, [key("0-b0p0r1-000000"), key("1-b0p0r1-000000")]);
        assert_eq!(dropped.len(), 3);
    }
}
