//! How many accounts scheduled runs have claimed on a day. All runs of a day share it, by conditional writes.

use serde::{Deserialize, Serialize};

use crate::ids::Nonce;

const SCHEMA: u32 = 1;

/// The count of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Day {
    schema: u32,
    /// Fresh with every write.
    pub nonce: Nonce,
    /// Claims made, and claims that some run has set aside for itself.
    pub claims: u32,
}

impl Day {
    /// Reads a count. One that cannot be read is an error: no count is no leave to claim.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let day: Self = serde_json::from_slice(json).map_err(|_| "the count of the day cannot be read".to_owned())?;
        if day.schema == SCHEMA { Ok(day) } else { Err(format!("the count of the day has schema {}", day.schema)) }
    }

    /// The count as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a count is plain JSON")
    }

    /// Sets aside up to `wanted` claims of what the cap leaves: the count to write, and how many that gives.
    pub fn take(before: Option<&Self>, wanted: u32, cap: u32, nonce: Nonce) -> (Self, u32) {
        let claims = before.map_or(0, |day| day.claims);
        let granted = wanted.min(cap.saturating_sub(claims));
        (Self { schema: SCHEMA, nonce, claims: claims + granted }, granted)
    }

    /// Gives back what was set aside and not used.
    pub fn give_back(&self, unused: u32, nonce: Nonce) -> Self {
        Self { nonce, claims: self.claims.saturating_sub(unused), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn runs_of_a_day_never_claim_more_than_the_cap(wanted in prop::collection::vec((0..50_u32, 0..50_u32), 0..20), cap in 0..200_u32) {
            let nonce = Nonce::new(Uuid::from_u128(1));
            let (mut day, mut used) = (None, 0);
            for (wanted, unused) in wanted {
                let (taken, granted) = Day::take(day.as_ref(), wanted, cap, nonce);
                prop_assert!(granted <= wanted);
                let unused = unused.min(granted);
                used += granted - unused;
                day = Some(taken.give_back(unused, nonce));
                prop_assert!(used <= cap);
            }
            prop_assert_eq!(day.map_or(0, |day| day.claims), used);
        }
    }

    #[test]
    fn a_count_that_cannot_be_read_is_no_leave_to_claim() {
        let (day, _) = Day::take(None, 3, 9, Nonce::new(Uuid::from_u128(1)));
        assert_eq!(Day::parse(&day.to_json()), Ok(day));
        assert!(Day::parse(b"{}").is_err());
        assert!(Day::parse(b"").is_err());
    }
}
