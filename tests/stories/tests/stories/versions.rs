//! Every version goes: old ones, markers, archived ones, unfinished uploads, in every bucket and both spellings.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aws_sdk_s3::types::StorageClass;
use bytes::Bytes;
use domain::environment::{Bucket, BucketRole};
use domain::ids::BucketName;
use domain::mapping::BucketKind;
use domain::receipt::Method;
use harness::{Fixture, Options};
use http::Response;
use local_aws::{Gate, RequestInfo, Verdict};

use crate::app::{begin_upload, put, put_all, put_archived};
use crate::stage::{Stage, kind, only_in_memory, options, threshold};

/// Directly, and by a job: accounts of fewer versions than the first, then of more than the second, are laid out.
const THRESHOLDS: [(usize, Method); 2] = [(1_000, Method::Direct), (20, Method::Batch)];

fn every_version_in(bucket: BucketKind) -> [(Options, Method); 2] {
    THRESHOLDS.map(|(versions, method)| (threshold(kind(bucket), versions), method))
}

/// P2: old versions and delete markers go with what is there today.
#[tokio::test]
async fn old_versions_and_delete_markers_go_too() {
    for (options, method) in every_version_in(BucketKind::Versioned) {
        let stage = Stage::set(options, 150).await;
        let upper = stage.account.upper();
        let ours = || stage.before.0.iter().filter(|(place, _)| place.key.contains(&upper)).map(|(_, seen)| seen);
        let markers = ours().filter(|seen| seen.marker).count() as u64;
        let old = ours().filter(|seen| !seen.marker && !seen.latest).count();
        assert!(markers > 2 && old > 2, "the fixture has {markers} markers and {old} old versions");
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.method, receipt.versions.erased), (method, 150));
        assert_eq!(receipt.versions.markers, markers);
    }
}

/// P1, P2: where versioning was switched off again, versions from before go with the null versions.
#[tokio::test]
async fn a_suspended_bucket_is_emptied_of_its_history() {
    for (options, method) in every_version_in(BucketKind::Suspended) {
        let stage = Stage::set(options, 150).await;
        let null = stage.before.0.keys().filter(|place| place.id == "null").count();
        assert!(null > 100 && null < stage.before.0.len(), "{null} of {} are null versions", stage.before.0.len());
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.method, receipt.versions.erased), (method, 150));
    }
}

/// P2: an archived object cannot be read without a restore, but erased.
#[tokio::test]
async fn archived_objects_are_erased_without_a_restore() {
    for (versions, method) in THRESHOLDS {
        let stage = Stage::set(threshold(options(), versions), 20).await;
        let upper = stage.account.upper();
        for class in [StorageClass::Glacier, StorageClass::DeepArchive] {
            put_archived(&stage.photolala, &format!("photos/{upper}/{}.dat", class.as_str()), class).await;
        }
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.method, receipt.versions.erased), (method, 22));
        let classes: Vec<&str> = receipt.groups.iter().map(|group| group.class.as_str()).collect();
        assert!(classes.contains(&"GLACIER") && classes.contains(&"DEEP_ARCHIVE"), "{classes:?}");
    }
}

/// P2: uploads that were begun in either spelling are aborted, also more than a page of them; a neighbour's go on.
#[tokio::test]
async fn unfinished_uploads_are_aborted() {
    for page_size in [1_000, 3] {
        let stage = Stage::with(Options { page_size, ..options() }, |fixture| fixture.uploads(11)).await;
        let neighbours = stage.account.neighbour().upper();
        for number in 0..4 {
            begin_upload(&stage.photolala, &format!("photos/{neighbours}/{number}.dat")).await;
        }
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!(receipt.uploads, 11, "with {page_size} on a page");
    }
}

/// P2, P4: an account is one account however its id is spelled.
#[tokio::test]
async fn both_spellings_are_one_account() {
    for asks_in_lower_case in [false, true] {
        let stage = Stage::set(threshold(options(), 20), 100).await;
        let (upper, lower) = (stage.account.upper(), stage.account.lower());
        assert!(stage.before.0.keys().any(|place| place.key.contains(&upper)));
        assert!(stage.before.0.keys().any(|place| place.key.starts_with(&format!("users/{lower}/"))));
        let (first, second) = if asks_in_lower_case { (lower, upper) } else { (upper, lower) };
        let answer = stage.photolala.delete_now(&first).await.expect("the function answers");
        assert_eq!(answer.body["userId"], stage.account.upper());
        let again = stage.photolala.delete_now(&second).await.expect("the function answers");
        assert_eq!(again.deletion_id(), answer.deletion_id(), "two deletions of one account");
        assert_eq!(stage.photolala.own_keys("records/").await.len(), 1);
        let receipt = stage.end_settled(&answer).await;
        assert_eq!(receipt.versions.erased, 100);
    }
}

fn with_three_buckets(mut options: Options) -> Options {
    for (name, role) in [("replica", BucketRole::Replica), ("legacy", BucketRole::Legacy)] {
        let first = options.environment.buckets[0].clone();
        let name = BucketName::parse(&format!("{}-{name}", first.name)).expect("a bucket's name");
        options.environment.buckets.push(Bucket { name, role, ..first });
    }
    options
}

/// P1, P2: every bucket is erased for itself; replication does not erase versions.
#[tokio::test]
async fn every_bucket_is_erased_for_itself() {
    for (options, method) in every_version_in(BucketKind::Versioned) {
        let stage = Stage::set(with_three_buckets(options), 60).await;
        for bucket in &stage.photolala.environment().buckets[1..] {
            let copy = Fixture::of(&stage.account).versions(40).in_bucket(bucket.name.to_string());
            copy.fill(&stage.photolala).await.expect("another bucket is filled");
            let neighbours = Fixture::of(&stage.account.neighbour()).in_bucket(bucket.name.to_string());
            neighbours.fill(&stage.photolala).await.expect("another bucket is filled");
        }
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.method, receipt.versions.erased), (method, 60 + 40 + 40));
        assert_eq!(receipt.mappings.erased, 9);
        let names: Vec<String> =
            stage.photolala.environment().buckets.iter().map(|bucket| bucket.name.to_string()).collect();
        assert_eq!(receipt.buckets, names);
        for name in names {
            assert!(receipt.groups.iter().any(|group| group.bucket == name), "nothing of {name} is told");
        }
    }
}

/// Names at, before and behind every bound between shards, and of every first character.
fn names_around_bounds() -> Vec<String> {
    let bounds = (0..16).flat_map(|a| (0..16).map(move |b| format!("{a:x}{b:x}")).chain([format!("{a:x}")]));
    let visible = (' '..='~').filter(|c| *c != '/').map(String::from);
    let beyond = ["é", "\u{3042}", "\u{1f5bc}", "5f\u{1f5bc}", "0/", "f/f", "ff~", "g"].map(str::to_owned);
    bounds.flat_map(|bound| [format!("{bound}~"), bound]).chain(visible).chain(beyond).collect()
}

/// P2: no key falls between two shards, wherever their bounds and the ends of pages lie.
#[tokio::test]
async fn no_key_falls_between_shards() {
    only_in_memory("its pages are of its own size");
    for ((versions, method), page_size) in [(THRESHOLDS[0], 5), (THRESHOLDS[1], 2)] {
        let stage = Stage::set(threshold(Options { page_size, ..options() }, versions), 10).await;
        let mut names = names_around_bounds();
        names.sort();
        names.dedup();
        let upper = stage.account.upper();
        let keys: Vec<String> = names.iter().map(|name| format!("photos/{upper}/{name}")).collect();
        put_all(&stage.photolala, &keys, "a photo").await;
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end(&answer).await;
        assert_eq!((receipt.method, receipt.versions.erased), (method, 10 + keys.len() as u64));
    }
}

/// P2: a range of very many pages is cut once more, and nothing is lost at the cut.
#[tokio::test]
async fn a_crowded_range_is_cut_again() {
    only_in_memory("its pages are of its own size");
    for (versions, method) in THRESHOLDS {
        let stage = Stage::set(threshold(Options { page_size: 2, ..options() }, versions), 10).await;
        let upper = stage.account.upper();
        let of_five = |number: usize| format!("photos/{upper}/5{number:03x}");
        let mut keys: Vec<String> = (0..0x1000).step_by(24).map(of_five).collect();
        keys.extend((0..16).map(|digit| format!("photos/{upper}/5{digit:x}")));
        keys.extend([format!("photos/{upper}/5"), format!("photos/{upper}/6")]);
        put_all(&stage.photolala, &keys, "a photo").await;
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end(&answer).await;
        assert_eq!((receipt.method, receipt.versions.erased), (method, 10 + keys.len() as u64));
    }
}

/// P2: one key may have more versions than a page holds, also one that is a bound between shards.
#[tokio::test]
async fn a_key_with_more_versions_than_a_page_is_erased_whole() {
    only_in_memory("its pages are of its own size");
    for (options, method) in every_version_in(BucketKind::Versioned) {
        let stage = Stage::set(Options { page_size: 5, ..options }, 10).await;
        let upper = stage.account.upper();
        for name in ["5", "5f", "8"] {
            for version in 0..12 {
                put(&stage.photolala, &format!("photos/{upper}/{name}"), &format!("take {version}")).await;
            }
        }
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end(&answer).await;
        assert_eq!((receipt.method, receipt.versions.erased), (method, 10 + 36));
    }
}

/// S3 erases a version and says of it that access was denied: what it answers when a request that it had refused after
/// all the work is sent again.
struct RefusesTheErased(AtomicBool);

#[async_trait]
impl Gate for RefusesTheErased {
    async fn after(&self, info: &RequestInfo, response: &Response<Bytes>) -> Verdict {
        if info.operation != "DeleteObjects" || self.0.swap(true, Ordering::Relaxed) {
            return Verdict::Proceed;
        }
        let body = String::from_utf8_lossy(response.body());
        let refused = body.replacen("<Deleted>", "<Error>", 1).replacen(
            "</Deleted>",
            "<Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
            1,
        );
        Verdict::Answer(Response::new(Bytes::from(refused)))
    }
}

/// P3: a version that was refused, and that the last look does not find, is counted as absent: the receipt adds up.
#[tokio::test]
async fn regression_a_version_that_was_refused_and_is_gone_is_absent() {
    let stage = Stage::set(options(), 9).await;
    stage.photolala.local().set_gate(RefusesTheErased(AtomicBool::new(false)));
    let answer = stage.delete_now().await;
    let versions = stage.end_settled(&answer).await.versions;
    assert_eq!((versions.listed, versions.erased, versions.absent), (9, 8, 1), "{versions:?}");
}
