//! The reference model: what may be erased, and what must be in the end. It is much simpler than the service: an
//! account with a few facts about what its person asked for, and rules about what changes between two moments.

use std::collections::{BTreeMap, BTreeSet};

use domain::environment::ImmediateMode;
use domain::ids::DeletionId;
use domain::layout::record_key;
use domain::receipt::{Method, Receipt, ReceiptState, proof};
use harness::person::status_key;
use harness::promises::{Scope, sound_receipt, tell};
use harness::{Account, Change, Place, Seen, Snapshot};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::schedule::{Schedule, Step};
use crate::stage::{Stage, THRESHOLD};

/// A request that was sent before a deletion was over may have its effect so much later.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(60);

/// Seconds by which a function's clock, which follows the whole seconds of S3's answers, may be ahead of S3's.
const CLOCKS_DIFFER: i64 = 2;

/// What must have become of an account when everything is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is as it was.
    Stays,
    /// Nothing of it is left.
    Erased,
    /// Nobody knows what was accepted: it stays whole, or it is erased whole.
    Either,
}

/// Whether the deletion that was asked for last is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completion {
    Open,
    Complete,
    /// It was when somebody asked again: it is the answer to them too.
    AskedAgain,
}

/// What is known of an account.
#[derive(Debug)]
struct Known {
    account: Account,
    /// How many versions it has, if nobody writes any of them while the schedule lasts.
    had: Option<u64>,
    end: End,
    /// From when on it may be erased, if it ever asked.
    may_go_from: Option<Timestamp>,
    /// Whether status and entries may change, since the person asked for something.
    papers_move: bool,
    /// Whether something of it was erased since it last was whole.
    is_touched: bool,
    /// When the last look began of a deletion whose receipt says complete.
    last_look: Option<Timestamp>,
    /// When its last deletion was over, record and all.
    over: Option<Timestamp>,
    /// Deletions whose receipts say complete.
    completed: BTreeSet<String>,
    /// Whether one of them is what was asked for last.
    completion: Completion,
}

/// The model.
pub struct Model {
    known: Vec<Known>,
    /// Accounts of which Object Lock keeps a photo for a while.
    locked: BTreeSet<usize>,
    last: Snapshot,
    first: Snapshot,
    /// Sign-ins that lead to another account since the person registered anew, and must go on doing so.
    links: BTreeMap<String, String>,
}

/// What happened between two judgements besides the service's work.
#[derive(Debug, Default)]
pub struct Meanwhile {
    /// Keys that others than the service wrote.
    pub written: BTreeSet<String>,
}

impl Model {
    /// Nobody has asked for anything yet.
    pub async fn new(stage: &Stage, schedule: &Schedule) -> Self {
        let first = stage.photolala.snapshot().await;
        let had = |account: &Account| {
            let scope = Scope::of(stage.photolala.environment(), &[account]);
            let is_ours = |(place, _): &(&Place, &Seen)| !place.upload && scope.covers(&place.key);
            first.0.iter().filter(is_ours).count() as u64
        };
        let only_erased = |who: usize| {
            let of_account = |step: &&Step| step.does.account() == Some(who);
            schedule.steps.iter().filter(of_account).all(|step| step.does.only_erases())
        };
        let known = stage.accounts.iter().enumerate().map(|(who, account)| Known {
            account: account.clone(),
            // A request for the next run writes the status.
            had: (only_erased(who) && schedule.world.mode == ImmediateMode::Allowed).then(|| had(account)),
            end: End::Stays,
            may_go_from: None,
            papers_move: false,
            is_touched: false,
            last_look: None,
            over: None,
            completed: BTreeSet::new(),
            completion: Completion::Open,
        });
        let known = known.collect();
        let plans = schedule.world.accounts.iter().enumerate();
        let locked = plans.filter(|(_, plan)| plan.locked_seconds.is_some()).map(|(who, _)| who).collect();
        Self { known, locked, last: first.clone(), first, links: BTreeMap::new() }
    }

    /// Somebody asks that the account go, not before a moment.
    pub fn asks(&mut self, stage: &Stage, who: usize, from: Timestamp) {
        let known = &mut self.known[who];
        // A deletion that is settling is the answer to whoever asks again.
        let under_way = stage.own(record_key(&known.account.id()).as_str());
        let under_way = under_way.and_then(|record| record["deletionId"].as_str().map(str::to_owned));
        let is_complete = under_way.is_some_and(|deletion| known.completed.contains(&deletion));
        known.completion = if is_complete { Completion::AskedAgain } else { Completion::Open };
        known.may_go_from = Some(known.may_go_from.map_or(from, |before| before.min(from)));
        known.papers_move = true;
        if known.end == End::Stays {
            known.end = End::Either;
        }
    }

    /// That was accepted.
    pub fn accepted(&mut self, who: usize) {
        self.known[who].end = End::Erased;
    }

    /// P6: a schedule was accepted, and by nothing else is the account to go: not before this moment.
    pub fn accepted_from(&mut self, who: usize, from: Timestamp) {
        self.known[who].may_go_from = Some(from);
        self.accepted(who);
    }

    /// P3: somebody who asked how far a deletion is was told that it is complete: it was, if not any more.
    pub fn said_to_be_complete(&self, stage: &Stage, who: usize, deletion: DeletionId) {
        if !self.known[who].completed.contains(&deletion.to_string()) {
            self.said_complete(stage, who, deletion);
        }
    }

    /// P3: somebody was told that a deletion is complete. Its receipt lies in the record before it is written.
    pub fn said_complete(&self, stage: &Stage, who: usize, deletion: DeletionId) {
        let record = stage.own(record_key(&self.known[who].account.id()).as_str()).unwrap_or_default();
        let announced: Option<Receipt> = serde_json::from_value(record["state"]["receipt"].clone()).ok();
        let mut all = receipts(stage).into_iter().chain(announced);
        let is_so = all.any(|receipt| receipt.deletion_id == deletion && receipt.state == ReceiptState::Complete);
        assert!(is_so, "P3: told that deletion {deletion} is complete, and no receipt says so");
    }

    /// P2: who asks that the account go, and is told that it is gone, has nothing left that was there when they asked.
    pub fn nothing_was_left(&self, stage: &Stage, who: usize, asked_at: Timestamp) {
        let scope = Scope::of(stage.photolala.environment(), &[&self.known[who].account]);
        let was_there = |seen: &Seen| seen.modified + CLOCKS_DIFFER < asked_at.as_second();
        let left = self.last.0.iter().filter(|(place, seen)| scope.owns(place, seen) && was_there(seen));
        tell("P2: told that all is erased, and still there", &left.map(|(place, _)| place).collect::<Vec<_>>());
    }

    /// It was too late for it to stay, so it goes.
    pub fn accepted_unless_over(&mut self, who: usize) {
        if self.known[who].may_go_from.is_some() {
            self.accepted(who);
        }
    }

    /// Somebody asks that it stay.
    pub fn asks_to_stay(&mut self, who: usize) {
        let known = &mut self.known[who];
        known.papers_move = true;
    }

    /// P5: that was accepted, so nothing was erased, and nothing will be.
    pub fn stays(&mut self, who: usize) {
        let known = &mut self.known[who];
        assert!(!known.is_touched, "P5: account {who} was told that it stays, and was erased in part");
        (known.end, known.may_go_from) = (End::Stays, None);
    }

    /// P5: an app cancelled in time, by writing S3 itself: nothing of the account may go from here on.
    pub fn must_stay(&mut self, who: usize) {
        let known = &mut self.known[who];
        (known.end, known.may_go_from) = (End::Stays, None);
    }

    /// Others than the service wrote versions of the account: how many it has is not known any more.
    pub fn is_written(&mut self, who: usize) {
        self.known[who].had = None;
    }

    /// Nobody can say what was accepted.
    pub fn is_open(&mut self, who: usize) {
        let known = &mut self.known[who];
        if known.may_go_from.is_some() {
            known.end = End::Either;
        }
    }

    /// The sign-in leads elsewhere from now on.
    pub fn leads_elsewhere(&mut self, key: String, body: String) {
        self.links.insert(key, body);
    }

    /// What must become of the account, as far as is known.
    pub fn end(&self, who: usize) -> End {
        self.known[who].end
    }

    /// Nothing at all has changed since the last judgement, nor any object of the service's own.
    pub async fn nothing_happened(&self, stage: &Stage, own_before: &BTreeMap<String, Value>) {
        let now = stage.photolala.snapshot().await;
        tell("changed by a dry run", &self.last.changes_to(&now));
        assert_eq!(*own_before, stage.own_objects(), "written by a dry run");
    }

    /// An old phone writes the person's sign-in over whatever it leads to.
    pub fn leads_anywhere(&mut self, key: &str) {
        self.links.remove(key);
    }

    /// Judges everything that happened since the last time.
    pub async fn judge(&mut self, stage: &Stage, meanwhile: &Meanwhile) {
        let now = stage.photolala.snapshot().await;
        self.nothing_else_changed(stage, &now, meanwhile);
        self.note_erasures(stage, &now, meanwhile);
        self.links_lead_where_they_should(&now);
        self.receipts_are_true(stage, &now, meanwhile);
        self.nothing_is_forgotten(stage);
        self.only_locks_hold(stage);
        let panics = stage.panics.borrow();
        assert!(panics.is_empty(), "a function panicked: {panics:?}");
        self.last = now;
    }

    /// P1, P5, P6: what changed belongs to an account that asked, and whose time has come.
    fn nothing_else_changed(&self, stage: &Stage, now: &Snapshot, meanwhile: &Meanwhile) {
        let may_go: Vec<&Account> = self.known.iter().filter(|k| k.may_go(stage.now())).map(|k| &k.account).collect();
        let scope = Scope::of(stage.photolala.environment(), &may_go);
        let is_wrong = |change: &Change| {
            let key = &change.place().key;
            let is_paper = || self.known.iter().any(|known| known.papers_move && known.is_paper(stage, key));
            !meanwhile.written.contains(key) && !scope.allows(change, &self.last) && !is_paper()
        };
        let wrong: Vec<Change> = self.last.changes_to(now).into_iter().filter(is_wrong).collect();
        tell("P1, P5 or P6: changed although nobody asked for it, or too early", &wrong);
    }

    fn note_erasures(&mut self, stage: &Stage, now: &Snapshot, meanwhile: &Meanwhile) {
        let gone: Vec<Change> = self.last.changes_to(now);
        for known in &mut self.known {
            let scope = Scope::of(stage.photolala.environment(), &[&known.account]);
            known.is_touched |= gone.iter().any(|change| {
                let Change::Gone(place, seen) = change else { return false };
                let is_ours = scope.owns(place, seen) && !known.is_paper(stage, &place.key);
                is_ours && !meanwhile.written.contains(&place.key)
            });
        }
    }

    /// P1, P9: a new registration is never harmed.
    fn links_lead_where_they_should(&self, now: &Snapshot) {
        for (key, body) in &self.links {
            let current = now.0.iter().find(|(place, seen)| place.key == *key && seen.latest && !seen.marker);
            let leads_to = current.and_then(|(_, seen)| seen.body.as_deref());
            assert_eq!(leads_to, Some(body.as_str()), "P1, P9: a new registration lost its sign-in");
        }
    }

    /// P3: a receipt that says complete is of an account of which nothing was left then.
    fn receipts_are_true(&mut self, stage: &Stage, now: &Snapshot, meanwhile: &Meanwhile) {
        for receipt in receipts(stage) {
            let is_of = |known: &&mut Known| receipt.proof == proof(&receipt.deletion_id, &known.account.id());
            let Some(known) = self.known.iter_mut().find(is_of) else {
                panic!("P3: a receipt is of nobody: {receipt:?}")
            };
            if receipt.state == ReceiptState::Complete {
                known.last_look = known.last_look.max(receipt.looks.last().copied());
            }
            let is_new =
                receipt.state == ReceiptState::Complete && known.completed.insert(receipt.deletion_id.to_string());
            if is_new {
                if known.completion == Completion::Open {
                    known.completion = Completion::Complete;
                }
                sound_receipt(&receipt, &known.account);
                known.counts_are_true(stage, &receipt);
                known.nothing_left("P2, P3: complete, and still there", stage, now, meanwhile);
            }
        }
        for known in &mut self.known {
            known.see_whether_it_is_over(stage, now, meanwhile);
        }
    }

    /// P4: what was accepted is written down until it is done.
    fn nothing_is_forgotten(&self, stage: &Stage) {
        for (who, known) in self.known.iter().enumerate().filter(|(_, known)| known.end == End::Erased) {
            let id = known.account.upper();
            let is_kept = !stage.entries(&known.account).is_empty()
                || ["records/", "requests/"].iter().any(|prefix| stage.own(&format!("{prefix}{id}.json")).is_some());
            assert!(is_kept, "P4: account {who} is to be erased, and nothing is left that says so");
        }
    }

    /// P7: an account is held for an Object Lock, and for nothing else.
    fn only_locks_hold(&self, stage: &Stage) {
        for (who, known) in self.known.iter().enumerate().filter(|(who, _)| !self.locked.contains(who)) {
            let is_held = stage.own(record_key(&known.account.id()).as_str()).is_some_and(|record| is_held(&record));
            assert!(!is_held, "P7: account {who} is held, and nothing of it is locked");
        }
    }

    /// P2, P4, P7, P9: what must be true when everything is over, and every lock too.
    pub async fn judge_the_end(&self, stage: &Stage) {
        let now = stage.photolala.snapshot().await;
        for (who, known) in self.known.iter().enumerate() {
            assert!(known.end != End::Erased, "P7: account {who} was to be erased, and has not been");
            let left = || known.left(stage, &now);
            assert!(!known.is_touched, "P7: account {who} was begun with, and is not done: {}", left());
            known.its_status_is_right(who, stage);
        }
        for prefix in ["records/", "pages/", "outcomes/", "manifests/"] {
            let kept = stage.own_keys(prefix);
            assert!(kept.is_empty(), "left behind: {kept:?}");
        }
        receipts_say_the_end(stage);
    }

    /// P8, and what an operator counts on: a run claims no more than its cap.
    pub fn judge_a_run(&self, cap: u32, answer: &Value) {
        let claimed = answer["claimed"].as_u64().unwrap_or_default();
        assert!(claimed <= cap.into(), "a run claimed {claimed} accounts, and may claim {cap}");
    }

    /// P8: a mapping that leads to another account is known by its ETag, and never read.
    pub fn judge_the_requests(&self, stage: &Stage) {
        let prefixes = &stage.photolala.environment().mapping_prefixes;
        let own: BTreeSet<String> = self.known.iter().flat_map(|known| known.account.mapping_keys()).collect();
        let is_strange = |key: &String| prefixes.iter().any(|prefix| key.starts_with(prefix)) && !own.contains(key);
        let records = stage.photolala.local().recorder().stop();
        let read = records.into_iter().filter(|record| record.info.operation == "GetObject");
        let strange: Vec<String> = read.filter_map(|record| record.info.key).filter(is_strange).collect();
        assert!(strange.is_empty(), "P8: {} mappings of others were read", strange.len());
    }

    /// What there was in the beginning.
    pub fn first(&self) -> &Snapshot {
        &self.first
    }
}

impl Known {
    /// P3, P8: a receipt counts no more than there was, and from the threshold on a job erases.
    fn counts_are_true(&self, stage: &Stage, receipt: &Receipt) {
        let Some(had) = self.had.filter(|_| self.completed.len() == 1) else { return };
        let versions = receipt.versions;
        // Where versions are kept, the mark of a claimer that died counts as one: its successor cannot tell.
        let most = had + stage.versions_of_marks(&self.account);
        assert!(versions.erased <= most, "P3: {} erased, of {had}: {receipt:?}", versions.erased);
        let is_whole = receipt.attempts > 1 || receipt.at_least || (had..=most).contains(&versions.listed);
        assert!(is_whole, "P3: {} listed, of {had}: {receipt:?}", versions.listed);
        let is_by_job = receipt.method == Method::Batch || receipt.at_least || had < u64::from(THRESHOLD);
        assert!(is_by_job, "P8: {had} versions were erased without a job: {receipt:?}");
    }

    fn may_go(&self, now: Timestamp) -> bool {
        self.may_go_from.is_some_and(|from| from <= now)
            || self.over.is_some_and(|over| now.duration_since(over) <= ON_ITS_WAY)
    }

    /// Whether the key is the account's status, or an entry of it.
    fn is_paper(&self, stage: &Stage, key: &str) -> bool {
        let is_entry = |id: &str| {
            key.starts_with(&stage.photolala.environment().schedule_prefix) && key.ends_with(&format!("/{id}.json"))
        };
        [self.account.upper(), self.account.lower()].iter().any(|id| key == status_key(id) || is_entry(id))
    }

    /// Nothing is left but what was written since the last look began, by the clock of whoever looked.
    fn nothing_left(&self, what: &str, stage: &Stage, now: &Snapshot, meanwhile: &Meanwhile) {
        let scope = Scope::of(stage.photolala.environment(), &[&self.account]);
        let is_old = |place: &Place, seen: &Seen| {
            let is_seen = self.last_look.is_some_and(|look| seen.modified + CLOCKS_DIFFER < look.as_second());
            is_seen && !meanwhile.written.contains(&place.key)
        };
        let left = now.0.iter().filter(|(place, seen)| scope.owns(place, seen) && is_old(place, seen));
        tell(what, &left.map(|(place, _)| place).collect::<Vec<_>>());
    }

    /// Once the receipt is complete and the record is gone, the account asks for nothing any more; what is written
    /// under it from then on stays.
    fn see_whether_it_is_over(&mut self, stage: &Stage, now: &Snapshot, meanwhile: &Meanwhile) {
        let has_record = stage.own(record_key(&self.account.id()).as_str()).is_some();
        let is_done = self.completion != Completion::Open && !has_record && self.may_go_from.is_some();
        // What was erased until then is the completed deletion's, even if another was asked for in its last moment.
        self.is_touched &= !(is_done && self.completion == Completion::AskedAgain);
        if !is_done || !self.is_settled(stage) {
            return;
        }
        self.nothing_left("P2, P9: over, and still there", stage, now, meanwhile);
        self.over = Some(stage.now());
        (self.end, self.may_go_from, self.is_touched) = (End::Stays, None, false);
    }

    /// Whether the last deletion is over, rather than a new one asked for since.
    fn is_settled(&self, stage: &Stage) -> bool {
        let waits = stage.own(&format!("requests/{}.json", self.account.upper())).is_some();
        !waits && stage.entries(&self.account).is_empty()
    }

    /// P5: nobody who stays is left marked, or with a status that says otherwise where an app looks: an app that cancels
    /// by itself writes the one it knows, and what contradicts it erases nobody.
    fn its_status_is_right(&self, who: usize, stage: &Stage) {
        let [known, older] = [self.account.upper(), self.account.lower()].map(|id| stage.status(&id));
        let is_marked = [&known, &older].into_iter().flatten().any(|status| status.get("deletionId").is_some());
        assert!(!is_marked, "P5: account {who} is not under way, and its status is marked");
        let Some(word) = known.as_ref().or(older.as_ref()).map(|status| status["accountStatus"].as_str()) else {
            return;
        };
        let is_told = self.end == End::Stays && self.papers_move;
        assert!(!is_told || word == Some("active"), "P5: account {who} stays, and its status says {word:?}");
    }

    fn left(&self, stage: &Stage, now: &Snapshot) -> String {
        let scope = Scope::of(stage.photolala.environment(), &[&self.account]);
        let left = now.0.iter().filter(|(place, seen)| scope.owns(place, seen));
        left.map(|(place, _)| place.to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// P3, P4: every deletion that was begun has a receipt that says how it ended, and somebody was told of its begin
/// and its end.
fn receipts_say_the_end(stage: &Stage) {
    let [claimed, completed] = ["claimed", "completed"].map(|kind| stage.told_of(kind));
    for receipt in receipts(stage) {
        let id = receipt.deletion_id.to_string();
        assert_eq!(receipt.state, ReceiptState::Complete, "P3: over, and its receipt does not say so: {receipt:?}");
        assert!(claimed.contains(&id), "nobody was told that a deletion begins");
        assert!(completed.contains(&id), "nobody was told that a deletion is complete");
    }
}

fn receipts(stage: &Stage) -> Vec<Receipt> {
    let read = |key: &String| serde_json::from_value(stage.own(key)?).ok();
    stage.own_keys("receipts/").iter().filter_map(read).collect()
}

fn is_held(record: &Value) -> bool {
    record["state"]["name"] == "held"
}
