use domain::ids::AccountId;
use domain::keys::ObjectKey;
use domain::layout::{AccountPrefix, PrefixTemplate, schedule_account};

/// What tells keys of accounts apart: a template, two accounts and a key, a line each.
pub fn layout(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (template, one, other, key) = (PrefixTemplate::parse(line()), line(), line(), line());
    let accounts = (AccountId::parse(one), AccountId::parse(other));
    if let (Some(template), (Ok(one), Ok(other))) = (template, accounts) {
        keeps_apart(&template, &one, &other, &ObjectKey::new(key));
    }
    if let Some(account) = schedule_account(&ObjectKey::new(key), "scheduled-deletions/") {
        assert!(key.to_uppercase().ends_with(&format!("/{}.JSON", account.canonical())), "the whole file name");
    }
}

/// A prefix is never empty, holds the account as one whole segment, and covers no key of anybody else.
fn keeps_apart(template: &PrefixTemplate, one: &AccountId, other: &AccountId, key: &ObjectKey) {
    let all = |account| AccountPrefix::all(std::slice::from_ref(template), account);
    for prefix in all(one) {
        let id = |segment: &str| segment.eq_ignore_ascii_case(&one.canonical());
        let segments: Vec<_> = prefix.as_str().strip_suffix('/').expect("a folder").split('/').collect();
        assert!(segments.len() > 1 && segments.iter().all(|segment| !segment.is_empty()), "a sound folder");
        assert!(id(segments[segments.len() - 1]), "the last segment is the account");
        assert_eq!(prefix.covers(key), key.as_str().starts_with(prefix.as_str()));
        let shared = all(other).iter().any(|others| prefix.covers(key) && others.covers(key));
        assert!(!shared || one == other, "a key of two accounts");
    }
}
