//! What stories share: the service with some accounts in it, and the look back at the end.

use domain::mapping::BucketKind;
use domain::receipt::Receipt;
use harness::{Account, Answer, Fixture, Options, Photolala, Snapshot, promises};
use local_aws::Backend;

/// The service, an account, its neighbour, and everything as it was before.
pub struct Stage {
    pub photolala: Photolala,
    pub account: Account,
    pub before: Snapshot,
}

/// Options with the S3 server asked for.
pub fn options() -> Options {
    let mut options = Options::default();
    if let Ok(url) = std::env::var("PHOTOLALA_S3_URL") {
        options.s3 = Backend::Url(url);
        // A foreign server outlives the story: each has buckets of its own.
        options.environment = harness::environment::apart(options.environment, &uuid::Uuid::new_v4().to_string()[..8]);
    }
    options
}

/// The same, with accounts of so many versions erased by a job.
pub fn threshold(options: Options, versions: usize) -> Options {
    let mut options = options;
    options.deletion_variables.insert("DELETION_THRESHOLD".to_owned(), versions.to_string());
    options
}

/// A story that cannot be told with another S3 server behind, for this reason. `NOT_ON_SEAWEEDFS.md` names it, and
/// `bin/verify seaweedfs` leaves it out: it must neither pass nor fail where it was not told.
pub fn only_in_memory(reason: &str) {
    assert!(std::env::var_os("PHOTOLALA_S3_URL").is_none(), "not to be run with another S3 server: {reason}");
}

/// The same, with buckets of this kind.
pub fn kind(kind: BucketKind) -> Options {
    Options { kind, ..options() }
}

/// Accounts from so many versions on go into a job, and listings have several pages.
pub fn by_job(threshold: usize) -> Options {
    let mut options = Options { page_size: 5, ..options() };
    options.deletion_variables.insert("DELETION_THRESHOLD".to_owned(), threshold.to_string());
    options
}

impl Stage {
    /// Starts the service and fills it: the account with so many versions, its neighbour with 40.
    pub async fn set(options: Options, versions: usize) -> Self {
        Self::with(options, |fixture| fixture.versions(versions)).await
    }

    /// The same, the account laid out as asked.
    pub async fn with(options: Options, lay_out: impl FnOnce(Fixture) -> Fixture) -> Self {
        let photolala = Photolala::start(options).await.expect("the service starts");
        let account = Account::seeded(1);
        lay_out(Fixture::of(&account)).fill(&photolala).await.expect("the account is filled");
        let neighbour = Fixture::of(&account.neighbour()).versions(40);
        neighbour.fill(&photolala).await.expect("the neighbour is filled");
        let before = photolala.snapshot().await;
        Self { photolala, account, before }
    }

    /// Delete Now, as the app asks for it.
    pub async fn delete_now(&self) -> Answer {
        let answer = self.photolala.delete_now(&self.account.upper()).await.expect("the function answers");
        if answer.status_code >= 500 {
            self.tell_logs();
        }
        answer
    }

    /// Prints what the deletion function logged, for whoever reads why a story failed.
    pub fn tell_logs(&self) {
        let name = &self.photolala.environment().functions.deletion;
        for line in self.photolala.local().lambda().logs(name) {
            eprintln!("{}: {}", line.process, line.text);
        }
    }

    /// Takes the snapshot anew, after a story has added to what was laid out.
    pub async fn taken_anew(self) -> Self {
        Self { before: self.photolala.snapshot().await, ..self }
    }

    /// Brings the deletion to its receipt and checks the promises.
    pub async fn end(&self, answer: &Answer) -> Receipt {
        let receipt = self.photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
        promises::kept(&self.photolala, &self.before, &self.account, &receipt).await;
        receipt
    }

    /// The same, where the story itself wrote these keys meanwhile and looks at them itself.
    pub async fn end_but(&self, answer: &Answer, touched: &[&str]) -> Receipt {
        let receipt = self.photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
        let scope = promises::Scope::of(self.photolala.environment(), &[&self.account]);
        let after = self.photolala.snapshot().await;
        promises::no_over_deletion(&self.before, &after, &scope, touched);
        promises::no_false_receipt(&receipt, &after, &self.account, &scope);
        promises::no_lost_request(&self.photolala, &self.account, receipt.deletion_id).await;
        promises::tidied_up(&self.photolala, receipt.deletion_id).await;
        promises::silent_about_people(&self.photolala, &self.before, &[&self.account]).await;
        receipt
    }

    /// The same, and the second look too: afterwards nothing names the account any more.
    pub async fn end_settled(&self, answer: &Answer) -> Receipt {
        self.end(answer).await;
        self.settled(answer).await
    }

    /// The second look over a deletion that has its receipt: it must find nothing.
    pub async fn settled(&self, answer: &Answer) -> Receipt {
        self.photolala.settle().await.expect("reconcile runs");
        assert!(!self.photolala.has_record(&self.account).await, "the record outlived the second look");
        let receipt = self.photolala.receipt(answer.deletion_id()).await;
        assert_eq!(receipt.looks.len(), 2, "the receipt names both looks");
        receipt
    }
}
