//! A scheduled run over ten accounts among a million mappings of other people.

use harness::person::{entry, entry_key, scheduled, status_key};
use harness::{Account, Options, Photolala};
use local_s3::Store;

use crate::{Figure, figure};

const ACCOUNTS: u64 = 10;
const MAPPINGS: u64 = 1_000_000;
const GRACE_SECONDS: u32 = 2;

/// Measures one run, from the event to its answer.
pub async fn measure() -> Vec<Figure> {
    let mut options = Options::default();
    (options.environment.grace_seconds, options.environment.confirm_seconds) = (GRACE_SECONDS, 0);
    let photolala = Photolala::start(options).await.expect("the service starts");
    fill(&photolala);
    photolala.pass(i64::from(GRACE_SECONDS) + 2).await;
    photolala.local().recorder().reset();
    let started = std::time::Instant::now();
    let run = photolala.run().await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(run.body["claimed"], ACCOUNTS, "{}", run.body);
    let name = &photolala.environment().functions.deletion;
    let count = |operation| photolala.local().recorder().count_by(name, operation);
    let peaks = photolala.local().lambda().processes(name).into_iter().filter_map(|p| p.peak_memory_bytes);
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    let mib = peaks.max().unwrap_or_default() as f64 / 1_048_576.0;
    let figures = vec![
        figure("accounts, mappings of others", format!("{ACCOUNTS}, {MAPPINGS}"), "-"),
        figure("listings of all mappings", count("GetBucketEncryption").to_string(), "2: to sever, and the last look"),
        figure("ListObjectVersions", count("ListObjectVersions").to_string(), "about 1,000 a listing, 22 an account"),
        figure("GetObject", count("GetObject").to_string(), "none of another person's mapping"),
        figure("seconds, event to answer", format!("{seconds:.1}"), "-"),
        figure("peak memory", format!("{mib:.1} MiB"), "< 64 MiB"),
    ];
    photolala.shutdown().await;
    figures
}

fn fill(photolala: &Photolala) {
    let store = photolala.local().s3_store().expect("the S3 in memory");
    let (bucket, now) = (photolala.bucket(), photolala.now());
    for n in 0..MAPPINGS {
        // Spread as SHA-256 digests and Google's subjects are.
        let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let key = if n % 2 == 0 { format!("emails/{spread:064x}") } else { format!("identities/google:{spread:021}") };
        put(store, bucket, &key, &uuid::Uuid::from_u64_pair(spread | 1, !spread).to_string());
    }
    for account in (1..=ACCOUNTS).map(Account::seeded) {
        put(store, bucket, &status_key(&account.upper()), &scheduled(now, now).to_string());
        put(store, bucket, &format!("photos/{}/1.dat", account.upper()), "a photo");
        put(store, bucket, &format!("emails/{}", account.email_hash()), &account.lower());
        put(store, bucket, &entry_key(&account.upper(), now), &entry(&account, now, now).to_string());
    }
}

fn put(store: &Store, bucket: &str, key: &str, body: &str) {
    store.put(bucket, key, body.as_bytes().to_vec()).expect("the S3 in memory takes every key");
}
