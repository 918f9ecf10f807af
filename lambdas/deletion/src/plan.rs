//! Planning: the stream of the listing becomes pages, and memory stays flat.

use std::collections::HashMap;

use aws::AwsError;
use aws::page_io::{PackedPage, pack, put_page};
use domain::keys::{ObjectKey, ObjectVersion, VersionId};
use domain::layout::{AccountPrefix, status_keys};
use domain::look::Listed;
use domain::page::{Page, PageName, VERSIONS_PER_PAGE};
use domain::record::{Record, State};
use domain::shard::Shard;
use domain::tally::Tally;
use fault_point::planted;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::listing::{Chunk, Then};
use crate::mappings::Severed;
use crate::resume::Resumed;
use crate::survey::{Versions, account_roots};
use crate::{App, Stop, Turn};

/// Pages being written at the same time.
const PUTS_IN_FLIGHT: usize = 16;

/// How planning ended.
#[derive(Debug)]
pub enum Planned {
    /// Every version is on a page.
    Whole(Box<Plan>),
    /// The caller has waited long enough. The pages written so far are what the next planner goes on from.
    HandedOver,
}

/// What the pages hold.
#[derive(Debug, Default)]
pub struct Plan {
    listed: Tally,
    versions: u64,
    statuses: u64,
    marks: Vec<VersionId>,
}

impl Plan {
    /// What they hold, and the status beside them.
    pub fn listed(&self) -> &Tally {
        &self.listed
    }

    /// Writes the plan into the record.
    pub fn write(&self, record: &mut Record, uploads: u64, severed: &Severed) {
        record.done.listed.merge(&self.listed);
        record.done.statuses = self.statuses;
        record.done.marks.clone_from(&self.marks);
        record.done.uploads += uploads;
        record.done.mappings += severed.severed;
        record.done.repaired += severed.repaired;
        // A status may have as many versions as make a job, and comes last: without anything beside it there is no job.
        let is_without = self.versions == 0 && !planted!("pages-none");
        record.state = if is_without { State::Verifying } else { State::Planned { versions: self.versions } };
    }
}

/// Writes every listed version, but those of the status, to pages.
pub async fn plan<'a>(
    app: &'a App,
    record: &Record,
    versions: Versions<'a>,
    resumed: Resumed,
    marked: &[ObjectVersion],
    turn: &Turn,
) -> Result<Planned, Stop> {
    let mut planner = Planner::new(app, record, &resumed, marked);
    let mut versions = if resumed.is_empty() {
        versions
    } else {
        let roots = account_roots(app, &planner.prefixes);
        let walk = crate::listing::Walk::resumed(roots, resumed.positions, turn.deadline);
        Versions::list(walk, 0).await?
    };
    let mut puts = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(written) = puts.next(), if !puts.is_empty() => written?,
            chunk = versions.next(), if puts.len() < PUTS_IN_FLIGHT => match chunk? {
                Some(chunk) => puts.extend(planner.take(chunk).into_iter().map(|page| put(app, page))),
                None => break,
            },
        }
        if turn.patience.is_some_and(|patience| Instant::now() > patience) {
            drain(puts).await?;
            return Ok(Planned::HandedOver);
        }
    }
    puts.extend(planner.tails().into_iter().map(|page| put(app, page)));
    drain(puts).await?;
    Ok(Planned::Whole(Box::new(planner.plan)))
}

async fn put(app: &App, page: PackedPage) -> Result<(), AwsError> {
    let deadline = Instant::now() + std::time::Duration::from_mins(1);
    aws::retry::retrying(deadline, async || put_page(app.manifest(), &page).await).await
}

async fn drain(mut puts: FuturesUnordered<impl Future<Output = Result<(), AwsError>>>) -> Result<(), AwsError> {
    while let Some(written) = puts.next().await {
        written?;
    }
    Ok(())
}

/// Gathers chunks into full pages: a shard's own pages, and one tail a bucket for what remains of its shards.
struct Planner<'a> {
    app: &'a App,
    record: &'a Record,
    prefixes: Vec<AccountPrefix>,
    status: Vec<ObjectKey>,
    shards: HashMap<Shard, Vec<Listed>>,
    tails: Vec<Vec<Listed>>,
    numbers: HashMap<String, u32>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(app: &'a App, record: &'a Record, resumed: &Resumed, marked: &[ObjectVersion]) -> Self {
        // A mark that replaced the null version is the version the account had.
        let marks = marked.iter().map(|mark| mark.version().clone()).filter(|id| !id.is_null()).collect();
        Self {
            prefixes: app.prefixes(&record.account_id),
            status: status_keys(&record.account_id),
            shards: HashMap::new(),
            tails: app.buckets.photos.iter().map(|_| Vec::new()).collect(),
            numbers: HashMap::new(),
            plan: Plan { listed: resumed.listed.clone(), versions: resumed.listed.count(), statuses: 0, marks },
            app,
            record,
        }
    }

    /// Takes a chunk and gives the pages that are full. Where a shard is cut, what it has so far becomes a page of
    /// its own, so that its last page tells exactly how far it went.
    fn take(&mut self, chunk: Chunk) -> Vec<PackedPage> {
        let Chunk { shard, listed, then } = chunk;
        let template = self.app.template(&self.prefixes[shard.prefix % self.prefixes.len()]);
        let mut buffer = self.shards.remove(&shard).unwrap_or_default();
        for version in listed.into_iter().filter(|l| !self.plan.marks.contains(l.version.version())) {
            self.plan.listed.add(&version, template);
            if self.status.contains(version.version.key()) {
                self.plan.statuses += 1;
            } else {
                self.plan.versions += 1;
                buffer.push(version);
            }
        }
        let mut pages = Vec::new();
        while buffer.len() >= VERSIONS_PER_PAGE {
            let rest = buffer.split_off(VERSIONS_PER_PAGE);
            pages.extend(self.page(&shard.to_string(), shard.bucket, &std::mem::replace(&mut buffer, rest)));
        }
        match then {
            Then::More => drop(self.shards.insert(shard, buffer)),
            Then::Cut => pages.extend(self.page(&shard.to_string(), shard.bucket, &buffer)),
            Then::End => pages.extend(self.tail(shard.bucket, buffer)),
        }
        pages
    }

    fn tail(&mut self, bucket: usize, mut listed: Vec<Listed>) -> Option<PackedPage> {
        self.tails[bucket].append(&mut listed);
        if self.tails[bucket].len() < VERSIONS_PER_PAGE {
            return None;
        }
        let rest = self.tails[bucket].split_off(VERSIONS_PER_PAGE);
        let full = std::mem::replace(&mut self.tails[bucket], rest);
        self.page(&PageName::tail(bucket), bucket, &full)
    }

    /// The last pages.
    fn tails(&mut self) -> Vec<PackedPage> {
        let rests: Vec<Vec<Listed>> =
            self.tails.iter_mut().map(std::mem::take).filter(|_| !planted!("pages-short")).collect();
        let pages = rests.iter().enumerate().filter_map(|(i, rest)| self.page(&PageName::tail(i), i, rest));
        pages.collect()
    }

    fn page(&mut self, shard: &str, bucket: usize, listed: &[Listed]) -> Option<PackedPage> {
        let Record { deletion_id, account_id, attempt, epoch, .. } = self.record;
        let region = &self.app.buckets.photos[bucket].region;
        let page = Page::new(*deletion_id, *account_id, *attempt, region, listed)?;
        let number = self.numbers.entry(shard.to_owned()).or_default();
        let name = PageName { shard: shard.to_owned(), epoch: *epoch, number: *number };
        *number += 1;
        Some(pack(&page, &name))
    }
}
