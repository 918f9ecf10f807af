use domain::ids::DeletionId;
use domain::keys::ObjectKey;
use domain::outcome::PageOutcome;
use domain::page::PageName;
use uuid::Uuid;

/// The key of a page, or of what became of it.
pub fn outcome(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let key = ObjectKey::new(text);
    if let Some(name) = PageName::parse(&key) {
        is_a_name(&name);
    }
    if let Some((page, outcome)) = PageOutcome::parse(&key) {
        adds_up(outcome);
        is_written_so(&page, outcome, &key);
    }
}

/// A page's name reads back from the page's key, and from its outcome's.
fn is_a_name(name: &PageName) {
    assert_eq!(PageName::parse(&name.key(&DeletionId::new(Uuid::from_u128(1)), 1)).as_ref(), Some(name));
    let outcome = PageOutcome::default();
    assert_eq!(PageOutcome::parse(&outcome.key("outcomes/", name)), Some((name.to_string(), outcome)));
}

/// The outcomes of a hundred million pages can be summed up.
fn adds_up(outcome: PageOutcome) {
    let hundred_million = |count: u64| count.checked_mul(100_000_000).expect("no sum of outcomes overflows");
    assert!(hundred_million(outcome.total()) >= outcome.erased);
}

/// Nobody but us names an outcome: one way to write each.
fn is_written_so(page: &str, outcome: PageOutcome, key: &ObjectKey) {
    let PageOutcome { erased, absent, held, denied, digest } = outcome;
    let name = format!("/{page}.{erased}-{absent}-{held}-{denied}-{}", digest.to_hex());
    assert!(key.as_str().ends_with(&name), "one way to write an outcome");
}
