//! An account that waits for its erasure, and how it may end: it stays whole, or goes whole.

use domain::ids::DeletionId;
use domain::layout::{record_key, request_key};
use domain::record::{LEASE_SECONDS, Record};
use harness::person::status_key;
use harness::{Account, Answer, Fixture, Options, Photolala, Snapshot, promises};
use serde_json::json;

use crate::scheduled::{GRACE, with_grace};

/// Runs and reconciles after which everything must have ended.
const ROUNDS_MAX: u32 = 8;

/// No pause between the two looks: both fall into the same second, which is the hardest case.
pub fn without_pause(options: Options) -> Options {
    let mut options = with_grace(options);
    options.environment.confirm_seconds = 0;
    options
}

/// An account that asked to be erased, and everything as it is once it is due.
pub struct Waiting<'a> {
    pub photolala: &'a Photolala,
    pub account: Account,
    pub before: Snapshot,
}

impl<'a> Waiting<'a> {
    /// Every second account by the event, every other by an app alone.
    pub async fn due(photolala: &'a Photolala, n: u64, by_event: bool) -> Self {
        let account = Account::seeded(n);
        Fixture::of(&account).versions(7).fill(photolala).await.expect("the account is filled");
        if by_event {
            let answer = photolala.ask(json!({"type": "schedule", "userId": account.upper()})).await.unwrap();
            assert_eq!(answer.status_code, 200, "{}", answer.body);
        } else {
            photolala.app_schedules(&account, GRACE.into()).await;
        }
        photolala.pass(i64::from(GRACE) + 2).await;
        let before = photolala.snapshot().await;
        Self { photolala, account, before }
    }

    /// Keys that scheduling and cancelling write.
    pub fn words(&self) -> Vec<String> {
        let prefix = "scheduled-deletions/";
        let entries = self.before.0.keys().map(|place| place.key.clone()).filter(|key| key.starts_with(prefix));
        entries.chain([status_key(&self.account.upper())]).collect()
    }

    /// P5: nothing of the account has changed but status and entry, and nothing asks for its erasure any more.
    pub async fn stays(&self, point: u64) {
        let scope = promises::Scope::of(self.photolala.environment(), &[]);
        let words = self.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        promises::no_over_deletion(&self.before, &self.photolala.snapshot().await, &scope, &words);
        assert_eq!(self.says().await.as_deref(), Some("active"), "point {point}");
        assert!(self.record().await.is_none(), "point {point}: a record is left");
        assert_eq!(self.photolala.own_object(request_key(&self.account.id()).as_str()).await, None, "point {point}");
    }

    /// P2 to P4: all of it is gone, by one deletion.
    pub async fn is_erased(&self, deletion: DeletionId) {
        let receipt = self.photolala.run_until_complete(deletion).await.expect("the deletion completes");
        let scope = promises::Scope::of(self.photolala.environment(), &[&self.account]);
        let after = self.photolala.snapshot().await;
        promises::no_over_deletion(&self.before, &after, &scope, &[]);
        promises::no_false_receipt(&receipt, &after, &self.account, &scope);
        promises::nothing_left(&after, &scope);
        self.photolala.settle().await.expect("reconcile runs");
        assert!(self.record().await.is_none(), "the record outlived the second look");
    }

    /// The same, where an old app wrote after the last look too: then the second look finds it.
    pub async fn is_erased_in_the_end(&self, deletion: DeletionId) {
        for _ in 0..ROUNDS_MAX {
            self.photolala.run_until_complete(deletion).await.expect("the deletion completes");
            self.photolala.settle().await.expect("reconcile runs");
            if self.record().await.is_none() {
                let scope = promises::Scope::of(self.photolala.environment(), &[&self.account]);
                let after = self.photolala.snapshot().await;
                promises::no_over_deletion(&self.before, &after, &scope, &[]);
                return promises::nothing_left(&after, &scope);
            }
        }
        panic!("the deletion does not settle: {:?}", self.record().await);
    }

    /// What a cancellation came to: who was told that nothing is decided yet asks again, now that the run is over.
    pub async fn decided(&self, answer: Answer) -> Answer {
        if answer.status_code != 503 {
            return answer;
        }
        assert_eq!(answer.body["status"], "busy", "{}", answer.body);
        self.photolala.ask(json!({"type": "cancel", "userId": self.account.upper()})).await.expect("cancel answers")
    }

    pub async fn record(&self) -> Option<Record> {
        let body = self.photolala.own_object(record_key(&self.account.id()).as_str()).await?;
        Some(Record::parse(&body).expect("a record can be read at any moment"))
    }

    /// What the status says, if there is one.
    pub async fn says(&self) -> Option<String> {
        self.photolala.status_word(&self.account).await
    }

    /// Runs and reconciles until nothing is under way; gives the deletion, if there was one.
    pub async fn recover(&self) -> Option<DeletionId> {
        let mut deletion = None;
        for _ in 0..ROUNDS_MAX {
            self.photolala.quiet().await;
            let record = self.record().await.filter(|record| record.claimed_at.is_some());
            deletion = deletion.or(record.map(|record| record.deletion_id));
            self.photolala.pass(LEASE_SECONDS + 1).await;
            self.photolala.reconcile().await.expect("reconcile runs");
            self.photolala.quiet().await;
            if self.record().await.is_none() {
                return deletion;
            }
        }
        panic!("after {ROUNDS_MAX} rounds the record is still {:?}", self.record().await);
    }
}

/// The event `cancel`, sent through a client of its own.
pub fn cancel_event(
    lambda: aws_sdk_lambda::Client,
    function: String,
    account: &Account,
) -> impl Future<Output = Option<Answer>> + Send + use<> {
    let event = json!({"type": "cancel", "userId": account.upper()}).to_string();
    async move {
        let sent = lambda.invoke().function_name(function).payload(event.into_bytes().into()).send().await;
        let output = sent.expect("Lambda takes the event");
        let payload = serde_json::from_slice(output.payload().expect("an answer").as_ref()).expect("JSON");
        Some(Answer::decode(&payload).expect("an answer for an app"))
    }
}
