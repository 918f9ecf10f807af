use domain::ids::AccountId;
use domain::mapping::{Recognizer, Seen, account_in};

/// The body of a mapping.
pub fn mapping(data: &[u8]) {
    let ours = AccountId::parse("11111111-2222-4333-8444-55555555555A").expect("a good id");
    let seen = Recognizer::new(&[ours], true).read(data);
    let named = account_in(data);
    assert_eq!(seen == Seen::Account(ours), named == Some(ours), "ours if it names us");
    if let Some(account) = named {
        let text = std::str::from_utf8(data).expect("an account is named in UTF-8").trim();
        assert!(account.canonical().eq_ignore_ascii_case(text), "the whole body is the id");
    }
}
