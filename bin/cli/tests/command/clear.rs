//! Clearing what the earlier system left, and nothing else.

use std::process::Output;

use domain::Timestamp;
use domain::environment::{Bucket, BucketRole};
use domain::ids::BucketName;
use domain::mapping::BucketKind;
use harness::{Account, Fixture, Options, Photolala, Snapshot};
use local_s3::{Mode, Protection, Retention, Store, Versioning};
use serde_json::Value;

use crate::{environments, run, told};

const LEGACY: &str = "photolala-dev-legacy";
const MANY: usize = 1_001;

/// Development with a second bucket, and no functions.
async fn start(kind: BucketKind, object_lock: bool, page_size: usize) -> Photolala {
    let mut options = Options { bootstraps: None, kind, object_lock, page_size, ..Options::default() };
    let legacy = Bucket {
        name: BucketName::parse(LEGACY).unwrap(),
        region: options.environment.region.clone(),
        role: BucketRole::Legacy,
    };
    options.environment.buckets.push(legacy);
    Photolala::start(options).await.unwrap()
}

fn store(photolala: &Photolala) -> &Store {
    photolala.local().s3_store().unwrap()
}

/// What the earlier system left of an account, and what is not to be touched: an account, and look-alikes.
async fn fill(photolala: &Photolala, kind: BucketKind) {
    let account = Account::seeded(1);
    Fixture::of(&account).uploads(2).schedule_entry().fill(photolala).await.unwrap();
    for bucket in [photolala.bucket(), LEGACY] {
        if kind == BucketKind::Suspended {
            store(photolala).set_versioning(bucket, Versioning::Enabled).unwrap();
        }
        write(store(photolala), bucket, &account.upper());
        if kind == BucketKind::Suspended {
            store(photolala).set_versioning(bucket, Versioning::Suspended).unwrap();
            write(store(photolala), bucket, &account.upper());
        }
    }
}

/// Each key twice, so that there are old versions where they are kept; every third is deleted.
fn write(store: &Store, bucket: &str, id: &str) {
    let leftovers = [
        "batch-jobs/".to_owned(),
        format!("batch-jobs/{id}"),
        format!("batch-jobs/manifests/1755561600/{id}-manifest.csv"),
        format!("batch-jobs/manifests/1755561600/{id} +%2B\u{1}é.csv"),
        format!("batch-jobs/reports/1755561600/{id}/job-1/manifest.json"),
        format!("batch-jobs/reports/1755561600/{id}/job-1/results/1.csv"),
        "batch-jobs/metadata/job-1.json".to_owned(),
    ];
    for (number, key) in leftovers.iter().chain(&look_alikes(id)).enumerate() {
        for body in ["one", "another"] {
            store.put(bucket, key, body.as_bytes()).unwrap();
        }
        if number % 3 == 0 {
            store.delete(bucket, key).unwrap();
        }
    }
    for key in ["batch-jobs/manifests/upload.csv", "batch-jobs", "batch-jobsx/upload.csv", "xbatch-jobs/upload.csv"] {
        store.create_upload(bucket, key, "a part".as_bytes()).unwrap();
    }
}

fn look_alikes(id: &str) -> Vec<String> {
    let keys =
        ["batch-jobs", "batch-job/", "batch-jobsx/", "batch-jobs-/", "xbatch-jobs/", "Batch-Jobs/", "/batch-jobs/"];
    let mut keys: Vec<String> =
        keys.iter().map(|key| format!("{key}{}", if key.ends_with('/') { id } else { "" })).collect();
    keys.extend([format!("photos/{id}/batch-jobs/1.dat"), "batch-jobs0".to_owned(), "batch-jobs.".to_owned()]);
    keys
}

/// Runs the command, with the second bucket in the environment's file.
async fn clear(photolala: &Photolala, more: &[&str]) -> Output {
    let folder = environments();
    let file = folder.path().join("development.json");
    let mut environment: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    environment["buckets"] = serde_json::to_value(&photolala.environment().buckets).unwrap();
    std::fs::write(file, environment.to_string()).unwrap();
    let arguments = [&["clear-batch-jobs", "development"], more].concat();
    let output = run(&photolala.local().endpoint(), folder.path().to_owned(), &arguments).await;
    let (text, id) = (told(&output).to_lowercase(), Account::seeded(1).lower());
    assert!(!text.contains(&id) && !text.contains(".csv") && !text.contains("job-1"), "it prints a key: {text}");
    output
}

async fn digest(photolala: &Photolala, more: &[&str]) -> String {
    let output = clear(photolala, &[more, &["--json"]].concat()).await;
    assert!(output.status.success(), "{}", told(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    found["found"]["digest"].as_str().unwrap().to_owned()
}

/// All but what lies under the prefix in these buckets.
fn without_leftovers(all: &Snapshot, buckets: &[&str]) -> Snapshot {
    let is_kept = |bucket: &str, key: &str| !(buckets.contains(&bucket) && key.starts_with("batch-jobs/"));
    let kept = all.0.iter().filter(|(place, _)| is_kept(&place.bucket, &place.key));
    Snapshot(kept.map(|(place, seen)| (place.clone(), seen.clone())).collect())
}

#[tokio::test]
async fn every_version_marker_and_upload_under_the_prefix_goes_and_nothing_else() {
    for kind in [BucketKind::Unversioned, BucketKind::Versioned, BucketKind::Suspended] {
        let photolala = start(kind, false, 5).await;
        fill(&photolala, kind).await;
        let before = photolala.snapshot().await;
        let expected = without_leftovers(&before, &[photolala.bucket(), LEGACY]);
        assert!(before.count("batch-jobs/") > 0 && before.0.len() - expected.0.len() > before.count("batch-jobs/"));

        let shown = clear(&photolala, &[]).await;
        let digest = digest(&photolala, &[]).await;
        assert!(shown.status.success(), "{}", told(&shown));
        assert!(told(&shown).contains(&format!("clear-batch-jobs development --erase {digest}")), "{}", told(&shown));
        assert_eq!(before.changes_to(&photolala.snapshot().await), [], "{kind:?}: a dry run changed something");

        let erased = clear(&photolala, &["--erase", &digest]).await;
        assert!(erased.status.success(), "{kind:?}: {}", told(&erased));
        assert!(told(&erased).contains("nothing is left under batch-jobs/"), "{}", told(&erased));
        assert_eq!(expected.changes_to(&photolala.snapshot().await), [], "{kind:?}");

        let again = clear(&photolala, &[]).await;
        assert!(again.status.success() && told(&again).contains("nothing lies under"), "{}", told(&again));
        photolala.shutdown().await;
    }
}

#[tokio::test]
async fn what_has_changed_since_the_dry_run_is_not_erased() {
    let photolala = start(BucketKind::Unversioned, false, 1_000).await;
    fill(&photolala, BucketKind::Unversioned).await;
    let digest = digest(&photolala, &[]).await;
    store(&photolala).put(LEGACY, "batch-jobs/metadata/late.json", "{}".as_bytes()).unwrap();
    let before = photolala.snapshot().await;
    let output = clear(&photolala, &["--erase", &digest]).await;
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("look again"), "{}", told(&output));
    let output = clear(&photolala, &["--erase", "all"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert_eq!(before.changes_to(&photolala.snapshot().await), []);
    photolala.shutdown().await;
}

#[tokio::test]
async fn one_bucket_may_be_cleared_alone_and_only_one_of_the_environment() {
    let photolala = start(BucketKind::Versioned, false, 1_000).await;
    fill(&photolala, BucketKind::Versioned).await;
    let expected = without_leftovers(&photolala.snapshot().await, &[LEGACY]);
    let of_all = digest(&photolala, &[]).await;
    let output = clear(&photolala, &["--bucket", LEGACY, "--erase", &of_all]).await;
    assert_eq!(output.status.code(), Some(2), "the digest is of both: {}", told(&output));
    let digest = digest(&photolala, &["--bucket", LEGACY]).await;
    let output = clear(&photolala, &["--bucket", LEGACY, "--erase", &digest]).await;
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(expected.changes_to(&photolala.snapshot().await), []);
    let output = clear(&photolala, &["--bucket", &photolala.environment().manifest_bucket()]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("is no bucket of development"), "{}", told(&output));
    photolala.shutdown().await;
}

#[tokio::test]
async fn what_object_lock_keeps_is_told_with_its_date() {
    let photolala = start(BucketKind::Versioned, true, 1_000).await;
    fill(&photolala, BucketKind::Versioned).await;
    let until: Timestamp = "2100-01-02T03:04:05Z".parse().unwrap();
    let retention = Some(Retention { mode: Mode::Governance, until });
    for (key, protection) in [
        ("batch-jobs/metadata/retained.json", Protection { retention, legal_hold: None }),
        ("batch-jobs/metadata/held.json", Protection { retention: None, legal_hold: Some(true) }),
    ] {
        let version = store(&photolala).put(LEGACY, key, "{}".as_bytes()).unwrap();
        store(&photolala).protect(LEGACY, key, &version, protection).unwrap();
    }
    let digest = digest(&photolala, &[]).await;
    let output = clear(&photolala, &["--erase", &digest]).await;
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    for line in [
        format!("{LEGACY}: 1 under Object Lock until 2100-01-02"),
        format!("{LEGACY}: 1 under a legal hold"),
        "left under batch-jobs/".to_owned(),
    ] {
        assert!(told(&output).contains(&line), "{line}: {}", told(&output));
    }
    assert_eq!(photolala.snapshot().await.count("batch-jobs/"), 2);
    photolala.shutdown().await;
}

#[tokio::test]
async fn requests_are_full() {
    let photolala = start(BucketKind::Unversioned, false, 1_000).await;
    for number in 0..MANY {
        store(&photolala).put(LEGACY, &format!("batch-jobs/metadata/{number}.json"), "{}".as_bytes()).unwrap();
    }
    let digest = digest(&photolala, &[]).await;
    let output = clear(&photolala, &["--erase", &digest]).await;
    assert!(output.status.success() && told(&output).contains("erased 1,001 versions"), "{}", told(&output));
    assert_eq!(photolala.local().recorder().count("DeleteObjects"), 2);
    photolala.shutdown().await;
}
