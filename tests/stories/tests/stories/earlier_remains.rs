//! Defects of the earlier system, one short story each: here of what it left behind while it said "completed".

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use domain::environment::{Bucket, BucketRole};
use domain::event::Query;
use domain::ids::BucketName;
use domain::mapping::BucketKind;
use domain::receipt::ReceiptState;
use harness::person::{active, status_key};
use harness::{Fixture, Options, Photolala, Snapshot, promises};
use http::Response;
use local_aws::s3_error;
use local_batch::{Pace, Status};
use serde_json::json;

use crate::app::{get, put, put_into, somebody_writes};
use crate::gates::{answering, first, request};
use crate::scheduled::with_grace;
use crate::stage::{Stage, by_job, kind, only_in_memory, options};

const DAY: i64 = 86_400;

/// D4: identity and request went before the data: where erasing failed, photos stayed for ever and nobody could find
/// them.
#[tokio::test]
async fn d04_what_s3_refuses_to_erase_is_remembered_until_it_is_erased() {
    only_in_memory("its clock cannot be moved by a day");
    let stage = Stage::set(options(), 30).await;
    answering(&stage.photolala, |info, _| {
        (info.operation == "DeleteObjects").then(|| s3_error(403, "AccessDenied", "Access Denied"))
    });
    let answer = stage.delete_now().await;
    assert_eq!((answer.status_code, &answer.body["status"]), (503, &json!("failed")), "{}", answer.body);
    for _ in 0..2 {
        assert_eq!(stage.photolala.receipt(answer.deletion_id()).await.state, ReceiptState::Failed);
        assert!(stage.photolala.has_record(&stage.account).await, "nobody remembers the account");
        let said = stage.photolala.status(&Query::Account(stage.account.id())).await.expect("the function answers");
        assert_eq!((said.deletion_id(), &said.body["state"]), (answer.deletion_id(), &json!("failed")));
        stage.photolala.pass(DAY + 1).await;
        stage.photolala.reconcile().await.expect_err("what fails again is a failed invocation");
    }
    stage.photolala.local().open_gate();
    stage.photolala.pass(DAY + 1).await;
    stage.photolala.reconcile().await.expect("reconcile runs");
    let receipt = stage.end_settled(&answer).await;
    assert_eq!(receipt.versions.erased, 30);
}

/// An answer of DeleteObjects that is a 200 and erased nothing.
fn every_key_fails(body: &Bytes) -> Response<Bytes> {
    let body = String::from_utf8_lossy(body);
    let objects = body.split("<Object>").skip(1).filter_map(|part| part.split_once("</Object>"));
    let error = "<Code>InternalError</Code><Message>We encountered an internal error.</Message>";
    let errors: Vec<String> = objects.map(|(object, _)| format!("<Error>{object}{error}</Error>")).collect();
    Response::new(Bytes::from(format!("<DeleteResult>{}</DeleteResult>", errors.concat())))
}

/// D7: errors of single keys in a 200 were only logged, and the account was "deleted successfully".
#[tokio::test]
async fn d07_errors_inside_a_200_are_not_taken_for_success() {
    for options in [options(), by_job(5)] {
        let stage = Stage::set(options, 12).await;
        let point = first(3, Box::new(|info, _| info.operation == "DeleteObjects"));
        answering(&stage.photolala, move |info, body| point(info, body).then(|| every_key_fails(body)));
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.versions.erased, receipt.attempts), (12, 1), "{receipt:?}");
        assert!(stage.photolala.local().recorder().count("DeleteObjects") > 3);
    }
}

/// The photo bucket, its replica, and the bucket of earlier versions of the app.
fn with_three_buckets(mut options: Options) -> Options {
    for (name, role) in [("replica", BucketRole::Replica), ("legacy", BucketRole::Legacy)] {
        let photos = options.environment.buckets[0].clone();
        let name = BucketName::parse(&format!("{}-{name}", photos.name)).expect("a bucket's name");
        options.environment.buckets.push(Bucket { name, role, ..photos });
    }
    options
}

/// D8: it deleted keys: versions, markers, fragments of uploads, the replica and the legacy bucket stayed.
#[tokio::test]
async fn d08_versions_markers_uploads_and_copies_go_too() {
    let stage = Stage::with(with_three_buckets(kind(BucketKind::Versioned)), |fixture| fixture.versions(60).uploads(3));
    let stage = stage.await;
    for bucket in &stage.photolala.environment().buckets[1..] {
        let copy = Fixture::of(&stage.account).versions(40).in_bucket(bucket.name.to_string());
        copy.fill(&stage.photolala).await.expect("another bucket is filled");
        let theirs = format!("photos/{}/1.dat", stage.account.neighbour().upper());
        put_into(stage.photolala.s3(), bucket.name.as_str(), &theirs, "a neighbour's photo").await;
    }
    let stage = stage.taken_anew().await;
    let scope = promises::Scope::of(stage.photolala.environment(), &[&stage.account]);
    let ours: Vec<_> = stage.before.0.iter().filter(|(place, _)| scope.covers(&place.key)).collect();
    let markers = ours.iter().filter(|(_, seen)| seen.marker).count() as u64;
    let old = ours.iter().filter(|(place, seen)| !place.upload && !seen.marker && !seen.latest).count();
    assert!(markers > 0 && old > 0, "{markers} markers and {old} old versions");
    let answer = stage.delete_now().await;
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.versions.erased, receipt.versions.markers, receipt.uploads), (140, markers, 3));
    assert_eq!(receipt.buckets.len(), 3, "{receipt:?}");
}

/// D9: it listed once and stopped no writer: what a phone wrote meanwhile stayed, and the next launch of the app brought
/// the account back.
#[tokio::test]
async fn d09_what_a_phone_writes_meanwhile_and_afterwards_goes_too() {
    let stage = Stage::set(options(), 30).await;
    let (upper, mapping) = (stage.account.upper(), stage.account.mapping_keys().remove(0));
    let (during, after) = (format!("photos/{upper}/during.dat"), format!("photos/{upper}/after.dat"));
    somebody_writes(&stage.photolala, &during, "a photo", |info| info.operation == "DeleteObjects");
    let answer = stage.delete_now().await;
    let receipt = stage.end(&answer).await;
    assert_eq!((receipt.versions.erased, receipt.attempts), (31, 2), "{receipt:?}");
    let status = active(stage.photolala.now()).to_string();
    let written = [(&after, "a photo"), (&status_key(&upper), &status), (&mapping, &upper)];
    for (key, body) in written {
        put(&stage.photolala, key, body).await;
    }
    stage.photolala.settle().await.expect("reconcile runs");
    stage.end(&answer).await;
    for (key, _) in written {
        assert_eq!(get(&stage.photolala, key).await, None, "{key} is back");
    }
    stage.settled(&answer).await;
}

/// D10: it forgot metadata, e-mail mappings and the other spelling of the id: a sign-in opened the old account again.
#[tokio::test]
async fn d10_metadata_emails_and_the_other_spelling_go_too() {
    let stage = Stage::with(options(), |fixture| fixture.versions(12).without_mappings()).await;
    let (upper, lower, hash) = (stage.account.upper(), stage.account.lower(), stage.account.email_hash());
    let forgotten = [
        (format!("metadata/{upper}/1.plist"), "<plist/>".to_owned()),
        (format!("metadata/{lower}/1.plist"), "<plist/>".to_owned()),
        (format!("users/{lower}/profile.json"), json!({"id": lower}).to_string()),
        (format!("users/{lower}/status.json"), active(stage.photolala.now()).to_string()),
        (format!("identities/apple:{}", stage.account.apple_id()), upper),
        (format!("identities/google:{}", stage.account.google_id()), lower.clone()),
        (format!("emails/{hash}"), lower),
    ];
    for (key, body) in &forgotten {
        put(&stage.photolala, key, body).await;
    }
    let stage = stage.taken_anew().await;
    let answer = stage.delete_now().await;
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.versions.erased, receipt.mappings.erased), (16, 3), "{receipt:?}");
    for (key, _) in forgotten {
        assert_eq!(get(&stage.photolala, &key).await, None, "{key} was forgotten");
    }
}

/// D18: nobody watched a job and nobody tried failed tasks again: the app said "deletion imminent" for ever.
#[tokio::test]
async fn d18_the_end_of_a_job_is_noticed_and_what_failed_is_done() {
    let pace = Pace { redrive_delay: Duration::from_millis(1), ..Pace::default() };
    let stage = Stage::set(Options { pace, ..by_job(5) }, 12).await;
    let every_task = request(&stage.photolala.environment().functions.eraser, "GetObject", "pages/", "");
    answering(&stage.photolala, move |info, body| {
        every_task(info, body).then(|| s3_error(500, "InternalError", "We encountered an internal error."))
    });
    let answer = stage.delete_now().await;
    let status = status_key(&stage.account.upper());
    stage.photolala.quiet().await;
    let jobs = stage.photolala.local().batch().jobs();
    assert!(jobs[0].progress.is_some_and(|tasks| tasks.failed > 0), "{jobs:?}");
    assert_eq!(jobs[0].status, Status::Complete, "complete does not mean success");
    assert!(get(&stage.photolala, &status).await.is_some(), "the status goes last");
    stage.photolala.local().open_gate();
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.versions.erased, receipt.attempts), (12, 2), "{receipt:?}");
    assert_eq!(get(&stage.photolala, &status).await, None, "the app still says that the deletion is imminent");
    let said = stage.photolala.status(&Query::Deletion(answer.deletion_id())).await.expect("the function answers");
    assert_eq!((said.status_code, &said.body["state"]), (200, &json!("complete")), "{}", said.body);
}

/// D19: keys went into the manifest as they were: one with a line break in it named another user's photo.
#[tokio::test]
async fn d19_a_crafted_key_erases_nothing_but_itself() {
    only_in_memory("SeaweedFS does not encode the keys of a listing that was asked for URL encoding");
    let stage = Stage::set(by_job(10), 12).await;
    let theirs = format!("photos/{}/", stage.account.neighbour().upper());
    let victim = stage.before.0.keys().map(|place| &place.key).find(|key| key.starts_with(&theirs));
    let (bucket, victim) = (stage.photolala.bucket(), victim.expect("the neighbour has photos"));
    let names = [
        format!("a\n{bucket},{victim}"),
        format!("b\n{bucket},{}\n", victim.replace('/', "%2F")),
        format!("c\",\n\"{bucket}\",\"{victim}"),
        format!("d%0A{bucket}%2C{victim}"),
        format!("e,{victim}"),
        "f+g h".to_owned(),
        "100%25%".to_owned(),
    ];
    for name in &names {
        put(&stage.photolala, &format!("photos/{}/{name}", stage.account.upper()), "a photo").await;
    }
    let stage = stage.taken_anew().await;
    let answer = stage.delete_now().await;
    assert!(answer.job_id().is_some(), "{}", answer.body);
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.versions.erased, receipt.attempts), (12 + names.len() as u64, 1), "a task failed: {receipt:?}");
    let jobs = stage.photolala.local().batch().jobs();
    assert!(jobs.iter().all(|job| job.progress.is_some_and(|tasks| tasks.failed == 0)), "{jobs:?}");
}

/// Keys and bodies of everything in every bucket, those of the service too, in lower case.
async fn everything_kept(photolala: &Photolala) -> Vec<String> {
    let environment = photolala.environment();
    let mut buckets: Vec<String> = environment.buckets.iter().map(|bucket| bucket.name.to_string()).collect();
    buckets.push(environment.manifest_bucket());
    let mut texts = Vec::new();
    for (place, seen) in Snapshot::take(photolala.s3(), &buckets, &[]).await.0 {
        let mut text = place.key.clone();
        // What is archived cannot be read: its key must do.
        if !seen.marker && !place.upload && !["GLACIER", "DEEP_ARCHIVE"].contains(&seen.class.as_str()) {
            let get = photolala.s3().get_object().bucket(&place.bucket).key(&place.key).version_id(&place.id);
            let body = get.send().await.expect("what is listed can be read").body.collect().await;
            text.push_str(&String::from_utf8_lossy(&body.expect("a body arrives whole").into_bytes()));
        }
        texts.push(text.to_lowercase());
    }
    texts
}

/// Everything that names the person: ids, addresses, and the names of the photos.
fn names_of(stage: &Stage) -> BTreeSet<String> {
    let scope = promises::Scope::of(stage.photolala.environment(), &[&stage.account]);
    let photos = stage.before.0.keys().filter(|place| place.key.starts_with("photos/") && scope.covers(&place.key));
    let photos = photos.filter_map(|place| Some(place.key.rsplit_once('/')?.1.to_owned()));
    stage.account.secrets().into_iter().chain(photos).map(|name| name.to_lowercase()).collect()
}

/// D20: manifests, reports and logs kept the id and every key of the erased for ever, and entries the e-mail address.
#[tokio::test]
async fn d20_nothing_that_is_kept_names_the_person() {
    for kind in [BucketKind::Unversioned, BucketKind::Versioned] {
        let options = Options { kind, ..with_grace(by_job(5)) };
        let stage = Stage::with(options, |fixture| fixture.versions(40).uploads(2)).await;
        stage.photolala.app_schedules(&stage.account, 0).await;
        let stage = stage.taken_anew().await;
        let names = names_of(&stage);
        let tells = |text: &String| names.iter().any(|name| text.contains(name));
        let told = everything_kept(&stage.photolala).await.into_iter().filter(tells).count();
        assert!(told > 40, "what names the person is not found");
        stage.wait().await;
        stage.erased_by(stage.photolala.run().await).await;
        let kept = stage.photolala.own_keys("").await;
        assert!(kept.iter().any(|key| key.starts_with("receipts/")), "there is nothing that could tell: {kept:?}");
        let told = everything_kept(&stage.photolala).await.into_iter().filter(tells);
        assert_eq!(told.collect::<Vec<_>>(), [""; 0]);
    }
}
