//! Listings: order, pages, markers, delimiters.

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use local_s3::Versioning;

use crate::access::Recorder;
use crate::{BUCKET, Local, START, refused};

#[tokio::test]
async fn versions_of_one_second_keep_their_order() {
    let local = Local::new(Versioning::Enabled);
    let mut ids: Vec<String> = (0..20).map(|_| local.store().put(BUCKET, "a", "x").unwrap()).collect();
    ids.reverse();
    let listed = local.client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let listed_ids: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
    assert_eq!(listed_ids, ids);
    let latest: Vec<_> = listed.versions().iter().filter_map(|version| version.is_latest()).collect();
    assert_eq!(latest.iter().position(|latest| *latest), Some(0));
    assert_eq!(latest.iter().filter(|latest| **latest).count(), 1);
}

#[tokio::test]
async fn a_key_marker_alone_starts_after_the_key() {
    let local = Local::new(Versioning::Enabled);
    for key in ["a", "b", "b", "c"] {
        local.store().put(BUCKET, key, "x").unwrap();
    }
    let listed = local.client.list_object_versions().bucket(BUCKET).key_marker("b").send().await.unwrap();
    let keys: Vec<_> = listed.versions().iter().filter_map(|version| version.key()).collect();
    assert_eq!(keys, ["c"]);
}

#[tokio::test]
async fn a_version_marker_needs_a_key_marker() {
    let local = Local::new(Versioning::Enabled);
    let list = || local.client.list_object_versions().bucket(BUCKET);
    assert_eq!(refused(list().version_id_marker("null").send().await), (400, "InvalidArgument".into()));
    let malformed = list().key_marker("a").version_id_marker("v1").send().await;
    assert_eq!(refused(malformed), (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn a_listing_goes_on_after_a_version_that_was_erased() {
    let local = Local::with_pages_of(Versioning::Enabled, 2);
    for _ in 0..5 {
        local.store().put(BUCKET, "a", "x").unwrap();
    }
    let list = || local.client.list_object_versions().bucket(BUCKET);
    let mut page = list().send().await.unwrap();
    let mut seen = 0;
    loop {
        for version in page.versions() {
            seen += 1;
            local.store().erase(BUCKET, "a", version.version_id().unwrap()).unwrap();
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        let next = list().key_marker(page.next_key_marker().unwrap());
        page = next.version_id_marker(page.next_version_id_marker().unwrap()).send().await.unwrap();
    }
    assert_eq!((seen, local.store().count(BUCKET, "").unwrap()), (5, 0));
}

#[tokio::test]
async fn a_listing_leaves_nothing_out_after_a_null_version_that_was_erased() {
    let local = Local::new(Versioning::Unversioned);
    local.put("a", "x").await;
    local.store().set_versioning(BUCKET, Versioning::Enabled).unwrap();
    let newer = local.put("a", "x").await.unwrap();
    let list = || async {
        let list = local.client.list_object_versions().bucket(BUCKET).key_marker("a").version_id_marker("null");
        list.send().await.unwrap().versions.unwrap_or_default()
    };
    assert!(list().await.is_empty(), "the null version is the oldest");
    local.store().erase(BUCKET, "a", "null").unwrap();
    assert_eq!(list().await[0].version_id(), Some(newer.as_str()));
}

#[tokio::test]
async fn objects_are_listed_page_by_page_in_byte_order() {
    let local = Local::with_pages_of(Versioning::Enabled, 2);
    for key in ["b", "a/2", "😀", "é", "a/1", "a"] {
        local.store().put(BUCKET, key, "x").unwrap();
    }
    local.store().put(BUCKET, "hidden/1", "x").unwrap();
    local.store().delete(BUCKET, "hidden/1").unwrap();
    let list = |delimiter: Option<&str>| {
        let list = local.client.list_objects_v2().bucket(BUCKET).set_delimiter(delimiter.map(str::to_owned));
        list.into_paginator().send()
    };
    let (mut keys, mut pages) = (Vec::new(), list(None));
    while let Some(page) = pages.next().await {
        keys.extend(page.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)));
    }
    assert_eq!(keys, ["a", "a/1", "a/2", "b", "é", "😀"]);
    let (mut names, mut pages) = (Vec::new(), list(Some("/")));
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        names.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        names.extend(page.common_prefixes().iter().filter_map(|common| common.prefix().map(str::to_owned)));
    }
    assert_eq!(names, ["a", "a/", "b", "é", "😀"]);
}

#[tokio::test]
async fn the_first_listing_api_pages_by_marker() {
    let local = Local::with_pages_of(Versioning::Unversioned, 2);
    for key in ["a/1", "a/2", "b", "c"] {
        local.store().put(BUCKET, key, "x").unwrap();
    }
    let list = || local.client.list_objects().bucket(BUCKET).delimiter("/");
    let first = list().send().await.unwrap();
    assert_eq!((first.common_prefixes()[0].prefix(), first.contents()[0].key()), (Some("a/"), Some("b")));
    let second = list().marker(first.next_marker().unwrap()).send().await.unwrap();
    assert_eq!((second.contents()[0].key(), second.is_truncated()), (Some("c"), Some(false)));
    let after_prefix = list().marker("a/").send().await.unwrap();
    assert!(after_prefix.common_prefixes().is_empty());
}

#[tokio::test]
async fn max_keys_is_kept_to() {
    let local = Local::new(Versioning::Unversioned);
    for key in ["a", "b", "c"] {
        local.store().put(BUCKET, key, "x").unwrap();
    }
    let list = |max: i32| local.client.list_objects_v2().bucket(BUCKET).max_keys(max);
    let two = list(2).send().await.unwrap();
    assert_eq!((two.contents().len(), two.key_count(), two.is_truncated()), (2, Some(2), Some(true)));
    let none = list(0).send().await.unwrap();
    assert_eq!((none.contents().len(), none.is_truncated()), (0, Some(false)));
    assert_eq!(refused(list(-1).send().await), (400, "InvalidArgument".into()));
    let start_after = list(9).start_after("b").send().await.unwrap();
    assert_eq!(start_after.contents().len(), 1);
}

#[tokio::test]
async fn moments_have_seconds_and_the_clock_can_be_moved() {
    let local = Local::new(Versioning::Unversioned);
    local.pass(86_400);
    local.put("a", "x").await;
    let recorder = Recorder::new(&local);
    recorder.client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let (_, response) = recorder.last();
    assert_eq!(response.headers()["date"], "Fri, 02 Jan 2026 00:00:00 GMT");
    assert!(response.headers().contains_key("x-amz-request-id"));
    let xml = String::from_utf8(response.into_body().into()).unwrap();
    assert!(xml.contains("<LastModified>2026-01-02T00:00:00.000Z</LastModified>"), "{xml}");
    let listed = local.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let modified = listed.contents()[0].last_modified().unwrap();
    assert_eq!(modified, &DateTime::from_secs(START + 86_400));
    assert_eq!(modified.fmt(DateTimeFormat::DateTime).unwrap(), "2026-01-02T00:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn the_sdk_works_under_a_paused_clock() {
    let local = Local::new(Versioning::Enabled);
    local.put("a", "x").await;
    let listed = local.client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.versions().len(), 1);
}
