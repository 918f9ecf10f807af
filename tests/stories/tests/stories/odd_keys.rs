//! Keys as people and programs make them: each reaches S3 exactly as it is, and none stands for another.

use harness::look_alikes;

use crate::app::{put, put_all};
use crate::stage::{Stage, only_in_memory, options, threshold};

/// Directly, and by a job.
const THRESHOLDS: [usize; 2] = [1_000, 10];

/// Names whose meaning changes when they are encoded once too often or too seldom, or stand in a CSV or in XML.
fn names_with_a_meaning_elsewhere() -> Vec<String> {
    let names = [
        "summer 2024.jpg",
        " leading and trailing ",
        "a b",
        "you&me",
        "you&amp;me",
        "\"quoted\"",
        "'quoted'",
        "<key>",
        "</Key>",
        "]]>",
        "a,b",
        "a;b=c?d#e",
        "?versions",
        "{account}",
        "null",
        "*",
        "~",
        "$(x)`y`|z",
    ];
    names.map(str::to_owned).to_vec()
}

/// What URL encoding gives a meaning.
fn names_of_url_encoding() -> Vec<String> {
    ["a b", "a+b", "a%20b", "a%2Bb", "a%2bb", "a%252Bb", "100%", "%", "%zz"].map(str::to_owned).to_vec()
}

fn names_in_other_scripts() -> Vec<String> {
    let names = ["été", "e\u{301}te\u{301}", "写真/夏.heic", "\u{1f469}\u{200d}\u{1f467}.jpg", "عطلة", "\u{202e}gpj"];
    names.map(str::to_owned).to_vec()
}

/// Names that no file system holds or reads otherwise (SeaweedFS takes a backslash for a slash), or that XML 1.0 can
/// hardly carry.
fn names_for_s3_only() -> Vec<String> {
    let names = [
        "a\\b",
        "line\nbreak",
        "line\r\nbreak",
        "carriage\rreturn",
        "tab\there",
        "\u{1}",
        "bell\u{7}",
        "escape\u{1b}[0m",
        "delete\u{7f}",
        "next\u{85}line",
        "not\u{fffe}a character",
        "not\u{ffff}a character",
        ".",
        "..",
        "./a",
        "../a",
        "a/../b",
        "a/./b",
        "a//b",
        "/a",
        "//",
        "folder/",
    ];
    names.map(str::to_owned).to_vec()
}

/// Fills up to the 1,024 bytes that a key may have, with letters of one to four bytes.
fn names_of_full_length(prefix: &str) -> Vec<String> {
    let room = 1_024 - prefix.len();
    ["x", "é", "写", "\u{1f5bc}"]
        .into_iter()
        .map(|letter| letter.repeat(room / letter.len()) + &"x".repeat(room % letter.len()))
        .collect()
}

/// The account has these names under two of its prefixes, its neighbour has the same.
async fn erases(names: impl Fn(&str) -> Vec<String>) {
    for versions in THRESHOLDS {
        let stage = Stage::set(threshold(options(), versions), 12).await;
        let mut added = 0;
        for id in [stage.account.upper(), stage.account.neighbour().upper(), stage.account.lower()] {
            for folder in ["photos", "metadata"] {
                let prefix = format!("{folder}/{id}/");
                let keys: Vec<String> = names(&prefix).iter().map(|name| format!("{prefix}{name}")).collect();
                put_all(&stage.photolala, &keys, "a photo").await;
                added += if id == stage.account.neighbour().upper() { 0 } else { keys.len() as u64 };
            }
        }
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        assert_eq!(answer.job_id().is_some(), versions == THRESHOLDS[1], "{}", answer.body);
        let receipt = stage.end(&answer).await;
        assert_eq!(receipt.versions.erased, 12 + added, "{receipt:?}");
        assert_eq!(receipt.attempts, 1, "a key was not erased when it was first asked for");
    }
}

/// P1, P2: signs of URL encoding are letters like any other.
#[tokio::test]
async fn plus_and_percent_signs_are_letters() {
    only_in_memory("SeaweedFS does not encode the keys of a listing that was asked for URL encoding");
    erases(|_| names_of_url_encoding()).await;
}

/// P1, P2: signs of URLs, XML and CSV are letters like any other.
#[tokio::test]
async fn signs_with_a_meaning_elsewhere_are_letters() {
    erases(|_| names_with_a_meaning_elsewhere()).await;
}

/// P1, P2: composed and combining letters are different keys, emoji and right-to-left marks are letters.
#[tokio::test]
async fn every_script_is_erased_as_it_is_spelled() {
    erases(|_| names_in_other_scripts()).await;
}

/// P1, P2: control characters, and what a file system would read as a path.
#[tokio::test]
async fn control_characters_and_path_segments_are_letters() {
    only_in_memory("servers that keep keys as file names do not hold these");
    erases(|_| names_for_s3_only()).await;
}

/// P1, P2: keys of full length.
#[tokio::test]
async fn keys_of_full_length_are_erased() {
    only_in_memory("servers that keep keys as file names have shorter ones");
    erases(names_of_full_length).await;
}

/// P1: keys that hold the id elsewhere, or a little more or less of it, are nobody's and stay.
#[tokio::test]
async fn look_alikes_survive() {
    only_in_memory("servers that keep keys as file names cannot hold a key and keys below it");
    for versions in THRESHOLDS {
        let stage = Stage::set(threshold(options(), versions), 12).await;
        let upper = stage.account.upper();
        let mut keys = look_alikes(&stage.account);
        keys.extend([
            format!("photos%2F{upper}/1.dat"),
            format!("photos/{upper}%2F1.dat"),
            format!("photos/{upper}%2f"),
            format!("photos/ {upper}/1.dat"),
            format!("photos/{upper} /1.dat"),
            format!("photos/{upper}+/1.dat"),
            format!("photos/../photos/{upper}/1.dat"),
            format!("photos/./{upper}/1.dat"),
            format!("photos/{}/1.dat", upper.replace('-', "")),
            format!("photos/{{{upper}}}/1.dat"),
            format!("identities/{upper}"),
        ]);
        for key in &keys {
            put(&stage.photolala, key, "somebody else's").await;
        }
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!(receipt.versions.erased, 12);
        for key in &keys {
            assert!(crate::app::get(&stage.photolala, key).await.is_some(), "{key:?} is gone");
        }
    }
}
