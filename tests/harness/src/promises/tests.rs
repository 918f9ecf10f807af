use std::collections::BTreeMap;

use super::*;
use crate::environment;
use crate::{Place, Seen};

fn account() -> Account {
    Account::seeded(7)
}

fn scope() -> Scope {
    Scope::of(&environment::load("development").unwrap(), &[&account()])
}

fn place(key: impl Into<String>, id: &str) -> Place {
    Place { bucket: "photolala-dev".into(), key: key.into(), upload: false, id: id.into() }
}

fn mapping(body: &str) -> Seen {
    Seen { body: Some(body.to_owned()), ..Seen::default() }
}

fn snapshot<const N: usize>(entries: [(Place, Seen); N]) -> Snapshot {
    Snapshot(BTreeMap::from(entries))
}

fn panics(check: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(check).expect_err("the promise is broken and nobody noticed");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn what_lies_under_the_accounts_prefixes_may_go() {
    let (upper, lower) = (account().upper(), account().lower());
    let before = snapshot([
        (place(format!("photos/{upper}/1.dat"), "1"), Seen::default()),
        (place(format!("users/{lower}/status.json"), "1"), Seen::default()),
        (place(format!("scheduled-deletions/2026-01-05/{upper}.json"), "1"), Seen::default()),
        (place("identities/apple:1", "1"), mapping(&format!(" {lower}\n"))),
    ]);
    no_over_deletion(&before, &Snapshot::default(), &scope(), &[]);
}

#[test]
fn whatever_else_goes_or_comes_breaks_p1() {
    let neighbour = account().neighbour().upper();
    let mut keys = crate::look_alikes(&account());
    keys.extend([format!("photos/{neighbour}/1.dat"), "scheduled-deletions/2026-01-05/x.json".to_owned()]);
    for key in keys {
        let other = snapshot([(place(&key, "1"), Seen::default())]);
        for (before, after) in [(other.clone(), Snapshot::default()), (Snapshot::default(), other)] {
            let text = panics(|| no_over_deletion(&before, &after, &scope(), &[]));
            assert!(text.starts_with("P1") && text.contains(&key), "{text}");
        }
    }
    let other = snapshot([(place("identities/apple:1", "1"), mapping(&neighbour))]);
    panics(|| no_over_deletion(&other, &Snapshot::default(), &scope(), &[]));
    no_over_deletion(&other, &Snapshot::default(), &scope(), &["identities/apple:1"]);
}

#[test]
fn severing_may_cover_somebody_elses_old_link_and_no_more() {
    let key = "identities/apple:1";
    let (ours, theirs) = (mapping(&account().upper()), mapping(&account().neighbour().upper()));
    let marker = Seen { marker: true, ..Seen::default() };
    let before = snapshot([(place(key, "1"), theirs.clone()), (place(key, "2"), ours)]);
    let covered = snapshot([(place(key, "1"), theirs.clone()), (place(key, "3"), marker.clone())]);
    no_over_deletion(&before, &covered, &scope(), &[]);
    let put_back = snapshot([(place(key, "1"), theirs.clone()), (place(key, "3"), theirs.clone())]);
    no_over_deletion(&before, &put_back, &scope(), &[]);
    let opened = snapshot([(place(key, "1"), Seen { latest: true, ..theirs.clone() })]);
    panics(|| no_over_deletion(&before, &opened, &scope(), &[]));
    let erased = snapshot([(place(key, "3"), marker.clone())]);
    panics(|| no_over_deletion(&before, &erased, &scope(), &[]));
    let uncovered = snapshot([(place(key, "1"), theirs)]);
    panics(|| no_over_deletion(&covered, &uncovered, &scope(), &[]));
}

#[test]
fn anything_of_the_account_that_is_left_breaks_p2() {
    let (upper, lower) = (account().upper(), account().lower());
    nothing_left(&snapshot([(place(format!("photos/{upper}x"), "1"), Seen::default())]), &scope());
    let marker = Seen { marker: true, ..Seen::default() };
    let upload = Place { upload: true, ..place(format!("metadata/{upper}/1.plist"), "1") };
    for (place, seen) in [
        (place(format!("thumbnails/{lower}/1.jpg"), "1"), Seen::default()),
        (place(format!("catalogs/{upper}/.photolala.md5"), "1"), marker),
        (upload, Seen::default()),
        (place("emails/1", "1"), mapping(&lower)),
        (place(format!("scheduled-deletions/2026-01-05/{lower}.json"), "1"), Seen::default()),
    ] {
        let text = panics(|| nothing_left(&snapshot([(place.clone(), seen)]), &scope()));
        assert!(text.contains(&place.key), "{text}");
    }
}

fn receipt() -> Receipt {
    let deletion = "11111111-2222-4333-8444-555555555555";
    let proof = proof(&DeletionId::parse(deletion).unwrap(), &account().id());
    let json = serde_json::json!({
        "schema": 1, "deletionId": deletion, "proof": proof, "environment": "development", "kind": "immediate",
        "state": "complete", "claimedAt": null, "completedAt": "2026-01-02T03:04:05Z", "heldUntil": null,
        "method": "direct", "bytes": 5,
        "versions": {"listed": 3, "markers": 1, "erased": 2, "absent": 1, "held": 0},
        "groups": [{"bucket": "b", "prefix": "p", "class": "STANDARD", "count": 3, "bytes": 5}],
        "digest": "0".repeat(64), "uploads": 0, "mappings": {"erased": 0, "repaired": 0}, "entries": 0, "jobs": [],
        "attempts": 1, "buckets": [], "otherStores": [], "looks": ["2026-01-02T03:04:05Z"], "atLeast": false,
        "codeVersion": "0.1.0",
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn a_receipt_whose_sums_are_wrong_breaks_p3() {
    let check = |receipt: &Receipt| no_false_receipt(receipt, &Snapshot::default(), &account(), &scope());
    check(&receipt());
    let faults: [fn(&mut Receipt); 6] = [
        |r| r.versions.erased += 1,
        |r| r.versions.held = 1,
        |r| r.bytes += 1,
        |r| r.groups.clear(),
        |r| r.looks.clear(),
        |r| r.proof.push('0'),
    ];
    for spoil in faults {
        let mut receipt = receipt();
        spoil(&mut receipt);
        assert!(panics(|| check(&receipt)).starts_with("P3"));
    }
}

#[test]
fn a_complete_receipt_over_leftovers_breaks_p3() {
    let left = snapshot([(place(format!("photos/{}/1.dat", account().upper()), "1"), Seen::default())]);
    panics(|| no_false_receipt(&receipt(), &left, &account(), &scope()));
    let mut unfinished = receipt();
    unfinished.state = ReceiptState::Claimed;
    no_false_receipt(&unfinished, &left, &account(), &scope());
}
