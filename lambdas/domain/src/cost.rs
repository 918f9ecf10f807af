//! What a deletion costs, at list prices of us-east-1 in US dollars. An estimate, for the dry run.

use serde::Serialize;

use crate::Timestamp;
use crate::look::Listed;

const JOB: f64 = 0.25;
const TASK: f64 = 1.0e-6;
const LAMBDA_REQUEST: f64 = 0.2e-6;
const LAMBDA_GB_SECOND: f64 = 1.666_67e-5;
const ERASER_GB: f64 = 0.25;
const SECONDS_PER_PAGE: f64 = 1.0;
const PUT_OR_LIST: f64 = 5.0e-6;
const GET: f64 = 0.4e-6;
const VERSIONS_PER_REQUEST: u64 = crate::page::VERSIONS_PER_PAGE as u64;

/// The price of requests, and the fee for archived objects erased before their minimum duration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Requests, tasks and compute, in US dollars.
    pub requests_usd: f64,
    /// Remainder of minimum storage durations. Too low for objects that a lifecycle rule moved: a listing tells
    /// the time of upload, not of the move (S3 User Guide, "Understanding your AWS usage reports").
    pub early_deletion_usd: f64,
}

/// The price of the requests that erasing this many versions takes.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub fn requests_usd(versions: u64, by_job: bool) -> f64 {
    let pages = versions.div_ceil(VERSIONS_PER_REQUEST) as f64;
    let lists = 2.0 * (pages + 10.0) * PUT_OR_LIST;
    if !by_job {
        return lists + LAMBDA_REQUEST + LAMBDA_GB_SECOND * ERASER_GB * SECONDS_PER_PAGE;
    }
    let task = TASK + LAMBDA_REQUEST + LAMBDA_GB_SECOND * ERASER_GB * SECONDS_PER_PAGE + 2.0 * PUT_OR_LIST + GET;
    JOB + lists + pages * task
}

/// The fee for erasing one version now.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub fn early_deletion_usd(listed: &Listed, now: Timestamp) -> f64 {
    let (days, gb_month) = match listed.class.as_str() {
        "STANDARD_IA" => (30.0, 0.0125),
        "ONEZONE_IA" => (30.0, 0.01),
        "GLACIER_IR" => (90.0, 0.004),
        "GLACIER" => (90.0, 0.0036),
        "DEEP_ARCHIVE" => (180.0, 0.000_99),
        _ => return 0.0,
    };
    let age_days = (now.as_millisecond() - listed.modified_ms) as f64 / 86_400_000.0;
    let gigabytes = listed.size as f64 / 1_073_741_824.0;
    gigabytes * gb_month * (days - age_days).clamp(0.0, days) / 30.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_accounts_stay_within_the_promised_price() {
        assert!(requests_usd(100_000, true) <= 0.26);
        assert!(requests_usd(10_000_000, true) <= 0.55);
        assert!(requests_usd(240, false) < 0.001);
    }
}
