//! Notices: what the rest of the product is told about a deletion, on a bus of its own.

use serde_json::{Value, json};

use crate::ids::{AccountId, DeletionId};

/// The source of every notice.
pub const SOURCE: &str = "photolala.deletion";

/// What is told. It may come more than once; the deletion id tells repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Before the first sign-in is severed. The one place where this service names an account to somebody else: the
    /// back end needs it to keep the address for its last e-mail.
    Claimed(AccountId),
    /// Nothing was left at the second look either.
    Completed,
    /// Object Lock keeps something.
    Held,
}

impl Notice {
    /// The detail type on the bus.
    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::Claimed(_) => "claimed",
            Self::Completed => "completed",
            Self::Held => "held",
        }
    }

    /// The detail.
    pub fn detail(&self, deletion: &DeletionId, environment: &str) -> Value {
        let mut detail = json!({ "deletionId": deletion, "environment": environment });
        if let Self::Claimed(account) = self {
            detail["userId"] = account.canonical().into();
        }
        detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_claim_names_the_account() {
        let account = AccountId::parse("0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9").unwrap();
        let deletion = DeletionId::new(uuid::Uuid::from_u128(1));
        let names = |notice: Notice| notice.detail(&deletion, "development").to_string().contains("0A1B2C3D");
        assert!(names(Notice::Claimed(account)));
        assert!(!names(Notice::Completed) && !names(Notice::Held));
    }
}
