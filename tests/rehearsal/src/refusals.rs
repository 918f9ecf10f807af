//! What the deployed roles must be refused, whatever code runs under them.

use std::error::Error;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use domain::notice::SOURCE;
use harness::{Account, Photolala, environment};
use local_aws::Clients;

use crate::stage::Stage;
use crate::url::app_session;
use crate::watch::Caller;

/// A bucket of somebody else's in the same AWS account.
const ELSEWHERE: &str = "photolala-elsewhere";

/// The eraser's role can erase nothing but what lies under account prefixes of its bucket, and sees nothing.
pub async fn of_the_eraser(stage: &Stage) {
    let (photolala, account) = (&stage.photolala, Account::seeded(3));
    let trial = stage.trial(&stage.roles.eraser).await;
    let (s3, bucket, own) = (trial.s3(), photolala.bucket(), photolala.environment().manifest_bucket());
    let photo = format!("photos/{}/1.dat", account.upper());
    make_elsewhere(photolala, &photo).await;
    let read = s3.get_object().bucket(&own).key("pages/absent").send().await;
    assert_eq!(code(read), "NoSuchKey", "it may read pages, so the session is good");
    denied("erase a mapping", &erase(&trial, bucket, "identities/apple:1").await);
    denied("erase in another bucket", &erase(&trial, ELSEWHERE, &photo).await);
    denied("erase above the accounts", &erase(&trial, bucket, "photos/1.dat").await);
    denied("erase a record", &erase(&trial, &own, "records/1.json").await);
    denied("read a photo", &code(s3.get_object().bucket(bucket).key(&photo).send().await));
    denied("read a receipt", &code(s3.get_object().bucket(&own).key("receipts/1.json").send().await));
    let list = s3.list_object_versions().bucket(bucket).prefix(format!("photos/{}/", account.upper()));
    denied("list photos", &code(list.send().await));
    denied("write a record", &put(&trial, &own, "records/1.json").await);
    denied("list jobs", &code(trial.s3control().list_jobs().account_id(crate::ACCOUNT).send().await));
    denied("invoke the other function", &invoke(&trial, &stage.roles.deletion).await);
    denied("write an entry", &put(&trial, bucket, &entry(&account)).await);
    denied("send a notice", &notify(&trial, &photolala.environment().notice_bus(), SOURCE).await);
}

/// The deletion function's role reads no photo and reaches no other bucket and no other bus.
pub async fn of_the_deletion_function(stage: &Stage) {
    let (photolala, account) = (&stage.photolala, Account::seeded(3));
    let trial = stage.trial(&stage.roles.deletion).await;
    let (s3, bucket, own) = (trial.s3(), photolala.bucket(), photolala.environment().manifest_bucket());
    let photo = format!("photos/{}/1.dat", account.upper());
    make_elsewhere(photolala, &photo).await;
    let read = s3.get_object().bucket(&own).key("records/absent.json").send().await;
    assert_eq!(code(read), "NoSuchKey", "it may read records, so the session is good");
    denied("read a photo", &code(s3.get_object().bucket(bucket).key(&photo).send().await));
    denied("write a photo", &put(&trial, bucket, &photo).await);
    denied("erase in another bucket", &erase(&trial, ELSEWHERE, &photo).await);
    denied("erase above the accounts", &erase(&trial, bucket, "photos/1.dat").await);
    denied("list a whole bucket", &code(s3.list_object_versions().bucket(bucket).send().await));
    denied("list another bucket", &code(s3.list_object_versions().bucket(ELSEWHERE).prefix("photos/").send().await));
    denied("remove a receipt", &erase(&trial, &own, "receipts/1.json").await);
    denied("invoke the eraser", &invoke(&trial, &stage.roles.eraser).await);
    denied("write a profile", &put(&trial, bucket, &format!("users/{}/profile.json", account.upper())).await);
    denied("remove the count of a day", &erase(&trial, &own, "days/2026-01-02.json").await);
    denied("send a notice on the bus of all events", &notify(&trial, "default", SOURCE).await);
    for elsewhere in ["development", "staging", "production"] {
        let elsewhere = environment::load(elsewhere).expect("the repository has it");
        if elsewhere.name != photolala.environment().name {
            // Made twice is made all the same.
            let (theirs, bus) = (elsewhere.buckets[0].name.as_str(), elsewhere.notice_bus());
            let _ = photolala.s3().create_bucket().bucket(theirs).send().await;
            denied("write an entry of another environment", &put(&trial, theirs, &entry(&account)).await);
            denied("send a notice of another environment", &notify(&trial, &bus, SOURCE).await);
        }
    }
}

/// The app's role comes over the URL and by no other way.
pub async fn of_the_app(stage: &Stage) {
    let photolala = &stage.photolala;
    let session = app_session(stage).await;
    stage.watch.know(session.access_key_id(), Caller::Trial(photolala.environment().app_role.clone()));
    let trial = stage.clients(&session);
    denied("invoke the deletion function", &invoke(&trial, &stage.roles.deletion).await);
    denied("invoke the eraser", &invoke(&trial, &stage.roles.eraser).await);
    denied("send a notice", &notify(&trial, &photolala.environment().notice_bus(), SOURCE).await);
}

/// The role of jobs reads manifests and invokes the eraser, and that is all.
pub async fn of_jobs(stage: &Stage) {
    let photolala = &stage.photolala;
    let trial = stage.trial(&stage.roles.batch).await;
    let (s3, own) = (trial.s3(), photolala.environment().manifest_bucket());
    let photo = format!("photos/{}/1.dat", Account::seeded(3).upper());
    denied("read a record", &code(s3.get_object().bucket(&own).key("records/1.json").send().await));
    denied("erase a photo", &erase(&trial, photolala.bucket(), &photo).await);
    denied("invoke the deletion function", &invoke(&trial, &stage.roles.deletion).await);
    denied("write a manifest", &put(&trial, &own, "manifests/1.csv").await);
    denied("send a notice", &notify(&trial, &photolala.environment().notice_bus(), SOURCE).await);
}

/// Somebody who is allowed to nothing can invoke neither function.
pub async fn of_a_stranger(stage: &Stage) {
    let user = stage.emulator.stranger("rehearsal-stranger").await.expect("a user is made");
    stage.watch.know(user.access_key_id(), Caller::Root);
    let stranger = stage.clients(&user);
    denied("invoke the deletion function", &invoke(&stranger, &stage.roles.deletion).await);
    denied("invoke the eraser", &invoke(&stranger, &stage.roles.eraser).await);
}

/// Where an entry of the account may lie.
fn entry(account: &Account) -> String {
    format!("scheduled-deletions/2026-01-02/{}.json", account.upper())
}

async fn put(clients: &Clients, bucket: &str, key: &str) -> String {
    code(clients.s3().put_object().bucket(bucket).key(key).body(Vec::new().into()).send().await)
}

/// Puts an event that looks like a notice on a bus.
pub async fn notify(clients: &Clients, bus: &str, source: &str) -> String {
    let entry = PutEventsRequestEntry::builder().event_bus_name(bus).source(source).detail_type("held").detail("{}");
    let events = aws_sdk_eventbridge::Client::new(clients.sdk_config());
    match events.put_events().entries(entry.build()).send().await {
        Ok(output) => output
            .entries()
            .iter()
            .find_map(|entry| entry.error_code().map(str::to_owned))
            .unwrap_or("served".to_owned()),
        Err(error) => code::<(), _>(Err(error)),
    }
}

async fn make_elsewhere(photolala: &Photolala, key: &str) {
    // Made twice is made all the same.
    let _ = photolala.s3().create_bucket().bucket(ELSEWHERE).send().await;
    let put = photolala.s3().put_object().bucket(ELSEWHERE).key(key).body(b"x".to_vec().into());
    put.send().await.expect("the bucket takes it");
}

async fn erase(clients: &Clients, bucket: &str, key: &str) -> String {
    let object = ObjectIdentifier::builder().key(key).version_id("null").build().expect("a key is enough");
    let delete = Delete::builder().objects(object).build().expect("one object is enough");
    match clients.s3().delete_objects().bucket(bucket).delete(delete).send().await {
        // AWS refuses key by key.
        Ok(output) => output.errors().first().and_then(|error| error.code()).unwrap_or("erased").to_owned(),
        Err(error) => code::<(), _>(Err(error)),
    }
}

/// The functions and their roles have the same names.
async fn invoke(clients: &Clients, function: &str) -> String {
    let event = br#"{"type":"reconcile"}"#.to_vec();
    code(clients.lambda().invoke().function_name(function).payload(event.into()).send().await)
}

fn code<T, E: ProvideErrorMetadata + Error + 'static>(result: Result<T, SdkError<E>>) -> String {
    match result {
        Ok(_) => "served".to_owned(),
        Err(error) => error.code().map_or_else(|| format!("{error:?}"), str::to_owned),
    }
}

fn denied(what: &str, code: &str) {
    assert!(code.starts_with("AccessDenied"), "may {what}: {code}");
}
