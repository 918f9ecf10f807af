//! What the stories share: the service as it was deployed, and somebody to act for.

use std::time::Duration;

use aws_sdk_s3::config::Credentials;
use domain::receipt::Receipt;
use harness::{Account, Answer, Fixture, Photolala, Snapshot, promises};
use local_aws::Clients;
use serde_json::Value;

use crate::emulator::Emulator;
use crate::watch::{Caller, Watch};

/// Versions of an account that must not be touched.
const NEIGHBOUR_VERSIONS: usize = 40;

/// The deployed service behind our front, and the emulator itself.
pub struct Stage {
    /// The service.
    pub photolala: Photolala,
    /// The emulator, asked directly.
    pub emulator: Emulator,
    /// What sees every request.
    pub watch: Watch,
    /// Names of the roles.
    pub roles: Roles,
}

/// The roles' names.
#[derive(Clone, Debug)]
pub struct Roles {
    /// Of the deletion function.
    pub deletion: String,
    /// Of the eraser.
    pub eraser: String,
    /// Of jobs.
    pub batch: String,
}

impl Roles {
    /// As `cdk/` names them.
    pub fn of(environment: &domain::environment::Environment) -> Self {
        Self {
            deletion: environment.functions.deletion.clone(),
            eraser: environment.functions.eraser.clone(),
            batch: format!("photolala-deletion-batch-{}", environment.name),
        }
    }

    /// Each with what it is called in tables, and the service that may take it on.
    pub fn each(&self) -> [(&str, &'static str, &'static str); 3] {
        [
            (&self.deletion, "deletion", "lambda.amazonaws.com"),
            (&self.eraser, "eraser", "lambda.amazonaws.com"),
            (&self.batch, "batch", "batchoperations.s3.amazonaws.com"),
        ]
    }
}

/// An account with its neighbour, and everything as it was before.
pub struct Scene {
    pub account: Account,
    pub before: Snapshot,
}

impl Scene {
    /// Fills an account, and its neighbour beside it.
    pub async fn set(photolala: &Photolala, seed: u64, lay_out: impl FnOnce(Fixture) -> Fixture) -> Self {
        let account = Account::seeded(seed);
        lay_out(Fixture::of(&account)).fill(photolala).await.expect("the account is filled");
        let neighbour = Fixture::of(&account.neighbour()).versions(NEIGHBOUR_VERSIONS);
        neighbour.fill(photolala).await.expect("the neighbour is filled");
        Self { account, before: photolala.snapshot().await }
    }

    /// Delete Now, as the app asks for it.
    pub async fn delete_now(&self, photolala: &Photolala) -> Answer {
        photolala.delete_now(&self.account.upper()).await.expect("the function answers")
    }

    /// Brings the deletion to its receipt, looks at the promises (P1 to P4, P10), and lets the second look pass.
    pub async fn end(&self, photolala: &Photolala, answer: &Answer) -> Receipt {
        let receipt = photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
        promises::kept(photolala, &self.before, &self.account, &receipt).await;
        self.settled(photolala, answer).await
    }

    /// The second look over a deletion that has its receipt.
    pub async fn settled(&self, photolala: &Photolala, answer: &Answer) -> Receipt {
        // A settled record is left alone for its time; the rule that reconciles may meanwhile do so by itself.
        photolala.settle().await.expect("reconcile runs");
        tokio::time::timeout(SETTLED_MAX, self.forgotten(photolala)).await.expect("the second look comes");
        let receipt = photolala.receipt(answer.deletion_id()).await;
        assert_eq!(receipt.looks.len(), 2, "the receipt names both looks");
        receipt
    }

    async fn forgotten(&self, photolala: &Photolala) {
        while photolala.has_record(&self.account).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
            photolala.reconcile().await.expect("reconcile runs");
        }
    }
}

/// Longest wait for the second look.
const SETTLED_MAX: Duration = Duration::from_mins(1);

impl Stage {
    /// Clients with a session of a role, for trying what it may do.
    pub async fn trial(&self, role: &str) -> Clients {
        let all = self.roles.each();
        let (_, _, service) = all.iter().find(|(name, ..)| *name == role).expect("a role of ours");
        let session = self.emulator.assume(role, service).await.expect("the role can be taken on");
        self.watch.know(session.access_key_id(), Caller::Trial(role.to_owned()));
        self.clients(&session)
    }

    /// Clients with these credentials.
    pub fn clients(&self, credentials: &Credentials) -> Clients {
        self.photolala.local().clients().without_retries().with_credentials(credentials)
    }

    /// Invokes the eraser's numbered version, as S3 Batch Operations does, with one task; the answer's code and text.
    pub async fn erase(&self, key: &str) -> (String, String) {
        let task = serde_json::json!({ "taskId": "0", "s3Key": key, "s3VersionId": null });
        let event = serde_json::json!({ "invocationSchemaVersion": "2.0", "invocationId": "i", "job": { "id": "j" },
            "tasks": [task] });
        let eraser = &self.photolala.environment().functions.eraser;
        let invoke = self.photolala.local().lambda_client().invoke().function_name(eraser).qualifier("1");
        let output = invoke.payload(event.to_string().into_bytes().into()).send().await.expect("Lambda runs it");
        let payload = output.payload().map(AsRef::as_ref).unwrap_or_default();
        let answer: Value = serde_json::from_slice(payload).expect("an answer is JSON");
        let text = |field: &str| answer["results"][0][field].as_str().unwrap_or_default().to_owned();
        assert!(!text("resultCode").is_empty(), "no result: {answer}");
        (text("resultCode"), text("resultString"))
    }
}
