//! Settings of the functions: one struct each, read once, all faults reported together.

use fault_point::planted;

use crate::environment::{Bucket, Caps, ImmediateMode};
use crate::ids::{AwsAccountId, BucketName};
use crate::layout::{PrefixTemplate, is_folder};

/// What both functions know.
#[derive(Debug, Clone)]
pub struct SharedSettings {
    /// `development`, `staging` or `production`.
    pub environment: String,
    /// Owner of every bucket; sent with every call, so that a bucket of a stranger is never touched.
    pub aws_account: AwsAccountId,
    /// The buckets that are erased.
    pub buckets: Vec<Bucket>,
    /// The prefixes of an account.
    pub account_prefixes: Vec<PrefixTemplate>,
    /// The bucket of records, pages, manifests, outcomes, reports and receipts.
    pub manifest_bucket: BucketName,
    /// Keys a second this process may erase.
    pub pace_keys_per_second: u32,
}

/// Settings of the eraser.
#[derive(Debug, Clone)]
pub struct EraserSettings {
    /// All of them: the eraser decides nothing.
    pub shared: SharedSettings,
}

/// Settings of the deletion function.
#[derive(Debug, Clone)]
pub struct DeletionSettings {
    /// What the eraser knows too.
    pub shared: SharedSettings,
    /// Prefixes of mappings.
    pub mapping_prefixes: Vec<String>,
    /// Prefix of schedule entries.
    pub schedule_prefix: String,
    /// Seconds a person has to change their mind.
    pub grace_seconds: u32,
    /// Seconds between the two looks before a scheduled claim.
    pub confirm_seconds: u32,
    /// Seconds between the receipt and the second look.
    pub settle_seconds: u32,
    /// What may be claimed without a person.
    pub caps: Caps,
    /// Name of the role whose sessions may call the function URL.
    pub app_role: String,
    /// Name of the bus that takes notices.
    pub notice_bus: String,
    /// Whether "Delete Now" is served at once.
    pub immediate_mode: ImmediateMode,
    /// From this many object versions on, an account is erased by a job.
    pub deletion_threshold: usize,
    /// The numbered version of the eraser that jobs invoke.
    pub eraser_function_arn: String,
    /// The role that S3 Batch Operations assumes.
    pub batch_role_arn: String,
    /// Stores outside S3, named in receipts.
    pub other_stores: Vec<String>,
}

/// Every missing or malformed variable, a line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("settings cannot be read:\n{}", .0.join("\n"))]
pub struct SettingsFaults(pub Vec<String>);

impl EraserSettings {
    /// Reads the variables that `lookup` gives.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsFaults> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        let shared = reader.shared();
        reader.finish(Self { shared: shared.unwrap_or_else(unread) })
    }
}

impl DeletionSettings {
    /// Reads the variables that `lookup` gives.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsFaults> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        let shared = reader.shared();
        let settings = Self {
            shared: shared.unwrap_or_else(unread),
            mapping_prefixes: reader.list("MAPPING_PREFIXES", "identities/,emails/", folder),
            schedule_prefix: reader.one("SCHEDULE_PREFIX", "scheduled-deletions/", folder).unwrap_or_default(),
            grace_seconds: reader.one("GRACE_SECONDS", "2592000", |s| s.parse().ok()).unwrap_or(u32::MAX),
            confirm_seconds: reader.one("CONFIRM_SECONDS", "60", |s| s.parse().ok()).unwrap_or(u32::MAX),
            settle_seconds: reader.one("SETTLE_SECONDS", "3600", |s| s.parse().ok()).unwrap_or_default(),
            caps: reader.caps(),
            app_role: reader.one("APP_ROLE", "photolala-app-development", word).unwrap_or_default(),
            notice_bus: reader.one("NOTICE_BUS", "photolala-deletion-development", word).unwrap_or_default(),
            immediate_mode: reader
                .one("IMMEDIATE_MODE", "allowed, next-run or denied", |s| {
                    serde_json::from_value(serde_json::Value::String(s.to_owned())).ok()
                })
                .unwrap_or(ImmediateMode::Denied),
            deletion_threshold: reader.one("DELETION_THRESHOLD", "1000", positive).unwrap_or(1),
            eraser_function_arn: reader.one("ERASER_FUNCTION_ARN", "arn:aws:lambda:…:7", arn).unwrap_or_default(),
            batch_role_arn: reader.one("BATCH_ROLE_ARN", "arn:aws:iam::…:role/…", arn).unwrap_or_default(),
            other_stores: reader.list("OTHER_STORES", "names, or empty", |s| Some(s.to_owned())),
        };
        reader.finish(settings)
    }
}

/// Reads variables and remembers what was wrong, so that an operator mends all of it at once.
struct Reader<L> {
    lookup: L,
    faults: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn shared(&mut self) -> Option<SharedSettings> {
        let environment = self.one("ENVIRONMENT", "development", |s| (!s.is_empty()).then(|| s.to_owned()));
        let aws_account = self.one("AWS_ACCOUNT", "123456789012", AwsAccountId::parse);
        let buckets = self.one("BUCKETS", r#"[{"name":"…","region":"…","role":"primary"}]"#, buckets);
        let account_prefixes = self.list("ACCOUNT_PREFIXES", "photos/{account}/", PrefixTemplate::parse);
        let manifest_bucket = self.one("MANIFEST_BUCKET", "photolala-deletion-development-…", BucketName::parse);
        let pace = self.one("PACE_KEYS_PER_SECOND", "2500", positive);
        if account_prefixes.is_empty() {
            self.faults.push("ACCOUNT_PREFIXES: at least one is needed".to_owned());
        }
        Some(SharedSettings {
            environment: environment?,
            aws_account: aws_account?,
            buckets: buckets?,
            account_prefixes,
            manifest_bucket: manifest_bucket?,
            pace_keys_per_second: u32::try_from(pace?).ok()?,
        })
    }

    fn caps(&mut self) -> Caps {
        let mut cap = |name: &str, good: &str| self.one(name, good, |s| s.parse::<u32>().ok()).unwrap_or_default();
        Caps {
            accounts_per_run: cap("ACCOUNTS_PER_RUN", "1000"),
            accounts_per_day: cap("ACCOUNTS_PER_DAY", "5000"),
            versions_per_account: self.one("VERSIONS_PER_ACCOUNT", "5000000", |s| s.parse().ok()).unwrap_or_default(),
        }
    }

    fn one<T>(&mut self, name: &str, good: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let Some(text) = (self.lookup)(name) else {
            planted!("d24-anybody-by-default" => if name == "IMMEDIATE_MODE" { return parse("allowed") });
            self.faults.push(format!("{name}: is missing; a good value: {good}"));
            return None;
        };
        let value = parse(&text);
        if value.is_none() {
            self.faults.push(format!("{name}: {text:?} cannot be used; a good value: {good}"));
        }
        value
    }

    fn list<T>(&mut self, name: &str, good: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let items = self.one(name, good, |text| {
            text.split(',').filter(|item| !item.is_empty()).map(&parse).collect::<Option<Vec<T>>>()
        });
        items.unwrap_or_default()
    }

    fn finish<T>(self, settings: T) -> Result<T, SettingsFaults> {
        if self.faults.is_empty() { Ok(settings) } else { Err(SettingsFaults(self.faults)) }
    }
}

/// Stands in for shared settings that had faults; `finish` then refuses the whole.
fn unread() -> SharedSettings {
    SharedSettings {
        environment: String::new(),
        aws_account: AwsAccountId::parse("000000000000").expect("twelve digits"),
        buckets: Vec::new(),
        account_prefixes: Vec::new(),
        manifest_bucket: BucketName::parse("unread").expect("a sound name"),
        pace_keys_per_second: 1,
    }
}

fn buckets(text: &str) -> Option<Vec<Bucket>> {
    serde_json::from_str(text).ok().filter(|buckets: &Vec<Bucket>| !buckets.is_empty())
}

fn folder(text: &str) -> Option<String> {
    is_folder(text).then(|| text.to_owned())
}

fn word(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains('/')).then(|| text.to_owned())
}

fn positive(text: &str) -> Option<usize> {
    text.parse().ok().filter(|n| *n > 0)
}

fn arn(text: &str) -> Option<String> {
    text.starts_with("arn:").then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::environment::Environment;

    fn development() -> Environment {
        Environment::parse(include_str!("../../../environments/development.json")).unwrap()
    }

    fn parse(variables: &BTreeMap<String, String>) -> Result<DeletionSettings, SettingsFaults> {
        DeletionSettings::parse(|name| variables.get(name).cloned())
    }

    #[test]
    fn the_functions_read_what_the_environment_writes() {
        let variables = development().deletion_variables("arn:aws:lambda:x", "arn:aws:iam::x");
        let settings = parse(&variables).unwrap();
        assert_eq!(settings.deletion_threshold, 1_000);
        assert_eq!(settings.shared.buckets, development().buckets);
        let eraser = development().eraser_variables();
        assert!(EraserSettings::parse(|name| eraser.get(name).cloned()).is_ok());
    }

    #[test]
    fn variables_fit_into_what_lambda_allows() {
        let variables = development().deletion_variables(&"a".repeat(140), &"a".repeat(140));
        let bytes: usize = variables.iter().map(|(k, v)| k.len() + v.len()).sum();
        assert!(bytes < 4_096, "{bytes} bytes; AWS Lambda allows 4 KB");
    }

    #[test]
    fn every_variable_is_needed_and_all_faults_are_told_together() {
        let variables = development().deletion_variables("arn:aws:lambda:x", "arn:aws:iam::x");
        for name in variables.keys() {
            let mut fewer = variables.clone();
            fewer.remove(name);
            let faults = parse(&fewer).unwrap_err().0;
            assert!(faults.iter().any(|fault| fault.starts_with(name)), "{name}: {faults:?}");
        }
        assert_eq!(parse(&BTreeMap::new()).unwrap_err().0.len(), variables.len() + 1);
    }
}
