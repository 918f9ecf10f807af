//! Listing many prefixes at once, each cut into shards only after its first page was truncated.

use std::collections::{HashMap, VecDeque};

use aws::list_object_versions::{Marker, Versions, list_object_versions};
use aws::retry::retrying;
use aws::{AwsError, Bucket};
use domain::look::Listed;
use domain::shard::{PAGES_BEFORE_SPLIT, Range, Shard};
use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

/// Listing requests in flight. An answer of 1,000 versions takes about 1.5 MB until it is cut; six in flight list
/// more than ten times what the pace erases.
const IN_FLIGHT: usize = 6;

/// First requests in flight, one a prefix. They decide how long a small account waits, and most answers are short.
const FIRST_IN_FLIGHT: usize = 48;

/// A prefix to list in a bucket.
#[derive(Debug, Clone)]
pub struct Root<'a> {
    /// The bucket.
    pub bucket: &'a Bucket,
    /// Its index.
    pub bucket_index: usize,
    /// The prefix.
    pub prefix: String,
}

/// One answered page, cut to its shard.
#[derive(Debug)]
pub struct Chunk {
    /// The shard.
    pub shard: Shard,
    /// What it lists, in order.
    pub listed: Vec<Listed>,
    /// What follows it.
    pub then: Then,
}

/// What follows a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More of the same shard.
    More,
    /// Nothing: the shard has ended.
    End,
    /// The rest is listed by other shards.
    Cut,
}

/// Where a shard goes on, and how many pages it has had.
#[derive(Debug, Clone, Default)]
pub struct Position {
    /// After this.
    pub after: Option<Marker>,
    /// Pages so far.
    pub pages: u32,
}

struct Cursor {
    shard: Shard,
    position: Position,
}

impl Cursor {
    /// How many requests may be in flight for this one to join them.
    fn in_flight(&self) -> usize {
        if self.shard.range == Range::Whole { FIRST_IN_FLIGHT } else { IN_FLIGHT }
    }
}

/// Lists roots, many requests at a time, and hands out chunks as they come. It holds back when nobody asks.
pub struct Walk<'a> {
    roots: Vec<Root<'a>>,
    waiting: VecDeque<Cursor>,
    flying: FuturesUnordered<LocalBoxFuture<'a, (Cursor, Result<Versions, AwsError>)>>,
    resume: HashMap<String, Position>,
    deadline: Instant,
}

impl<'a> Walk<'a> {
    /// Lists all of these prefixes.
    pub fn new(roots: Vec<Root<'a>>, deadline: Instant) -> Self {
        Self::resumed(roots, HashMap::new(), deadline)
    }

    /// Lists what an earlier walk has not: shards go on from the positions given, by shard name.
    pub fn resumed(roots: Vec<Root<'a>>, resume: HashMap<String, Position>, deadline: Instant) -> Self {
        let mut walk = Self { waiting: VecDeque::new(), flying: FuturesUnordered::new(), resume, deadline, roots };
        for prefix in 0..walk.roots.len() {
            let shard = Shard { bucket: walk.roots[prefix].bucket_index, prefix, range: Range::Whole };
            walk.queue(shard, Position::default());
        }
        walk
    }

    /// The next chunk, or `None` when everything is listed.
    pub async fn next(&mut self) -> Result<Option<Chunk>, AwsError> {
        while let Some(cursor) = self.waiting.pop_front_if(|cursor| self.flying.len() < cursor.in_flight()) {
            self.flying.push(self.fetch(cursor));
        }
        let Some((cursor, answer)) = self.flying.next().await else {
            return Ok(None);
        };
        Ok(Some(self.cut(cursor, answer?)))
    }

    /// Queues a shard, or the parts it was cut into by the walk that is resumed.
    fn queue(&mut self, shard: Shard, position: Position) {
        let name = shard.to_string();
        let known = self.resume.remove(&name);
        let was_cut = match shard.range {
            Range::Whole => known.is_some(),
            Range::Sixteenth(_) => self.resume.keys().any(|k| k.len() == name.len() + 1 && k.starts_with(&name)),
            Range::Part(..) => false,
        };
        let position = known.map_or(position.clone(), |known| further(position, known));
        if was_cut { self.split(shard, &position) } else { self.waiting.push_back(Cursor { shard, position }) }
    }

    fn fetch(&self, cursor: Cursor) -> LocalBoxFuture<'a, (Cursor, Result<Versions, AwsError>)> {
        let (root, deadline) = (self.roots[cursor.shard.prefix].clone(), self.deadline);
        Box::pin(async move {
            let after = start(&root.prefix, &cursor);
            let list = async || list_object_versions(root.bucket, &root.prefix, after.as_ref()).await;
            let answer = retrying(deadline, list).await;
            (cursor, answer)
        })
    }

    /// Cuts a page to its shard, and queues what follows.
    fn cut(&mut self, cursor: Cursor, versions: Versions) -> Chunk {
        let Cursor { shard, position } = cursor;
        let prefix = &self.roots[shard.prefix].prefix;
        let until = shard.bounds().until.map(|until| format!("{prefix}{until}"));
        let within = |l: &Listed| until.as_deref().is_none_or(|u| l.version.key().as_str() <= u);
        let listed_before = versions.listed.len();
        let listed: Vec<Listed> = versions.listed.into_iter().filter(within).collect();
        let overran = listed.len() < listed_before;
        let next = versions.next.filter(|next| !overran && until.as_deref().is_none_or(|u| next.key.as_str() <= u));
        let then = match next {
            Some(next) => self.go_on(shard, Position { after: Some(next), pages: position.pages + 1 }),
            None => Then::End,
        };
        Chunk { shard, listed, then }
    }

    /// A whole prefix is cut after its first page, a sixteenth after 64.
    fn go_on(&mut self, shard: Shard, position: Position) -> Then {
        let cut = match shard.range {
            Range::Whole => true,
            Range::Sixteenth(_) => position.pages >= PAGES_BEFORE_SPLIT,
            Range::Part(..) => false,
        };
        if cut {
            self.split(shard, &position);
            return Then::Cut;
        }
        self.waiting.push_back(Cursor { shard, position });
        Then::More
    }

    /// Queues the parts of a shard: each goes on where the shard stands.
    fn split(&mut self, shard: Shard, position: &Position) {
        let prefix = self.roots[shard.prefix].prefix.clone();
        let at = position.after.as_ref().map(|m| m.key.clone()).unwrap_or_default();
        for part in shard.split() {
            let bounds = part.bounds();
            let passed = bounds.until.is_some_and(|until| format!("{prefix}{until}") < at);
            let inside = bounds.after.is_none_or(|after| format!("{prefix}{after}") < at);
            if !passed {
                self.queue(part, if inside { Position { pages: 0, ..position.clone() } } else { Position::default() });
            }
        }
    }
}

/// Where a request starts: after the cursor's own place, or at the lower bound of its shard.
fn start(prefix: &str, cursor: &Cursor) -> Option<Marker> {
    let bound = || cursor.shard.bounds().after.map(|after| Marker { key: format!("{prefix}{after}"), version: None });
    cursor.position.after.clone().or_else(bound)
}

/// The further of two places of one shard.
fn further(a: Position, b: Position) -> Position {
    let key = |p: &Position| p.after.as_ref().map(|m| m.key.clone());
    if key(&a) > key(&b) { Position { pages: a.pages.max(b.pages), ..a } } else { b }
}
