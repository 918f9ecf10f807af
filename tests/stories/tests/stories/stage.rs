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

/// The same, with buckets of this kind.
pub fn kind(kind: BucketKind) -> Options {
    Options { kind, ..options() }
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
        self.photolala.delete_now(&self.account.upper()).await.expect("the function answers")
    }

    /// Brings the deletion to its receipt and checks the promises.
    pub async fn end(&self, answer: &Answer) -> Receipt {
        let receipt = self.photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
        promises::kept(&self.photolala, &self.before, &self.account, &receipt).await;
        receipt
    }

    /// The same, and the second look too: afterwards nothing names the account any more.
    pub async fn end_settled(&self, answer: &Answer) -> Receipt {
        self.end(answer).await;
        self.photolala.settle().await.expect("reconcile runs");
        assert!(!self.photolala.has_record(&self.account).await, "the record outlived the second look");
        let receipt = self.photolala.receipt(answer.deletion_id()).await;
        assert_eq!(receipt.looks.len(), 2, "the receipt names both looks");
        receipt
    }
}
