import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { Environment } from './environment';
import { Metrics, OwnMetric } from './metrics';

export interface AlarmsProps {
  readonly environment: Environment;
  /** Where alarms are told. */
  readonly topic: sns.ITopic;
  readonly deadLetterQueueName: string;
  /** Where the deletion function tells of requests it could not serve. */
  readonly deletionLogGroup: logs.ILogGroup;
}

/** An alarm: the name of its page in `cdk/RUNBOOK.md`, what it says, and when. */
interface Rule {
  readonly page: string;
  readonly says: string;
  readonly metric: cloudwatch.Metric;
  /** @default 1 */
  readonly threshold?: number;
  /** How many periods in a row. @default 1 */
  readonly periods?: number;
  /** Whether less than the threshold, or nothing at all, is the alarm. @default false */
  readonly silence?: boolean;
}

/** Every alarm of an environment. Each has its page in the runbook, and its description says which. */
export class Alarms extends Construct {
  /** Names of the alarms. */
  readonly names: string[];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const metrics = new Metrics(props.environment);
    const { namespace, metricName, field, message } = metrics.failedRequestsFilter;
    new logs.MetricFilter(this, 'FailedRequestsFilter', {
      metricNamespace: namespace,
      metricName,
      logGroup: props.deletionLogGroup,
      filterPattern: logs.FilterPattern.stringValue(field, '=', message),
      metricValue: '1',
    });
    const action = new SnsAction(props.topic);
    this.names = rules(metrics, props.deadLetterQueueName).map(
      ({ page, says, metric, threshold, periods, silence }) => {
        const alarmName = alarmNamed(props.environment, page);
        const alarm = new cloudwatch.Alarm(this, page, {
          alarmName,
          alarmDescription: `${says}. What to do: cdk/RUNBOOK.md#${page}`,
          metric,
          threshold: threshold ?? 1,
          evaluationPeriods: periods ?? 1,
          comparisonOperator: silence
            ? cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
            : cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
          // Nothing is measured while nothing is deleted.
          treatMissingData: silence ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
        });
        alarm.addAlarmAction(action);
        return alarmName;
      },
    );
  }
}

function alarmNamed(environment: Environment, page: string): string {
  return `photolala-deletion-${environment.name}-${page}`;
}

function rules(metrics: Metrics, deadLetterQueueName: string): Rule[] {
  const { SUM, MAXIMUM } = cloudwatch.Stats;
  // Each reconcile, every five minutes, counts the records of this state: the alarm stands as long as there is one.
  const standing = (name: 'RecordsFailed' | 'RecordsHeld') => metrics.own(name, MAXIMUM, Duration.minutes(15));
  // What a scheduled run found is true until the next one, a day later; so the alarm stands until then.
  const ofTheDay = (name: OwnMetric, statistic: string) => metrics.own(name, statistic, Duration.days(1));
  return [
    { page: 'failed-requests', says: 'A request of the app was not served', metric: metrics.failedRequests() },
    {
      page: 'deletion-function-errors',
      says: 'The deletion function failed',
      metric: metrics.function('deletion', 'Errors'),
    },
    {
      page: 'deletion-function-throttled',
      says: 'The deletion function was not started for lack of concurrency',
      metric: metrics.function('deletion', 'Throttles'),
    },
    { page: 'eraser-function-errors', says: 'The eraser failed', metric: metrics.function('eraser', 'Errors') },
    {
      page: 'eraser-refusals',
      says: 'The eraser refused a page that contradicts the facts',
      metric: metrics.own('EraserRefusals'),
    },
    { page: 'deletions-failed', says: 'A deletion could not be completed', metric: standing('RecordsFailed') },
    { page: 'deletions-held', says: 'Object Lock keeps versions of an account', metric: standing('RecordsHeld') },
    { page: 'dead-letters', says: 'An event failed for good', metric: metrics.deadLetters(deadLetterQueueName) },
    {
      page: 'no-scheduled-run',
      says: 'No scheduled run has ended well for 26 hours',
      // CloudWatch looks back seven days at most, and one day only if a period is shorter than an hour (API reference,
      // "PutMetricAlarm").
      metric: metrics.own('ScheduledRuns', SUM, Duration.hours(1)),
      periods: 26,
      silence: true,
    },
    {
      page: 'overdue',
      says: 'An account has been due, or a deletion under way, for more than a day',
      metric: ofTheDay('OldestOverdueSeconds', MAXIMUM),
      threshold: Duration.days(1).toSeconds(),
    },
    {
      page: 'quarantined',
      says: 'Requests contradict the facts and are not acted on',
      metric: ofTheDay('Quarantined', MAXIMUM),
    },
    { page: 'caps', says: 'More was due than may be claimed without a person', metric: ofTheDay('CapReached', SUM) },
    {
      page: 'late-active',
      says: 'A status said active after its account was claimed',
      metric: metrics.own('LateActive'),
    },
    {
      page: 'far-off',
      says: 'An entry is due days later than its grace period ends',
      metric: ofTheDay('FarOff', MAXIMUM),
    },
    // A few are normal while S3 spreads a bucket over more partitions.
    {
      page: 's3-slow-downs',
      says: 'S3 keeps asking for a slower pace',
      metric: metrics.own('Throttles'),
      threshold: 100,
      periods: 3,
    },
  ];
}
