//! Pages that this service did not write, and events that are none.

use bytes::Bytes;
use domain::ids::DeletionId;
use domain::layout::attempt_pages_prefix;
use harness::{Account, Fixture};
use local_lambda::Outcome;
use serde_json::{Value, json};

use crate::stage::{Stage, by_job, only_in_memory};

/// A submitted deletion whose job is held back, with its one page.
struct Forgery {
    stage: Stage,
    deletion: DeletionId,
    /// The text of the true page.
    page: String,
}

/// A page put beside the true ones: what it is, the name of its key, and its bytes.
struct Forged {
    what: &'static str,
    key: String,
    body: Vec<u8>,
    expected: &'static str,
}

impl Forgery {
    async fn set() -> Self {
        let stage = Stage::with(by_job(5), |fixture| fixture.versions(6)).await;
        stage.photolala.local().batch().hold();
        let answer = stage.delete_now().await;
        let deletion = answer.deletion_id();
        let keys = stage.photolala.own_keys(&attempt_pages_prefix(&deletion, 1)).await;
        let body = stage.photolala.own_object(&keys[0]).await.expect("the page is there");
        let page = zstd::bulk::decompress(&body, 1 << 20).expect("a page is zstd");
        Self { deletion, page: String::from_utf8(page).expect("a page is UTF-8"), stage }
    }

    /// The key a further page of the deletion would have.
    fn key(&self, number: u32) -> String {
        format!("{}0-b0tail-{number:06}.jsonl.zst", attempt_pages_prefix(&self.deletion, 1))
    }

    /// The true page with this in place of that, everywhere.
    fn with(&self, from: &str, to: &str) -> Vec<u8> {
        assert!(self.page.contains(from), "{from} is not on the page");
        zstd::bulk::compress(self.page.replace(from, to).as_bytes(), 3).unwrap()
    }

    /// A page whose only version is this one.
    fn of(&self, key: &str, version: &str) -> Vec<u8> {
        let header = self.page.lines().next().expect("a page has a header");
        let mut header: Value = serde_json::from_str(header).expect("the header is JSON");
        header["count"] = 1.into();
        let text = format!("{header}\n{}", json!([key, version, 1, "STANDARD"]));
        zstd::bulk::compress(text.as_bytes(), 3).unwrap()
    }

    async fn take_away(&self, key: &str) {
        let bucket = self.stage.photolala.environment().manifest_bucket();
        self.stage.photolala.s3().delete_object().bucket(bucket).key(key).send().await.expect("it goes");
    }

    async fn put(&self, key: &str, body: Vec<u8>) {
        let bucket = self.stage.photolala.environment().manifest_bucket();
        let put = self.stage.photolala.s3().put_object().bucket(bucket).key(key).body(body.into());
        put.send().await.expect("the manifest bucket takes it");
    }

    /// Invokes the eraser as S3 Batch Operations does.
    async fn erase(&self, schema: &str, keys: &[&str]) -> Result<Vec<(String, String)>, Bytes> {
        let task = |(i, key): (usize, &&str)| json!({ "taskId": i.to_string(), "s3Key": key, "s3VersionId": null });
        let tasks: Vec<Value> = keys.iter().enumerate().map(task).collect();
        let event =
            json!({ "invocationSchemaVersion": schema, "invocationId": "i", "job": { "id": "j" }, "tasks": tasks });
        let answer = self.invoke(&event).await?;
        assert_eq!((&answer["invocationSchemaVersion"], &answer["invocationId"]), (&json!(schema), &json!("i")));
        assert_eq!(answer["treatMissingKeysAs"], "TemporaryFailure");
        let results = answer["results"].as_array().expect("there are results");
        assert_eq!(results.len(), keys.len(), "a result for every task");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(results.iter().map(|result| (text(&result["resultCode"]), text(&result["resultString"]))).collect())
    }

    async fn invoke(&self, event: &Value) -> Result<Value, Bytes> {
        let eraser = &self.stage.photolala.environment().functions.eraser;
        let lambda = self.stage.photolala.local().lambda();
        let invoked = lambda.invoke(eraser, Bytes::from(event.to_string())).await.expect("Lambda runs it");
        match invoked.outcome {
            Outcome::Answer(answer) => Ok(serde_json::from_slice(&answer).expect("an answer is JSON")),
            Outcome::FunctionError(error) => Err(error),
        }
    }

    fn refusals(&self) -> usize {
        let metrics = self.stage.photolala.local().lambda().metrics();
        metrics.iter().filter(|metric| metric.name == "EraserRefusals").count()
    }

    fn forged(&self) -> Vec<Forged> {
        let account = &self.stage.account;
        let neighbour = account.neighbour();
        let mapping = account.mapping_keys().remove(0);
        let other = DeletionId::new(uuid::Uuid::from_u128(7));
        let other_key = |name: &str| format!("{}{name}", attempt_pages_prefix(&other, 1));
        let outside = "a key lies outside the account's prefixes";
        let unreadable = "the page cannot be read";
        let no_page = "the key is not that of a page";
        let photo = format!("photos/{}/x.dat", neighbour.upper());
        let of_nobody = format!("photos/{}", account.upper());
        let own = self.stage.photolala.environment().manifest_bucket();
        let huge = vec![b'\n'; 9 << 20];
        let cases = [
            ("another account's key", self.key(10), self.of(&photo, "null"), outside),
            ("a mapping", self.key(11), self.of(&mapping, "null"), outside),
            ("a prefix without its slash", self.key(12), self.of(&of_nobody, "null"), outside),
            (
                "another bucket",
                self.key(13),
                self.with(self.stage.photolala.bucket(), "photolala-prod"),
                "its bucket is not configured",
            ),
            (
                "the service's own bucket",
                self.key(20),
                self.with(self.stage.photolala.bucket(), &own),
                "its bucket is not configured",
            ),
            (
                "another region",
                self.key(14),
                self.with("\"us-east-1\"", "\"eu-west-1\""),
                "its region is not the bucket's",
            ),
            (
                "a header of another deletion",
                self.key(15),
                self.with(&self.deletion.to_string(), &other.to_string()),
                "another deletion than its key",
            ),
            (
                "a header of another attempt",
                self.key(16),
                self.with("\"attempt\":1", "\"attempt\":2"),
                "another deletion than its key",
            ),
            (
                "a key of another deletion",
                other_key("0-b0tail-000000.jsonl.zst"),
                self.with("\"attempt\":1", "\"attempt\":1"),
                "another deletion than its key",
            ),
            ("not zstd", self.key(17), self.page.clone().into_bytes(), unreadable),
            ("huge", self.key(18), zstd::bulk::compress(&huge, 3).unwrap(), unreadable),
            ("rubbish", self.key(19), zstd::bulk::compress(b"{}", 3).unwrap(), unreadable),
            ("no page's key", other_key("x"), self.with("\"attempt\":1", "\"attempt\":1"), no_page),
            ("the record's key", "records/x.json".to_owned(), self.with("\"attempt\":1", "\"attempt\":1"), no_page),
        ];
        cases.into_iter().map(|(what, key, body, expected)| Forged { what, key, body, expected }).collect()
    }
}

/// P1, P10: nothing is erased by a forged page, whatever it claims; each is refused for good and counted, and the
/// refusals name nobody. The deletion it is slipped into completes all the same.
#[tokio::test]
async fn a_forged_page_erases_nothing() {
    let forgery = Forgery::set().await;
    let then = forgery.stage.photolala.snapshot().await;
    let forged = forgery.forged();
    for Forged { what, key, body, expected } in &forged {
        forgery.put(key, body.clone()).await;
        for schema in ["1.0", "2.0"] {
            let counted = forgery.refusals();
            let results = forgery.erase(schema, &[key.as_str()]).await.expect("an answer");
            assert_eq!(results[0].0, "PermanentFailure", "{what}: {results:?}");
            assert!(results[0].1.contains(expected), "{what}: {results:?}");
            assert_eq!(forgery.refusals(), counted + 1, "{what} is counted");
        }
        assert_eq!(then.changes_to(&forgery.stage.photolala.snapshot().await), [], "{what}");
    }
    for Forged { key, .. } in &forged {
        forgery.take_away(key).await;
    }
    forgery.finish().await;
}

/// P1: several tasks in one event are answered one by one; a key that cannot be decoded is refused, and the true page
/// between forged ones is erased.
#[tokio::test]
async fn tasks_of_one_event_are_answered_one_by_one() {
    let forgery = Forgery::set().await;
    let photo = format!("photos/{}/x.dat", forgery.stage.account.neighbour().upper());
    forgery.put(&forgery.key(10), forgery.of(&photo, "null")).await;
    let keys = [forgery.key(10), "%FF%FE".to_owned(), forgery.key(0), forgery.key(99)];
    let results = forgery.erase("2.0", &keys.each_ref().map(String::as_str)).await.expect("an answer");
    let codes: Vec<&str> = results.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["PermanentFailure", "PermanentFailure", "Succeeded", "PermanentFailure"], "{results:?}");
    assert!(results[1].1.contains("not UTF-8") && results[3].1.contains("stale"), "{results:?}");
    assert_eq!(forgery.refusals(), 2, "a page that is not there is stale, not forged");
    forgery.take_away(&forgery.key(10)).await;
    forgery.finish().await;
}

/// P1: a page that is sound in itself, about another account: nothing is erased, for that account has no record that
/// waits for it.
#[tokio::test]
async fn a_sound_page_about_another_account_erases_nothing() {
    let forgery = Forgery::set().await;
    let (account, neighbour) = (&forgery.stage.account, forgery.stage.account.neighbour());
    let then = forgery.stage.photolala.snapshot().await;
    let theirs = then.0.keys().find(|place| place.key.starts_with(&format!("photos/{}/", neighbour.upper())));
    let theirs = &theirs.expect("the neighbour has photos").key;
    let page = zstd::bulk::decompress(&forgery.of(theirs, "null"), 1 << 20).expect("a page is zstd");
    let text = String::from_utf8(page).expect("a page is UTF-8").replace(&account.upper(), &neighbour.upper());
    assert!(!text.contains(&account.upper()), "the page still speaks of the account");
    forgery.put(&forgery.key(10), zstd::bulk::compress(text.as_bytes(), 3).unwrap()).await;
    let results = forgery.erase("2.0", &[forgery.key(10).as_str()]).await.expect("an answer");
    assert_eq!(results[0].0, "PermanentFailure", "{results:?}");
    assert!(results[0].1.contains("stale"), "{results:?}");
    assert_eq!(then.changes_to(&forgery.stage.photolala.snapshot().await), []);
    forgery.take_away(&forgery.key(10)).await;
    forgery.finish().await;
}

/// P1: a job of another environment that reaches this eraser: its pages lie in another bucket, and only our own is
/// read, whatever the event says.
#[tokio::test]
async fn pages_of_another_environment_are_not_read() {
    let forgery = Forgery::set().await;
    let photolala = &forgery.stage.photolala;
    let elsewhere = format!("{}-elsewhere", photolala.environment().manifest_bucket());
    photolala.s3().create_bucket().bucket(&elsewhere).send().await.expect("a bucket is made");
    let key = forgery.key(10);
    let put = photolala.s3().put_object().bucket(&elsewhere).key(&key);
    let page = zstd::bulk::compress(forgery.page.as_bytes(), 3).unwrap();
    put.body(page.into()).send().await.expect("the page is there");
    let then = photolala.snapshot().await;
    let arn = format!("arn:aws:s3:::{elsewhere}");
    for (schema, bucket) in [("1.0", json!({"s3BucketArn": arn})), ("2.0", json!({"s3Bucket": elsewhere}))] {
        let mut task = json!({ "taskId": "0", "s3Key": key, "s3VersionId": null });
        task.as_object_mut().unwrap().extend(bucket.as_object().unwrap().clone());
        let event =
            json!({ "invocationSchemaVersion": schema, "invocationId": "i", "job": { "id": "j" }, "tasks": [task] });
        let answer = forgery.invoke(&event).await.expect("an answer");
        let result = &answer["results"][0];
        assert_eq!(result["resultCode"], "PermanentFailure", "{answer}");
        assert!(result["resultString"].as_str().is_some_and(|why| why.contains("stale")), "{answer}");
    }
    assert_eq!(then.changes_to(&photolala.snapshot().await), []);
    photolala.s3().delete_object().bucket(&elsewhere).key(&key).send().await.expect("it goes");
    forgery.finish().await;
}

/// P1: a true page of a deletion that does not wait for a job is stale, and nothing is erased by it.
#[tokio::test]
async fn a_page_of_a_deletion_that_is_over_erases_nothing() {
    let forgery = Forgery::set().await;
    let (key, page) = (forgery.key(0), zstd::bulk::compress(forgery.page.as_bytes(), 3).unwrap());
    forgery.finish().await;
    // The account comes back with the same keys, and the old task with it.
    Fixture::of(&forgery.stage.account).versions(6).fill(&forgery.stage.photolala).await.expect("it is filled");
    let then = forgery.stage.photolala.snapshot().await;
    forgery.put(&key, page).await;
    let results = forgery.erase("2.0", &[key.as_str()]).await.expect("an answer");
    assert_eq!(results[0].0, "PermanentFailure", "{results:?}");
    assert!(results[0].1.contains("stale"), "{results:?}");
    assert_eq!(then.changes_to(&forgery.stage.photolala.snapshot().await), []);
    assert_eq!(forgery.refusals(), 0, "late is not forged");
}

/// P1: what is no event of S3 Batch Operations is a failed invocation, never an answer that could be taken for one.
#[tokio::test]
async fn an_event_of_no_known_schema_fails() {
    let forgery = Forgery::set().await;
    let (key, then) = (forgery.key(0), forgery.stage.photolala.snapshot().await);
    assert!(forgery.erase("3.0", &[key.as_str()]).await.is_err());
    for event in [json!({}), json!([]), json!("x"), json!({ "invocationSchemaVersion": "2.0", "tasks": [] })] {
        assert!(forgery.invoke(&event).await.is_err(), "{event}");
    }
    assert_eq!(then.changes_to(&forgery.stage.photolala.snapshot().await), []);
    forgery.finish().await;
}

/// P1: a manifest has a row a page and nothing of the account, so no key can add a row to it.
#[tokio::test]
async fn no_key_of_an_account_reaches_the_manifest() {
    only_in_memory("SeaweedFS does not erase a key with a carriage return by DeleteObjects");
    let stage = Stage::set(by_job(5), 6).await;
    let victim = format!("photos/{}/1.dat", Account::seeded(1).neighbour().upper());
    for name in ["a\nphotolala-dev,x", "b,c\"d", "e\r\nf%2C"] {
        let key = format!("photos/{}/{name},{victim}", stage.account.upper());
        let put = stage.photolala.s3().put_object().bucket(stage.photolala.bucket()).key(key);
        put.body(Vec::from(*b"x").into()).send().await.expect("S3 takes any key");
    }
    stage.photolala.local().batch().hold();
    let answer = stage.delete_now().await;
    let pages = stage.photolala.own_keys("pages/").await;
    let manifests = stage.photolala.own_keys("manifests/").await;
    let manifest = stage.photolala.own_object(&manifests[0]).await.expect("the manifest is there");
    let manifest = String::from_utf8(manifest).expect("a manifest is UTF-8");
    let bucket = stage.photolala.environment().manifest_bucket();
    let mut rows: Vec<&str> = manifest.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, pages.iter().map(|page| format!("{bucket},{page}")).collect::<Vec<_>>());
    stage.photolala.local().batch().release();
    let receipt = stage.end_settled(&answer).await;
    assert_eq!(receipt.versions.erased, 9);
}

impl Forgery {
    /// The deletion goes on as if nothing had been.
    async fn finish(&self) {
        self.stage.photolala.local().batch().release();
        let receipt = self.stage.photolala.run_until_complete(self.deletion).await.expect("the deletion completes");
        harness::promises::kept(&self.stage.photolala, &self.stage.before, &self.stage.account, &receipt).await;
        self.stage.photolala.settle().await.expect("reconcile runs");
        assert!(!self.stage.photolala.has_record(&self.stage.account).await);
    }
}
