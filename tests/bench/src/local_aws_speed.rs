//! The local AWS itself, since every test pays for it.

use std::time::{Duration, Instant};

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local_aws::LocalAws;
use local_s3::{S3, Versioning, sdk_client};

use crate::{Figure, figure};

const VERSIONS: usize = 1_000_000;
const ERASED: usize = 100_000;
const PUTS: usize = 20_000;
const BUCKET: &str = "measured";

/// In process, over the socket, and in memory.
pub async fn measure() -> Vec<Figure> {
    let s3 = S3::new(local_s3::Options::default());
    let before = resident_mib();
    fill(&s3, VERSIONS);
    let mib = resident_mib() - before;
    let a_second = list_and_delete(&s3).await;
    vec![
        figure("1,000,000 versions in memory", format!("{mib:.0} MiB"), "< 2 GiB"),
        figure("in process: versions listed and deleted a second", format!("{a_second:.0}"), "≥ 100,000"),
        figure("over the socket: small PUTs a second", format!("{:.0}", puts().await), "≥ 4,000"),
    ]
}

fn fill(s3: &S3, versions: usize) {
    s3.store().create_bucket(BUCKET, Versioning::Enabled).expect("a fresh store");
    let body = Bytes::from_static(b"small");
    for i in 0..versions {
        s3.store().put(BUCKET, &format!("photos/{}{i:031x}.dat", i % 2), body.clone()).expect("the bucket is there");
    }
}

/// Two clients at a time, each of a thread and a prefix of its own.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
async fn list_and_delete(s3: &S3) -> f64 {
    let started = Instant::now();
    let clients = ["0", "1"].map(|half| tokio::spawn(list_and_delete_under(sdk_client(s3), half)));
    let erased = futures::future::try_join_all(clients).await.expect("no panic");
    erased.iter().sum::<usize>() as f64 / started.elapsed().as_secs_f64()
}

async fn list_and_delete_under(client: aws_sdk_s3::Client, half: &str) -> usize {
    let mut erased = 0;
    while erased < ERASED / 2 {
        let page = client
            .list_object_versions()
            .bucket(BUCKET)
            .prefix(format!("photos/{half}"))
            .send()
            .await
            .expect("it lists");
        let name = |v: &aws_sdk_s3::types::ObjectVersion| {
            let identifier = ObjectIdentifier::builder().set_key(v.key.clone()).set_version_id(v.version_id.clone());
            identifier.build().expect("the key is set")
        };
        let objects: Vec<ObjectIdentifier> = page.versions().iter().map(name).collect();
        erased += objects.len();
        let delete = Delete::builder().set_objects(Some(objects)).build().expect("objects are set");
        client.delete_objects().bucket(BUCKET).delete(delete).send().await.expect("it deletes");
    }
    erased
}

/// Requests are signed before the clock starts: it is the server that is measured, signatures checked.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
async fn puts() -> f64 {
    let local = LocalAws::start(local_aws::Options::default()).await.expect("it starts");
    let client = local.s3_client();
    client.create_bucket().bucket(BUCKET).send().await.expect("it makes a bucket");
    let signed: Vec<_> = stream::iter(0..PUTS).then(|i| signed_put(&client, i)).collect().await;
    let http = Client::builder(TokioExecutor::new()).build_http();
    let started = Instant::now();
    let put = |request| {
        let sent = http.request(request);
        tokio::spawn(async move { sent.await.expect("it answers").status() })
    };
    let statuses = stream::iter(signed).map(put).buffer_unordered(32);
    statuses.for_each(|status| async { assert!(status.expect("no panic").is_success()) }).await;
    let a_second = PUTS as f64 / started.elapsed().as_secs_f64();
    local.shutdown().await;
    a_second
}

async fn signed_put(client: &aws_sdk_s3::Client, i: usize) -> http::Request<Full<Bytes>> {
    let body = Bytes::from_static(b"small");
    let for_long = PresigningConfig::expires_in(Duration::from_hours(1)).expect("an hour is allowed");
    let put = client.put_object().bucket(BUCKET).key(format!("{i}")).body(body.clone().into());
    let signed = put.presigned(for_long).await.expect("it signs");
    signed.make_http_1x_request(Full::new(body))
}

/// Resident memory of this process (`VmRSS` of /proc/self/status).
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0.0) / 1_024.0
}
