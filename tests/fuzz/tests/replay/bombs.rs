//! Inputs that are too large for a corpus: deep nests and long lists are handled or refused, quickly and in a small stack.

use fuzz_targets::TARGETS;

/// More than anything that is read here has when it is honest, a full page apart.
const LONG: usize = 64 * 1024;

/// Places of a body where an app may write anything.
const AROUND: [(&str, &str); 6] = [
    ("", ""),
    (r#"{"userId":"#, "}"),
    (r#"{"type":"immediate","hints":"#, "}"),
    (r#"{"accountStatus":"active","theme":"#, "}"),
    (r#"{"requestContext":{"http":"#, "}}"),
    ("2026-01-05/11111111-2222-4333-8444-555555555555.json\n{\"later\":", "}"),
];

fn all(inner: &str) {
    for (before, after) in AROUND {
        let input = format!("{before}{inner}{after}");
        for (_, target) in TARGETS {
            target(input.as_bytes());
        }
    }
}

#[test]
fn deep_nests_are_refused() {
    for depth in [126, 127, 128, 20_000] {
        all(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        all(&format!("{}0{}", r#"{"a":"#.repeat(depth), "}".repeat(depth)));
        all(&"[".repeat(depth));
    }
}

#[test]
fn long_lists_are_read_or_refused() {
    let zeros = "0,".repeat(LONG / 2);
    all(&format!("[{zeros}0]"));
    all(&format!("\"{}\"", "x".repeat(LONG)));
}
