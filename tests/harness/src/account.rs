//! Accounts as the app and the sign-in back end know them.

use domain::ids::AccountId;
use domain::tally::hex;
use sha2::{Digest as _, Sha256};

/// A person's account with everything that could betray the person: all of it follows from the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    id: AccountId,
    /// What everything else about the person is made from.
    fingerprint: String,
}

/// A mapping: a key, and the body it is written with.
pub(crate) struct Mapping {
    pub key: String,
    pub body: String,
}

impl Account {
    /// The account of a seed: the same seed, the same account. Its id has letters, so it has two spellings.
    pub fn seeded(seed: u64) -> Self {
        let digest = Sha256::digest(seed.to_be_bytes());
        let mut bytes: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
        bytes[0] |= 0xa0;
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Self::of(AccountId::parse(&uuid.to_string()).expect("a UUID"))
    }

    /// The account of an id.
    pub fn of(id: AccountId) -> Self {
        Self { id, fingerprint: hex(&Sha256::digest(id.canonical())) }
    }

    /// Another account, whose id differs in the last character only.
    pub fn neighbour(&self) -> Self {
        let id = self.upper();
        let (head, last) = id.split_at(id.len() - 1);
        let last = u8::from_str_radix(last, 16).expect("a UUID ends with a hexadecimal digit") ^ 1;
        Self::of(AccountId::parse(&format!("{head}{last:X}")).expect("a UUID"))
    }

    /// The id.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The id as the current app spells it.
    pub fn upper(&self) -> String {
        self.id.canonical()
    }

    /// The id as v1 apps and the sign-in back end spell it.
    pub fn lower(&self) -> String {
        self.upper().to_lowercase()
    }

    /// The e-mail address, as the person wrote it.
    pub fn email(&self) -> String {
        format!("Person.{}@Photolala.Example", &self.fingerprint[..12])
    }

    /// The subject that Sign in with Apple knows the person by.
    pub fn apple_id(&self) -> String {
        format!("001234.{}.0815", &self.fingerprint[12..44])
    }

    /// The subject that Google knows the person by.
    pub fn google_id(&self) -> String {
        let digits = self.fingerprint.bytes().map(|b| char::from(b'0' + b % 10));
        digits.take(21).collect()
    }

    /// What the key of the e-mail mapping ends with.
    pub fn email_hash(&self) -> String {
        hex(&Sha256::digest(self.email().to_lowercase()))
    }

    /// Everything that names the person; none of it may ever be told.
    pub fn secrets(&self) -> Vec<String> {
        let email = self.email();
        let (lower, hash) = (email.to_lowercase(), self.email_hash());
        vec![self.upper(), self.lower(), email, lower, hash, self.apple_id(), self.google_id()]
    }

    /// The keys that lead to the account.
    pub fn mapping_keys(&self) -> Vec<String> {
        self.mappings().into_iter().map(|mapping| mapping.key).collect()
    }

    /// Mappings as their writers write them: the app in upper case, the back end in lower case, v1 with a newline.
    pub(crate) fn mappings(&self) -> Vec<Mapping> {
        vec![
            Mapping { key: format!("identities/apple:{}", self.apple_id()), body: self.upper() },
            Mapping { key: format!("identities/google:{}", self.google_id()), body: self.lower() },
            Mapping { key: format!("emails/{}", self.email_hash()), body: format!("{}\n", self.lower()) },
        ]
    }
}

/// Keys that look like the account's and belong to nobody: they must survive its deletion.
pub fn look_alikes(account: &Account) -> Vec<String> {
    let (upper, lower) = (account.upper(), account.lower());
    let shorter = &upper[..upper.len() - 1];
    vec![
        format!("photos/{upper}"),
        format!("photos/{upper}x/1.dat"),
        format!("photos/x{upper}/1.dat"),
        format!("photos/{shorter}/1.dat"),
        format!("photos//{upper}/1.dat"),
        format!("xphotos/{upper}/1.dat"),
        format!("Photos/{upper}/1.dat"),
        format!("{upper}/photos/1.dat"),
        format!("users/{lower}.json"),
        format!("thumbnails/{lower}x/1.jpg"),
        format!("scheduled-deletions/2026-01-05/{upper}.json.bak"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_an_account_with_two_spellings() {
        for seed in 0..100 {
            let account = Account::seeded(seed);
            assert_eq!(account.id().spellings().len(), 2, "{seed}");
            assert_eq!(account, Account::seeded(seed));
            assert_ne!(account, Account::seeded(seed + 1));
        }
    }

    #[test]
    fn a_neighbour_differs_in_one_character_and_shares_no_secret() {
        let (account, neighbour) = (Account::seeded(1), Account::seeded(1).neighbour());
        let differing = account.upper().bytes().zip(neighbour.upper().bytes()).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 1);
        assert_eq!(neighbour.neighbour(), account);
        assert!(account.secrets().iter().all(|secret| !neighbour.secrets().contains(secret)));
    }

    #[test]
    fn mappings_have_bodies_of_every_kind() {
        let account = Account::seeded(2);
        let bodies: Vec<String> = account.mappings().into_iter().map(|mapping| mapping.body).collect();
        assert_eq!(bodies, [account.upper(), account.lower(), account.lower() + "\n"]);
    }
}
