//! Fixtures in a real bucket, seen through the SDK, and the promises over them. No functions run here.

use domain::mapping::BucketKind;
use harness::promises::{Scope, no_over_deletion, nothing_left};
use harness::{Account, Fixture, Options, Photo, Photolala, Snapshot, look_alikes};

const KINDS: [BucketKind; 3] = [BucketKind::Unversioned, BucketKind::Versioned, BucketKind::Suspended];

async fn start(kind: BucketKind) -> Photolala {
    Photolala::start(Options { kind, bootstraps: None, ..Options::default() }).await.unwrap()
}

fn scope(photolala: &Photolala, account: &Account) -> Scope {
    Scope::of(photolala.environment(), &[account])
}

/// Versions and markers under the account's prefixes.
fn count(snapshot: &Snapshot, photolala: &Photolala, account: &Account) -> usize {
    let prefixes = &photolala.environment().account_prefixes;
    let spelled = |id: &String| prefixes.iter().map(|p| snapshot.count(&p.replace("{account}", id))).sum::<usize>();
    [account.upper(), account.lower()].iter().map(spelled).sum()
}

#[tokio::test]
async fn an_account_has_exactly_the_versions_asked_for() {
    for kind in KINDS {
        let photolala = start(kind).await;
        for (seed, versions) in [(1, 0), (2, 1), (3, 3), (4, 24), (5, 240), (6, 1_001)] {
            let account = Account::seeded(seed);
            Fixture::of(&account).versions(versions).uploads(3).schedule_entry().fill(&photolala).await.unwrap();
            let seen = count(&photolala.snapshot().await, &photolala, &account);
            assert_eq!(seen, versions, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn the_sdk_writes_what_the_store_holds() {
    // The front sees this S3 as another server's, so fixtures must take the way through the SDK.
    let behind = start(BucketKind::Unversioned).await;
    for kind in KINDS {
        let options = Options {
            environment: harness::environment::apart(
                Options::default().environment,
                &format!("{kind:?}").to_lowercase(),
            ),
            s3: local_aws::Backend::Url(behind.local().endpoint()),
            kind,
            bootstraps: None,
            ..Options::default()
        };
        let photolala = Photolala::start(options).await.unwrap();
        let account = Account::seeded(1);
        Fixture::of(&account).versions(240).uploads(2).fill(&photolala).await.unwrap();
        let snapshot = photolala.snapshot().await;
        assert_eq!(count(&snapshot, &photolala, &account), 240, "{kind:?}");
        assert_eq!(snapshot.0.keys().filter(|place| place.upload).count(), 2);
        assert_eq!(snapshot.0.values().any(|seen| seen.marker), kind != BucketKind::Unversioned);
    }
}

#[tokio::test]
async fn a_full_account_has_everything_the_contract_names() {
    let photolala = start(BucketKind::Versioned).await;
    let account = Account::seeded(1);
    Fixture::of(&account).versions(240).uploads(2).schedule_entry().fill(&photolala).await.unwrap();
    let snapshot = photolala.snapshot().await;
    let (upper, lower) = (account.upper(), account.lower());
    let names = |prefix: String, end: &str| {
        snapshot.0.keys().any(|place| place.key.starts_with(&prefix) && place.key.ends_with(end))
    };
    for (prefix, end) in [
        (format!("photos/{upper}/"), ".dat"),
        (format!("thumbnails/{upper}/"), ".jpg"),
        (format!("catalogs/{upper}/.photolala."), ".csv"),
        (format!("catalogs/{upper}/"), ".photolala.md5"),
        (format!("users/{upper}/"), "status.json"),
        (format!("users/{upper}/"), "profile.json"),
        (format!("metadata/{lower}/"), ".plist"),
        (format!("users/{lower}/photos/"), ".jpg"),
        (format!("thumbnails/{lower}/"), ".dat"),
        ("identities/apple:".to_owned(), ""),
        ("identities/google:".to_owned(), ""),
        ("emails/".to_owned(), ""),
        ("scheduled-deletions/".to_owned(), ".json"),
    ] {
        assert!(names(prefix.clone(), end), "{prefix}…{end}");
    }
    assert!(snapshot.0.values().any(|seen| seen.marker && seen.latest));
    assert!(snapshot.0.values().any(|seen| !seen.marker && !seen.latest));
    assert!(snapshot.0.values().any(|seen| seen.class == "DEEP_ARCHIVE"));
    assert_eq!(snapshot.0.keys().filter(|place| place.upload).count(), 2);
}

#[tokio::test]
async fn a_persons_own_photos_are_stored_as_they_are() {
    let photolala = start(BucketKind::Unversioned).await;
    let account = Account::seeded(1);
    let photos = vec![Photo { body: b"not even a JPEG".to_vec(), format: "PNG".to_owned() }];
    Fixture::of(&account).photos(photos).fill(&photolala).await.unwrap();
    let store = photolala.local().s3_store().unwrap();
    let keys = store.keys(photolala.bucket(), &format!("photos/{}/", account.upper())).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(store.body(photolala.bucket(), &keys[0]).unwrap(), "not even a JPEG");
}

#[tokio::test]
async fn promises_see_one_object_too_few_and_one_too_many() {
    let photolala = start(BucketKind::Suspended).await;
    let account = Account::seeded(1);
    let store = photolala.local().s3_store().unwrap();
    Fixture::of(&account.neighbour()).versions(100).fill(&photolala).await.unwrap();
    for key in look_alikes(&account) {
        store.put(photolala.bucket(), &key, "x").unwrap();
    }
    let empty = photolala.snapshot().await;
    let scope = scope(&photolala, &account);
    nothing_left(&empty, &scope);
    Fixture::of(&account).versions(100).uploads(2).schedule_entry().fill(&photolala).await.unwrap();
    let full = photolala.snapshot().await;
    no_over_deletion(&full, &empty, &scope, &[]);
    assert_eq!(full.0.iter().filter(|(place, seen)| scope.owns(place, seen)).count(), 100 + 2 + 1 + 4);
    for (place, seen) in full.0.iter().filter(|(place, seen)| scope.owns(place, seen)) {
        let mut left = empty.clone();
        left.0.insert(place.clone(), seen.clone());
        assert!(std::panic::catch_unwind(|| nothing_left(&left, &scope)).is_err(), "{place}");
    }
    for place in empty.0.keys() {
        let mut fewer = empty.clone();
        fewer.0.remove(place);
        assert!(std::panic::catch_unwind(|| no_over_deletion(&full, &fewer, &scope, &[])).is_err(), "{place}");
    }
}
