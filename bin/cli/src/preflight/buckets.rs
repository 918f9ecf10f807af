//! The photo buckets: there, ours, in the right Region, and such that erasing them can end.

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{
    BucketVersioningStatus, MfaDeleteStatus, ReplicationConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
};
use domain::environment::{Bucket, Environment};

use super::{Line, said};

/// A line or more a bucket.
pub async fn look(sdk: &SdkConfig, environment: &Environment) -> Vec<Line> {
    let mut lines = Vec::new();
    for bucket in &environment.buckets {
        let region = Region::new(bucket.region.clone());
        let looking =
            Looking { client: Client::from_conf(Builder::from(sdk).region(region).build()), environment, bucket };
        lines.push(looking.itself().await);
        lines.extend(looking.versioning().await);
        lines.push(looking.encryption().await);
        lines.push(looking.object_lock().await);
        lines.push(looking.replication().await);
    }
    lines
}

struct Looking<'a> {
    client: Client,
    environment: &'a Environment,
    bucket: &'a Bucket,
}

impl Looking<'_> {
    fn name(&self) -> &str {
        self.bucket.name.as_str()
    }

    fn owner(&self) -> &str {
        self.environment.aws_account.as_str()
    }

    fn about(&self, what: &str) -> String {
        format!("{}: {what}", self.name())
    }

    /// There, owned by this AWS account, and in the Region the file says.
    async fn itself(&self) -> Line {
        let about = self.about("bucket");
        let expected = &self.bucket.region;
        let mend = format!("mend buckets in environments/{}.json", self.environment.name);
        match self.client.head_bucket().bucket(self.name()).expected_bucket_owner(self.owner()).send().await {
            Ok(head) if head.bucket_region().is_none_or(|region| region == expected) => Line::fine(about, expected),
            Ok(head) => {
                let found = format!("in {}, not {expected}", head.bucket_region().unwrap_or_default());
                Line::refused(about, found, mend)
            }
            Err(error) => Line::refused(about, said(&error), format!("make sure it is there and yours; or {mend}")),
        }
    }

    async fn versioning(&self) -> Vec<Line> {
        let asked = self.client.get_bucket_versioning().bucket(self.name()).expected_bucket_owner(self.owner());
        let answer = match asked.send().await {
            Ok(answer) => answer,
            Err(error) => return vec![self.unknown("versioning", &error)],
        };
        let found = match answer.status() {
            Some(BucketVersioningStatus::Enabled) => "enabled: every version is erased",
            Some(BucketVersioningStatus::Suspended) => "suspended: every version is erased",
            _ => "never enabled",
        };
        let mut lines = vec![Line::fine(self.about("versioning"), found)];
        if answer.mfa_delete() == Some(&MfaDeleteStatus::Enabled) {
            let found = "enabled: no version can be erased without a person's device";
            lines.push(Line::refused(self.about("MFA delete"), found, "turn MFA delete off"));
        }
        lines
    }

    /// With a KMS key of its own no ETag tells whose a mapping is, and the service has no right to use the key.
    async fn encryption(&self) -> Line {
        let about = self.about("default encryption");
        let asked = self.client.get_bucket_encryption().bucket(self.name()).expected_bucket_owner(self.owner());
        let answer = match asked.send().await {
            Err(error) if error.code() == Some("ServerSideEncryptionConfigurationNotFoundError") => {
                return Line::fine(about, "SSE-S3");
            }
            Err(error) => return self.unknown("default encryption", &error),
            Ok(answer) => answer,
        };
        let rules = answer
            .server_side_encryption_configuration()
            .map(ServerSideEncryptionConfiguration::rules)
            .unwrap_or_default();
        let defaults = rules.iter().filter_map(|rule| rule.apply_server_side_encryption_by_default());
        match defaults
            .map(ServerSideEncryptionByDefault::sse_algorithm)
            .find(|sse| **sse != ServerSideEncryption::Aes256)
        {
            None => Line::fine(about, "SSE-S3"),
            Some(sse) => {
                let found = format!("{}: sign-ins could not be read", sse.as_str());
                Line::refused(about, found, "use SSE-S3 for what is written, and copy the sign-ins over themselves")
            }
        }
    }

    async fn object_lock(&self) -> Line {
        let about = self.about("Object Lock");
        let asked = self.client.get_object_lock_configuration().bucket(self.name());
        match asked.expected_bucket_owner(self.owner()).send().await {
            Err(error) if error.code() == Some("ObjectLockConfigurationNotFoundError") => Line::fine(about, "off"),
            Err(error) => self.unknown("Object Lock", &error),
            Ok(_) => {
                Line::note(about, "on: accounts with locked versions end as held, with a date", "see RUNBOOK.md, held")
            }
        }
    }

    /// S3 does not replicate the erasure of a version, so every destination must be erased for itself.
    async fn replication(&self) -> Line {
        let about = self.about("replication");
        let asked = self.client.get_bucket_replication().bucket(self.name());
        let answer = match asked.expected_bucket_owner(self.owner()).send().await {
            Err(error) if error.code() == Some("ReplicationConfigurationNotFoundError") => {
                return Line::fine(about, "none");
            }
            Err(error) => return self.unknown("replication", &error),
            Ok(answer) => answer,
        };
        let rules = answer.replication_configuration().map(ReplicationConfiguration::rules).unwrap_or_default();
        let names = rules.iter().filter_map(|rule| rule.destination()?.bucket().strip_prefix("arn:aws:s3:::"));
        let is_known = |name: &&str| self.environment.buckets.iter().any(|bucket| bucket.name.as_str() == *name);
        let (known, unknown): (Vec<&str>, Vec<&str>) = names.partition(is_known);
        if unknown.is_empty() {
            return Line::fine(about, format!("to {}", known.join(", ")));
        }
        let found = format!("to {}, which this environment does not erase", unknown.join(", "));
        Line::refused(about, found, format!("add it to environments/{}.json as a replica", self.environment.name))
    }

    fn unknown(&self, what: &str, error: &(impl ProvideErrorMetadata + std::error::Error + 'static)) -> Line {
        Line::refused(self.about(what), said(error), "allow the caller to ask")
    }
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
    use bytes::Bytes;
    use http::{Request, Response};

    use super::*;
    use crate::preflight::Verdict;

    const NO_REPLICATION: &str = "<Error><Code>ReplicationConfigurationNotFoundError</Code></Error>";
    const NO_ENCRYPTION: &str = "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code></Error>";
    const NO_LOCK: &str = "<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>";

    /// What a bucket answers.
    #[derive(Clone, Copy)]
    struct Bucket {
        region: &'static str,
        versioning: &'static str,
        lock: &'static str,
        encryption: &'static str,
        replication: &'static str,
    }

    const PLAIN: Bucket = Bucket {
        region: "us-east-1",
        versioning: "<VersioningConfiguration/>",
        lock: NO_LOCK,
        encryption: NO_ENCRYPTION,
        replication: NO_REPLICATION,
    };

    impl Bucket {
        fn answer(self, request: &Request<Bytes>) -> Response<Bytes> {
            let query = request.uri().query().unwrap_or_default();
            let body = match query.split(['&', '=']).next() {
                Some("versioning") => self.versioning,
                Some("object-lock") => self.lock,
                Some("replication") => self.replication,
                Some("encryption") => self.encryption,
                _ => "",
            };
            let status = if body.contains("<Error>") { 404 } else { 200 };
            let answer = Response::builder().status(status).header("x-amz-bucket-region", self.region);
            answer.body(Bytes::from_static(body.as_bytes())).unwrap()
        }

        /// What is said against a deployment with such a bucket, and what is noted.
        async fn said(self) -> Vec<(Verdict, String)> {
            let http = local_s3::in_process(move |request| async move { self.answer(&request) });
            let sdk = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                    "test", "test", None, None, "test",
                )))
                .http_client(http)
                .build();
            let environment = crate::environment::load(&crate::default_folder(), "development").unwrap();
            let lines = look(&sdk, &environment).await.into_iter();
            lines.filter(|line| line.verdict != Verdict::Fine).map(|line| (line.verdict, line.about)).collect()
        }
    }

    #[tokio::test]
    async fn nothing_is_said_against_a_plain_bucket() {
        assert_eq!(PLAIN.said().await, []);
    }

    #[tokio::test]
    async fn a_bucket_in_another_region_is_refused() {
        let bucket = Bucket { region: "eu-west-1", ..PLAIN };
        assert_eq!(bucket.said().await, [(Verdict::Refused, "photolala-dev: bucket".to_owned())]);
    }

    #[tokio::test]
    async fn mfa_delete_is_refused() {
        let versioning =
            "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
        let bucket = Bucket { versioning, ..PLAIN };
        assert_eq!(bucket.said().await, [(Verdict::Refused, "photolala-dev: MFA delete".to_owned())]);
    }

    #[tokio::test]
    async fn a_kms_key_by_default_is_refused() {
        let encryption = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>\
            aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
        let bucket = Bucket { encryption, ..PLAIN };
        assert_eq!(bucket.said().await, [(Verdict::Refused, "photolala-dev: default encryption".to_owned())]);
    }

    #[tokio::test]
    async fn object_lock_is_noted() {
        let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
        let bucket = Bucket { lock, ..PLAIN };
        assert_eq!(bucket.said().await, [(Verdict::Note, "photolala-dev: Object Lock".to_owned())]);
    }

    #[tokio::test]
    async fn replication_to_a_bucket_that_is_not_erased_is_refused() {
        let replication = "<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Destination>\
            <Bucket>arn:aws:s3:::a-copy</Bucket></Destination></Rule></ReplicationConfiguration>";
        let bucket = Bucket { replication, ..PLAIN };
        assert_eq!(bucket.said().await, [(Verdict::Refused, "photolala-dev: replication".to_owned())]);
        let known = "<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Destination>\
            <Bucket>arn:aws:s3:::photolala-dev</Bucket></Destination></Rule></ReplicationConfiguration>";
        assert_eq!(Bucket { replication: known, ..PLAIN }.said().await, []);
    }

    #[tokio::test]
    async fn a_question_that_is_not_answered_is_refused() {
        let bucket = Bucket { replication: "<Error><Code>AccessDenied</Code></Error>", ..PLAIN };
        assert_eq!(bucket.said().await, [(Verdict::Refused, "photolala-dev: replication".to_owned())]);
    }
}
