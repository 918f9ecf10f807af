//! Where the emulator is not as AWS is. Each is told by name in every rehearsal; most are looked at anew, so that one
//! which was closed is noticed.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::refusals::notify;
use crate::stage::Stage;
use crate::url;

/// What cannot be seen from here, and what is done about it.
const TOLD: [&str; 8] = [
    "it has no S3 Batch Operations: ours stands in front and acts under the Batch role; signatures of calls to it are \
     not checked",
    "its SimulatePrincipalPolicy knows no condition keys: who may call S3 Batch Operations is judged here, by the \
     deployed policies",
    "it serves plain http: the front tells it that TLS ended there, else policies that enforce SSL refuse everything",
    "no caller is an AWS service: the roles' trust is widened by the AWS account once it was seen to be right",
    "it refuses put_events of aws.* sources, as AWS does: the job's event is handed to the function directly",
    "nobody waits for the daily rule's own time: in development a story has it fire by another schedule",
    "AWS Lambda's own calls under a function's role (log lines, dead letters) do not pass the front",
    "permissions that AWS asks for beyond the emulator's (ListBucket for a 404, GetObject for If-Match, \
     DeleteObject beside DeleteObjectVersion for every key) are compared with the grants, not enforced",
];

/// Prints every gap.
pub async fn tell(stage: &Stage) {
    for gap in TOLD {
        println!("gap   {gap}");
    }
    let seen = [
        ("it does not check the expected bucket owner", owner_is_not_checked(stage).await),
        ("it tells callers who may not list that a key is absent (AWS: 403)", absence_is_told(stage).await),
        ("DeleteObjects takes more than 1,000 keys (AWS: MalformedXML)", takes_too_many_keys(stage).await),
        ("DeleteObjects with one forbidden key is refused whole (AWS: key by key)", refuses_all_for_one(stage).await),
        (
            "a listing goes on at its marker, not after it, so counts of long listings are a little too high",
            lists_twice(stage).await,
        ),
        ("lifecycle rules of the deployed bucket are not kept", has_no_lifecycle(stage).await),
        (
            "the policy of the deployed notice bus is not kept: the roles' own policies decide",
            has_no_bus_policy(stage).await,
        ),
        (
            "its EventBridge does not know the source of an event as a condition (events:source)",
            knows_no_source(stage).await,
        ),
        (
            "its function URL names no caller to the function: what the function does for one is seen with payloads that \
             are handed to it",
            names_no_caller(stage).await,
        ),
    ];
    for (gap, is_seen) in seen {
        println!("{}   {gap}", if is_seen { "gap" } else { "gone" });
    }
}

async fn owner_is_not_checked(stage: &Stage) -> bool {
    let head = stage.photolala.s3().head_bucket().bucket(stage.photolala.bucket());
    head.expected_bucket_owner("210987654321").send().await.is_ok()
}

async fn absence_is_told(stage: &Stage) -> bool {
    let batch = stage.trial(&stage.roles.batch).await.s3();
    let own = stage.photolala.environment().manifest_bucket();
    let read = batch.get_object().bucket(own).key("manifests/absent.csv").send().await;
    read.is_err_and(|error| error.code() == Some("NoSuchKey"))
}

async fn takes_too_many_keys(stage: &Stage) -> bool {
    let keys: Vec<String> = (0..1_001).map(|number| format!("absent/{number}")).collect();
    let own = stage.photolala.environment().manifest_bucket();
    stage.photolala.s3().delete_objects().bucket(own).delete(delete(&keys)).send().await.is_ok()
}

async fn refuses_all_for_one(stage: &Stage) -> bool {
    let eraser = stage.trial(&stage.roles.eraser).await.s3();
    let allowed = format!("photos/{}/absent", harness::Account::seeded(9).upper());
    let keys = [allowed, "identities/absent".to_owned()];
    eraser.delete_objects().bucket(stage.photolala.bucket()).delete(delete(&keys)).send().await.is_err()
}

fn delete(keys: &[String]) -> Delete {
    let object = |key: &String| ObjectIdentifier::builder().key(key).version_id("null").build().expect("it has a key");
    Delete::builder().set_objects(Some(keys.iter().map(object).collect())).build().expect("it has objects")
}

/// Looks at two objects of a bucket of its own, one a page.
async fn lists_twice(stage: &Stage) -> bool {
    let (s3, bucket) = (stage.photolala.s3(), "rehearsal-listing");
    s3.create_bucket().bucket(bucket).send().await.expect("a bucket is made");
    for key in ["1", "2"] {
        s3.put_object().bucket(bucket).key(key).body(Vec::new().into()).send().await.expect("an object is put");
    }
    let page = || s3.list_object_versions().bucket(bucket).max_keys(1);
    let first = page().send().await.expect("a first page");
    let next = page().key_marker("1").set_version_id_marker(first.next_version_id_marker);
    let next = next.send().await.expect("a second page");
    next.versions().first().and_then(|version| version.key()) == Some("1")
}

async fn has_no_bus_policy(stage: &Stage) -> bool {
    let bus = stage.photolala.environment().notice_bus();
    stage.emulator.bus_policy(&bus).await.expect("the notice bus is there").is_none()
}

async fn knows_no_source(stage: &Stage) -> bool {
    let deletion = stage.trial(&stage.roles.deletion).await;
    notify(&deletion, &stage.photolala.environment().notice_bus(), "photolala.elsewhere").await == "served"
}

async fn names_no_caller(stage: &Stage) -> bool {
    url::status_of(stage, &url::app_session(stage).await).await.is_without_caller()
}

async fn has_no_lifecycle(stage: &Stage) -> bool {
    let own = stage.photolala.environment().manifest_bucket();
    let got = stage.photolala.s3().get_bucket_lifecycle_configuration().bucket(own).send().await;
    got.map_or(true, |lifecycle| lifecycle.rules().is_empty())
}
