use std::collections::BTreeSet;

use domain::ids::BucketName;
use domain::keys::{EncodedKey, ObjectKey, encode};
use domain::manifest::Manifest;

/// A key on the wire, and a manifest of the lines as keys: what S3 Batch Operations reads is what was written.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = EncodedKey(text).decode() {
        assert_eq!(EncodedKey(&encode(key.as_str())).decode(), Ok(key), "a key, encoded and decoded");
    }
    let bucket = BucketName::parse("manifests").expect("a sound name");
    let keys: BTreeSet<_> = text.split('\n').map(ObjectKey::new).collect();
    if let Some(manifest) = Manifest::of(&bucket, keys.iter().cloned().collect()) {
        assert_eq!(rows(&manifest), keys.into_iter().collect::<Vec<_>>(), "each key once, in order");
    }
}

/// The keys of a manifest, read by a CSV reader that knows quotes, and decoded once.
fn rows(manifest: &Manifest) -> Vec<ObjectKey> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(manifest.csv().as_bytes());
    let row = |row: Result<csv::StringRecord, csv::Error>| {
        let row = row.expect("rows of equal length");
        assert_eq!((row.len(), &row[0]), (2, "manifests"));
        EncodedKey(&row[1]).decode().expect("what was encoded")
    };
    reader.records().map(row).collect()
}
