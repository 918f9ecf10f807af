//! Erasing what was found, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use aws::abort_multipart_upload::abort_multipart_upload;
use aws::erase::{Counts, Terms};
use aws::pace::Pace;
use aws::retry::retrying;
use aws::{AwsError, Bucket};
use domain::keys::ObjectVersion;
use domain::look::Upload;
use domain::outcome::Outcome;
use domain::page::VERSIONS_PER_PAGE;
use futures::{StreamExt as _, stream};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::inventory::day;
use super::leftovers::Found;

/// Requests to a bucket in flight; the pace is shared by all of them.
const REQUESTS_IN_FLIGHT: usize = 4;
/// How long one request is tried for.
const PATIENCE: Duration = Duration::from_mins(10);

/// What became of everything found. It holds no key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erasure {
    /// Versions and delete markers that S3 said are gone.
    erased: u64,
    /// Those that were gone already.
    absent: u64,
    /// Those that Object Lock keeps, by bucket and by the day it lets go of them; no day under a legal hold.
    held: BTreeMap<(String, Option<String>), u64>,
    /// Those that S3 refused for another reason.
    denied: u64,
    /// Those that still failed when tries ran out.
    unfinished: u64,
    /// Uploads that are gone.
    aborted: u64,
    /// What was refused as a whole, by bucket and in AWS's words.
    refusals: BTreeSet<String>,
}

/// Erases everything found, at this pace (keys a second). A bucket that refuses keeps no other one waiting.
pub async fn erase(buckets: &[Bucket], found: &Found, keys_per_second: u32) -> Erasure {
    let pace = Pace::new(keys_per_second);
    let bar = bar(found.versions.iter().map(|versions| versions.len() as u64).sum());
    let mut erasure = Erasure::default();
    for (place, bucket) in buckets.iter().enumerate() {
        erase_versions(bucket, &found.versions[place], &pace, &bar, &mut erasure).await;
        abort(bucket, &found.uploads[place], &mut erasure).await;
    }
    bar.finish_and_clear();
    erasure
}

/// Full requests, some at a time.
async fn erase_versions(
    bucket: &Bucket,
    versions: &[ObjectVersion],
    pace: &Pace,
    bar: &ProgressBar,
    erasure: &mut Erasure,
) {
    let counts = Counts::default();
    let one = async |page: &[ObjectVersion]| {
        let terms = Terms { pace, deadline: Instant::now() + PATIENCE, counts: &counts };
        (page.len() as u64, aws::erase::erase(bucket, page, terms).await)
    };
    let mut pages = stream::iter(versions.chunks(VERSIONS_PER_PAGE)).map(one).buffer_unordered(REQUESTS_IN_FLIGHT);
    while let Some((versions, outcomes)) = pages.next().await {
        bar.inc(versions);
        match outcomes {
            Ok(outcomes) => outcomes.iter().for_each(|outcome| erasure.note(bucket, outcome)),
            Err(error) => erasure.refuse(bucket, &error),
        }
    }
}

async fn abort(bucket: &Bucket, uploads: &[Upload], erasure: &mut Erasure) {
    for upload in uploads {
        let deadline = Instant::now() + PATIENCE;
        match retrying(deadline, async || abort_multipart_upload(bucket, upload).await).await {
            Ok(()) => erasure.aborted += 1,
            Err(error) => erasure.refuse(bucket, &error),
        }
    }
}

/// Drawn on a terminal only.
fn bar(versions: u64) -> ProgressBar {
    let template = "{bar:40} {human_pos}/{human_len} versions, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is sound");
    ProgressBar::with_draw_target(Some(versions), ProgressDrawTarget::stderr()).with_style(style)
}

impl Erasure {
    fn note(&mut self, bucket: &Bucket, outcome: &Outcome) {
        match outcome {
            Outcome::Erased => self.erased += 1,
            Outcome::Absent => self.absent += 1,
            Outcome::Denied => self.denied += 1,
            Outcome::Unfinished => self.unfinished += 1,
            Outcome::Held(hold) => {
                let until = hold.end().map(|end| day(end.as_millisecond()));
                *self.held.entry((bucket.name.to_string(), until)).or_default() += 1;
            }
        }
    }

    fn refuse(&mut self, bucket: &Bucket, error: &AwsError) {
        self.refusals.insert(format!("{}: {error}", bucket.name));
    }

    /// For scripts.
    pub fn to_json(&self) -> Value {
        let Self { erased, absent, held, denied, unfinished, aborted, refusals } = self;
        let held = held
            .iter()
            .map(|((bucket, until), versions)| json!({ "bucket": bucket, "until": until, "versions": versions }));
        json!({ "erased": erased, "absent": absent, "held": held.collect::<Value>(), "denied": denied,
            "unfinished": unfinished, "uploadsAborted": aborted, "refusals": refusals })
    }
}

impl fmt::Display for Erasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { erased, absent, held, denied, unfinished, aborted, refusals } = self;
        let [erased, aborted] = [*erased, *aborted].map(HumanCount);
        write!(f, "erased {erased} versions and delete markers, aborted {aborted} uploads")?;
        for (count, what) in [
            (absent, "were gone already"),
            (denied, "may not be erased with these credentials"),
            (unfinished, "still failed when tries ran out; try again"),
        ] {
            if *count > 0 {
                write!(f, "\n{} {what}", HumanCount(*count))?;
            }
        }
        for ((bucket, until), versions) in held {
            let until = until.as_deref().map_or("under a legal hold, which has no date".to_owned(), |day| {
                format!("under Object Lock until {day}")
            });
            write!(f, "\n{bucket}: {} {until}", HumanCount(*versions))?;
        }
        refusals.iter().try_for_each(|refusal| write!(f, "\n{refusal}"))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use bytes::Bytes;
    use domain::ids::{AwsAccountId, BucketName};
    use domain::keys::{ObjectKey, VersionId};
    use domain::outcome::Hold;
    use http::{Request, Response};

    use super::*;

    /// A bucket that answers everything like this.
    fn bucket(name: &str, status: u16, body: &'static str) -> Bucket {
        let answer = move |_: Request<Bytes>| async move {
            Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap()
        };
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(local_s3::in_process(answer));
        Bucket {
            client: aws_sdk_s3::Client::from_conf(config.build()),
            name: BucketName::parse(name).unwrap(),
            region: "us-east-1".to_owned(),
            owner: AwsAccountId::parse("123456789012").unwrap(),
        }
    }

    fn version(bucket: &Bucket) -> ObjectVersion {
        ObjectVersion::new(bucket.name.clone(), ObjectKey::new("batch-jobs/1"), VersionId::new("v1").unwrap())
    }

    #[tokio::test]
    async fn a_bucket_that_refuses_keeps_no_other_waiting_and_is_told() {
        let refusing = bucket("photolala-one", 403, "<Error><Code>AccessDenied</Code></Error>");
        let answer = "<DeleteResult><Deleted><Key>batch-jobs/1</Key><VersionId>v1</VersionId></Deleted></DeleteResult>";
        let willing = bucket("photolala-two", 200, answer);
        let versions = vec![vec![version(&refusing)], vec![version(&willing)]];
        let found = Found { versions, uploads: vec![Vec::new(), Vec::new()], ..Found::default() };
        let erasure = erase(&[refusing, willing], &found, 1_000).await;
        assert_eq!(erasure.erased, 1);
        assert!(erasure.to_string().contains("photolala-one: DeleteObjects answered AccessDenied"), "{erasure}");
    }

    #[test]
    fn holds_are_told_by_bucket_with_their_day() {
        let bucket = bucket("photolala-one", 200, "");
        let mut erasure = Erasure::default();
        for at in ["2100-01-02T03:04:05Z", "2100-01-02T23:59:59Z", "2101-01-01T00:00:00Z"] {
            erasure.note(&bucket, &Outcome::Held(Hold::Until(at.parse().unwrap())));
        }
        erasure.note(&bucket, &Outcome::Held(Hold::Legal));
        let told = erasure.to_string();
        for line in [
            "photolala-one: 2 under Object Lock until 2100-01-02",
            "photolala-one: 1 under Object Lock until 2101-01-01",
            "photolala-one: 1 under a legal hold",
        ] {
            assert!(told.contains(line), "{told}");
        }
        assert_eq!(erasure.to_json()["held"][1]["until"], "2100-01-02");
    }
}
