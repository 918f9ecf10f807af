use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};

/// When a scheduled rule fires, in UTC: `rate(5 minutes)` or a daily `cron(30 3 * * ? *)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Again and again after that time.
    Rate(SignedDuration),
    /// Every day at that hour and minute.
    Daily {
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        minute: u8,
    },
}

/// A schedule expression that is not served; the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSchedule(pub String);

impl Schedule {
    /// The first time after `before`.
    pub(crate) fn next_after(self, before: Timestamp) -> Timestamp {
        let next = match self {
            Self::Rate(period) => before.checked_add(period),
            Self::Daily { hour, minute } => {
                let day = before.as_second().div_euclid(DAY) * DAY;
                let today = day + i64::from(hour) * 3600 + i64::from(minute) * 60;
                let due = if today > before.as_second() { today } else { today + DAY };
                Timestamp::from_second(due)
            }
        };
        next.unwrap_or(Timestamp::MAX)
    }
}

/// Seconds of a day.
const DAY: i64 = 86_400;

impl FromStr for Schedule {
    type Err = UnknownSchedule;

    fn from_str(expression: &str) -> Result<Self, Self::Err> {
        rate(expression).or_else(|| daily(expression)).ok_or_else(|| UnknownSchedule(expression.to_owned()))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(period) if period.as_secs() == 60 => write!(f, "rate(1 minute)"),
            Self::Rate(period) => write!(f, "rate({} minutes)", period.as_secs() / 60),
            Self::Daily { hour, minute } => write!(f, "cron({minute} {hour} * * ? *)"),
        }
    }
}

impl std::error::Error for UnknownSchedule {}

impl fmt::Display for UnknownSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the schedule {} is not served; rate(n minutes|hours|days) and cron(M H * * ? *) are", self.0)
    }
}

/// One unit is written in the singular, more in the plural, as `EventBridge` wants it.
fn rate(expression: &str) -> Option<Schedule> {
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    let minutes = match (number, unit) {
        (1, "minute") | (2.., "minutes") => 1,
        (1, "hour") | (2.., "hours") => 60,
        (1, "day") | (2.., "days") => 24 * 60,
        _ => return None,
    };
    Some(Schedule::Rate(SignedDuration::from_secs(number.checked_mul(minutes * 60)?)))
}

fn daily(expression: &str) -> Option<Schedule> {
    let fields: Vec<&str> = expression.strip_prefix("cron(")?.strip_suffix(')')?.split(' ').collect();
    let [minute, hour, "*", "*", "?", "*"] = fields.as_slice() else { return None };
    let hour = hour.parse().ok().filter(|hour| *hour < 24)?;
    let minute = minute.parse().ok().filter(|minute| *minute < 60)?;
    Some(Schedule::Daily { hour, minute })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_eventbridge_writes_them() {
        let minutes = |n| Ok(Schedule::Rate(SignedDuration::from_mins(n)));
        assert_eq!("rate(5 minutes)".parse(), minutes(5));
        assert_eq!("rate(1 day)".parse(), minutes(24 * 60));
        assert_eq!("cron(30 3 * * ? *)".parse(), Ok(Schedule::Daily { hour: 3, minute: 30 }));
        for written in ["rate(5 minutes)", "rate(1 minute)", "cron(30 3 * * ? *)"] {
            assert_eq!(written.parse::<Schedule>().unwrap().to_string(), written);
        }
        for wrong in ["rate(1 minutes)", "rate(0 minutes)", "cron(0 24 * * ? *)", "cron(0 3 1 * ? *)", "at(now)"] {
            assert_eq!(wrong.parse::<Schedule>(), Err(UnknownSchedule(wrong.into())));
        }
    }

    #[test]
    fn the_next_time_is_always_later() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let daily = Schedule::Daily { hour: 3, minute: 30 };
        assert_eq!(daily.next_after(at("2026-01-01T03:29:59Z")), at("2026-01-01T03:30:00Z"));
        assert_eq!(daily.next_after(at("2026-01-01T03:30:00Z")), at("2026-01-02T03:30:00Z"));
        let rate = Schedule::Rate(SignedDuration::from_mins(5));
        assert_eq!(rate.next_after(at("2026-01-01T00:00:00Z")), at("2026-01-01T00:05:00Z"));
    }
}
