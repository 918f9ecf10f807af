use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{job::Job, options::Options};

/// The two events a job makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventName {
    JobCreated,
    JobStatusChanged,
}

/// The EventBridge envelope of a CloudTrail service event about the job as it is now.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-examples-event-bridge-cloud-trail.html>.
pub(crate) fn envelope(name: EventName, job: &Job, options: &Options, now: Timestamp) -> Value {
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "version": "0",
        "id": Uuid::new_v4(),
        "detail-type": "AWS Service Event via CloudTrail",
        "source": "aws.s3",
        "account": options.account,
        "time": time,
        "region": options.region,
        "resources": [],
        "detail": {
            "eventVersion": "1.05",
            "userIdentity": { "accountId": options.account, "invokedBy": "s3.amazonaws.com" },
            "eventTime": time,
            "eventSource": "s3.amazonaws.com",
            "eventName": format!("{name:?}"),
            "awsRegion": options.region,
            "sourceIPAddress": "s3.amazonaws.com",
            "userAgent": "s3.amazonaws.com",
            "eventID": Uuid::new_v4(),
            "readOnly": false,
            "eventType": "AwsServiceEvent",
            "serviceEventDetails": details(job),
        },
    })
}

fn details(job: &Job) -> Value {
    json!({
        "jobId": job.id,
        "jobArn": job.arn,
        "status": job.status.as_str(),
        "jobEventId": Uuid::new_v4().simple().to_string(),
        "failureCodes": job.failures.iter().map(|failure| failure.code).collect::<Vec<_>>(),
        "statusChangeReason": job.status_update_reason.iter().collect::<Vec<_>>(),
    })
}
