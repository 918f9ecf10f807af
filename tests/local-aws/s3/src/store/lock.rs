//! Object Lock: who may erase a version, and how its protection may change.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use jiff::Timestamp;

use super::Refusal;

/// The two modes of retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// May be bypassed by a caller who is allowed to and says so.
    Governance,
    /// Binds everybody until the date.
    Compliance,
}

/// A retention: nobody erases the version before `until`, but for the bypass of governance mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The mode.
    pub mode: Mode,
    /// The end of the retention.
    pub until: Timestamp,
}

impl Retention {
    /// Whether it still binds a caller.
    fn binds(self, now: Timestamp, bypass: bool) -> bool {
        now < self.until && !(bypass && self.mode == Mode::Governance)
    }
}

/// A bucket's default: each new version is retained for so many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultRetention {
    /// The mode.
    pub mode: Mode,
    /// Its length in days; a year given on the wire counts 365.
    pub days: i32,
}

impl DefaultRetention {
    pub(crate) fn starting(self, now: Timestamp) -> Retention {
        let until = now + jiff::SignedDuration::from_hours(24 * i64::from(self.days));
        Retention { mode: self.mode, until }
    }
}

/// What protects one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// The retention, if one was set.
    pub retention: Option<Retention>,
    /// The legal hold: `None` is "never set", `Some(false)` is "off".
    pub legal_hold: Option<bool>,
}

impl Protection {
    /// Refuses to erase what is protected. A bypass helps against governance only, never against a hold.
    pub fn allow_erasure(self, now: Timestamp, bypass: bool) -> Result<(), Refusal> {
        let retained = self.retention.is_some_and(|retention| retention.binds(now, bypass));
        if retained || self.legal_hold == Some(true) { Err(Refusal::Locked) } else { Ok(()) }
    }

    /// Changes the retention. It may always get longer; to weaken one that binds is refused.
    pub fn retain(&mut self, new: Option<Retention>, now: Timestamp, bypass: bool) -> Result<(), Refusal> {
        if let Some(old) = self.retention {
            let kept = new.is_some_and(|new| new.until >= old.until && new.mode == old.mode);
            if old.binds(now, bypass) && !kept {
                return Err(Refusal::Locked);
            }
        }
        self.retention = new;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_000, 0);
    const LATER: Timestamp = Timestamp::constant(2_000, 0);
    const LATEST: Timestamp = Timestamp::constant(3_000, 0);

    fn retained(mode: Mode, until: Timestamp) -> Protection {
        Protection { retention: Some(Retention { mode, until }), legal_hold: None }
    }

    #[test]
    fn compliance_binds_everybody_until_the_date() {
        let protection = retained(Mode::Compliance, LATER);
        assert!(protection.allow_erasure(NOW, true).is_err());
        assert!(protection.allow_erasure(LATER, false).is_ok());
    }

    #[test]
    fn governance_yields_to_a_bypass() {
        let protection = retained(Mode::Governance, LATER);
        assert!(protection.allow_erasure(NOW, false).is_err());
        assert!(protection.allow_erasure(NOW, true).is_ok());
    }

    #[test]
    fn a_hold_yields_to_nothing() {
        let protection = Protection { retention: None, legal_hold: Some(true) };
        assert!(protection.allow_erasure(LATEST, true).is_err());
    }

    #[test]
    fn a_retention_may_get_longer_but_not_weaker() {
        let mut protection = retained(Mode::Compliance, LATER);
        assert!(protection.retain(None, NOW, true).is_err());
        let weaker = Retention { mode: Mode::Governance, until: LATEST };
        assert!(protection.retain(Some(weaker), NOW, true).is_err());
        let longer = Retention { mode: Mode::Compliance, until: LATEST };
        assert!(protection.retain(Some(longer), NOW, false).is_ok());
        assert_eq!(protection.retention, Some(longer));
    }
}
