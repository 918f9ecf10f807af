//! An environment: one whole page of `environments/<name>.json`, nothing inherited, nothing defaulted.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{AwsAccountId, BucketName};
use crate::layout::{PrefixTemplate, is_folder};

/// Every value of an environment file. `environments/schema.json` says the same for the other side.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// `development`, `staging` or `production`.
    pub name: String,
    /// The AWS account the environment lives in; `000000000000` until its owner fills it in.
    pub aws_account: AwsAccountId,
    /// The region of the functions and of the manifest bucket.
    pub region: String,
    /// Names of the two functions.
    pub functions: FunctionNames,
    /// Every bucket that holds photos of this environment. A bucket belongs to exactly one environment.
    pub buckets: Vec<Bucket>,
    /// Key prefixes of an account, such as `photos/{account}/`.
    pub account_prefixes: Vec<String>,
    /// Prefixes of mappings, such as `identities/`.
    pub mapping_prefixes: Vec<String>,
    /// Prefix of schedule entries.
    pub schedule_prefix: String,
    /// How long a person may change their mind, in seconds.
    pub grace_seconds: u32,
    /// Pause between the two checks before a scheduled claim, in seconds.
    pub confirm_seconds: u32,
    /// Pause between the receipt and the second look, in seconds.
    pub settle_seconds: u32,
    /// When the scheduled run fires, in EventBridge's syntax.
    pub schedule_expression: String,
    /// Whether "Delete Now" is served at once.
    pub immediate_mode: ImmediateMode,
    /// From this many object versions on, an account is erased by a job.
    pub deletion_threshold: u32,
    /// Keys erased a second, over all workers (S3 allows 3,500 a second and partition).
    pub pace_keys_per_second: u32,
    /// Reserved concurrency of the eraser; `null` for none.
    pub eraser_concurrency: Option<u32>,
    /// Above these nothing is claimed.
    pub caps: Caps,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Whether AWS X-Ray traces both functions: `off` or `on`.
    pub tracing: String,
    /// Whether a rule tells the end of a job at once; needs a CloudTrail trail. Reconcile finds it anyway.
    pub job_status_rule: bool,
    /// Retention of the functions' logs, in days.
    pub log_retention_days: u32,
    /// Who is told of alarms.
    pub alarm_address: String,
    /// The role whose sessions may call the function URL.
    pub app_role: String,
    /// Principals of the app, which may invoke neither function directly.
    pub app_principals: Vec<String>,
    /// Stores outside S3, named in receipts as outside the scope of a deletion.
    pub other_stores: Vec<String>,
}

/// Names of the two functions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionNames {
    /// `photolala-deletion-<environment>`.
    pub deletion: String,
    /// `photolala-eraser-<environment>`.
    pub eraser: String,
}

/// A bucket and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// Its region, such as `us-east-1`.
    pub region: String,
    /// What it is for.
    pub role: BucketRole,
}

/// What a bucket is for. All three are erased alike; receipts name the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BucketRole {
    /// The bucket apps write to.
    Primary,
    /// A copy kept by S3 replication, which does not replicate the erasure of versions.
    Replica,
    /// What earlier versions of the app wrote.
    Legacy,
}

/// Whether "Delete Now" is served at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImmediateMode {
    /// At once.
    Allowed,
    /// By the next scheduled run.
    NextRun,
    /// Not at all.
    Denied,
}

/// Limits on what may be claimed without a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Caps {
    /// Accounts a run.
    pub accounts_per_run: u32,
    /// Accounts a day.
    pub accounts_per_day: u32,
    /// Object versions an account.
    pub versions_per_account: u64,
}

/// What is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}; allowed: {allowed}")]
pub struct Fault {
    /// The field, dotted, without indexes: `caps.accountsPerRun`, `buckets.name`.
    pub field: String,
    /// What stands there.
    pub found: String,
    /// What may.
    pub allowed: String,
}

impl Fault {
    /// A fault of a field.
    pub fn new(field: impl Into<String>, found: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { field: field.into(), found: found.into(), allowed: allowed.into() }
    }
}

/// Every environment there may be.
const NAMES: [&str; 3] = ["development", "staging", "production"];
/// How many erasers share the pace where the environment reserves no concurrency.
const ASSUMED_ERASERS: u32 = 4;

impl Environment {
    /// Reads and checks one file. The error names each field, what was found and what is allowed.
    pub fn parse(json: &str) -> Result<Self, String> {
        let environment: Self = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let faults: Vec<String> = environment.faults(&environment.name).iter().map(ToString::to_string).collect();
        if faults.is_empty() { Ok(environment) } else { Err(faults.join("\n")) }
    }

    /// What the shape of the JSON alone cannot rule out, in the file of this name.
    pub fn faults(&self, file: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut want = |holds: bool, field: &str, found: &dyn fmt::Debug, allowed: &str| {
            if !holds {
                faults.push(Fault::new(field, format!("{found:?}"), allowed));
            }
        };
        let FunctionNames { deletion, eraser } = &self.functions;
        let named = |kind: &str| format!("photolala-{kind}-{}", self.name);
        want(self.name == file, "name", &self.name, "the name of the file");
        want(NAMES.contains(&self.name.as_str()), "name", &self.name, "development, staging or production");
        want(*deletion == named("deletion"), "functions.deletion", deletion, &named("deletion"));
        want(*eraser == named("eraser"), "functions.eraser", eraser, &named("eraser"));
        for text in &self.account_prefixes {
            want(PrefixTemplate::parse(text).is_some(), "accountPrefixes", text, "word/{account}/");
        }
        for prefix in &self.mapping_prefixes {
            want(is_folder(prefix), "mappingPrefixes", prefix, "word/");
        }
        want(is_folder(&self.schedule_prefix), "schedulePrefix", &self.schedule_prefix, "word/");
        let holds_status = self.account_prefixes.iter().any(|template| template == "users/{account}/");
        want(
            holds_status,
            "accountPrefixes",
            &self.account_prefixes,
            "users/{account}/ among them: the status is there",
        );
        want(!self.mapping_prefixes.is_empty(), "mappingPrefixes", &self.mapping_prefixes, "at least one");
        let is_primary = |bucket: &Bucket| bucket.role == BucketRole::Primary;
        want(self.buckets.iter().any(is_primary), "buckets.role", &self.buckets, "at least one \"primary\"");
        for Bucket { name, .. } in &self.buckets {
            let is_own = name.as_str().starts_with("photolala-deletion-");
            want(!is_own, "buckets.name", name, "a bucket of photos, not one of this service");
        }
        let waits = self.name != "production" || self.grace_seconds > 0;
        want(waits, "graceSeconds", &self.grace_seconds, "more than 0 in production");
        let is_served = self.immediate_mode != ImmediateMode::Allowed || self.name == "development";
        want(is_served, "immediateMode", &self.immediate_mode, "\"allowed\" in development only");
        let pace = self.pace_keys_per_second;
        want((1..=3_500).contains(&pace), "paceKeysPerSecond", &pace, "1 to 3,500, which S3 allows a partition");
        want(self.deletion_threshold > 0, "deletionThreshold", &self.deletion_threshold, "at least 1");
        let is_plain = !self.app_role.is_empty() && !self.app_role.contains('/');
        want(is_plain, "appRole", &self.app_role, "the name of a role, without its path");
        for store in &self.other_stores {
            want(!store.is_empty() && !store.contains(','), "otherStores", store, "a name without a comma");
        }
        faults.extend(self.overlaps());
        faults
    }

    /// Prefixes that overlap: what belongs to one account, what leads to accounts and what is scheduled are told apart
    /// by prefix alone, in the code and in the roles' policies.
    fn overlaps(&self) -> Vec<Fault> {
        let accounts = || self.account_prefixes.iter().map(|template| template.trim_end_matches("{account}/"));
        let mappings = || self.mapping_prefixes.iter().map(String::as_str);
        let fault = |field: &str, prefix: &str| {
            Fault::new(field, format!("{prefix:?}"), "a prefix that holds no other prefix and lies in none")
        };
        let mut faults = Vec::new();
        for (place, prefix) in accounts().enumerate() {
            if accounts().take(place).any(|other| overlap(prefix, other)) {
                faults.push(fault("accountPrefixes", prefix));
            }
        }
        for (place, prefix) in mappings().enumerate() {
            if accounts().chain(mappings().take(place)).any(|other| overlap(prefix, other)) {
                faults.push(fault("mappingPrefixes", prefix));
            }
        }
        if accounts().chain(mappings()).any(|other| overlap(&self.schedule_prefix, other)) {
            faults.push(fault("schedulePrefix", &self.schedule_prefix));
        }
        faults
    }

    /// The bucket of records, pages, manifests, outcomes, reports and receipts.
    pub fn manifest_bucket(&self) -> String {
        format!("photolala-deletion-{}-{}", self.name, self.aws_account.as_str())
    }

    /// The bus that takes notices.
    pub fn notice_bus(&self) -> String {
        format!("photolala-deletion-{}", self.name)
    }

    /// The variables of the deletion function, as [`crate::settings::DeletionSettings`] reads them.
    pub fn deletion_variables(&self, eraser_arn: &str, batch_role_arn: &str) -> BTreeMap<String, String> {
        let mut variables = self.shared_variables();
        variables.extend([
            ("MAPPING_PREFIXES".to_owned(), self.mapping_prefixes.join(",")),
            ("SCHEDULE_PREFIX".to_owned(), self.schedule_prefix.clone()),
            ("GRACE_SECONDS".to_owned(), self.grace_seconds.to_string()),
            ("CONFIRM_SECONDS".to_owned(), self.confirm_seconds.to_string()),
            ("SETTLE_SECONDS".to_owned(), self.settle_seconds.to_string()),
            ("ACCOUNTS_PER_RUN".to_owned(), self.caps.accounts_per_run.to_string()),
            ("ACCOUNTS_PER_DAY".to_owned(), self.caps.accounts_per_day.to_string()),
            ("VERSIONS_PER_ACCOUNT".to_owned(), self.caps.versions_per_account.to_string()),
            ("APP_ROLE".to_owned(), self.app_role.clone()),
            ("NOTICE_BUS".to_owned(), self.notice_bus()),
            ("IMMEDIATE_MODE".to_owned(), json_word(&self.immediate_mode)),
            ("DELETION_THRESHOLD".to_owned(), self.deletion_threshold.to_string()),
            ("PACE_KEYS_PER_SECOND".to_owned(), self.pace_keys_per_second.to_string()),
            ("ERASER_FUNCTION_ARN".to_owned(), eraser_arn.to_owned()),
            ("BATCH_ROLE_ARN".to_owned(), batch_role_arn.to_owned()),
            ("OTHER_STORES".to_owned(), self.other_stores.join(",")),
        ]);
        variables
    }

    /// The variables of the eraser, as [`crate::settings::EraserSettings`] reads them.
    /// Each eraser gets its share of the pace.
    pub fn eraser_variables(&self) -> BTreeMap<String, String> {
        let erasers = self.eraser_concurrency.unwrap_or(ASSUMED_ERASERS).max(1);
        let mut variables = self.shared_variables();
        variables.insert("PACE_KEYS_PER_SECOND".to_owned(), (self.pace_keys_per_second / erasers).max(1).to_string());
        variables
    }

    fn shared_variables(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("ENVIRONMENT".to_owned(), self.name.clone()),
            ("AWS_ACCOUNT".to_owned(), self.aws_account.as_str().to_owned()),
            ("BUCKETS".to_owned(), serde_json::to_string(&self.buckets).expect("names and roles are plain JSON")),
            ("ACCOUNT_PREFIXES".to_owned(), self.account_prefixes.join(",")),
            ("MANIFEST_BUCKET".to_owned(), self.manifest_bucket()),
        ])
    }
}

fn overlap(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// A one-word enum as its JSON word.
fn json_word(value: &impl Serialize) -> String {
    let quoted = serde_json::to_string(value).expect("a unit variant is plain JSON");
    quoted.trim_matches('"').to_owned()
}
