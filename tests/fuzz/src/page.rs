use domain::page::{Page, VERSIONS_PER_PAGE};

use crate::silence;

/// The text of a page, unpacked.
pub fn page(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Page::parse(text) {
        Ok(page) => reads_back(&page),
        Err(refusal) => silence::check(&refusal, data),
    }
}

fn reads_back(page: &Page) {
    assert!((1..=VERSIONS_PER_PAGE).contains(&page.rows.len()), "{} versions", page.rows.len());
    assert!(page.rows.iter().all(|row| *row.version.bucket() == page.header.bucket), "one bucket");
    assert_eq!(Page::parse(&page.to_jsonl()).as_ref(), Ok(page), "as it was written");
}
