import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Environment } from './environment';

/** Namespace of the functions' own metrics (`lambdas/aws/src/metrics.rs`). */
const NAMESPACE = 'Photolala/Deletion';

/** What the functions measure themselves. */
export type OwnMetric =
  | 'DeletionsCompleted'
  | 'DeletionsFailed'
  | 'DeletionsHeld'
  | 'VersionsErased'
  | 'BytesErased'
  | 'Retries'
  | 'Throttles'
  | 'Duration'
  | 'EraserRefusals'
  | 'RecordsFailed'
  | 'RecordsHeld'
  | 'ScheduledRuns'
  | 'Due'
  | 'Claimed'
  | 'Cancelled'
  | 'Quarantined'
  | 'Remaining'
  | 'OldestOverdueSeconds'
  | 'CapReached'
  | 'LateActive'
  | 'FarOff';

/**
 * The metrics of an environment, by the names AWS and the functions give them. None has a label: the CDK would write an
 * alarm on it as a metric query, which not every reader of templates knows.
 */
export class Metrics {
  constructor(private readonly environment: Environment) {}

  own(metricName: OwnMetric, statistic = cloudwatch.Stats.SUM, period = Duration.minutes(5)): cloudwatch.Metric {
    const dimensionsMap = { Environment: this.environment.name };
    return new cloudwatch.Metric({ namespace: NAMESPACE, metricName, dimensionsMap, statistic, period });
  }

  /** Of one of the two functions. */
  function(
    which: 'deletion' | 'eraser',
    metricName: 'Invocations' | 'Errors' | 'Throttles' | 'Duration',
  ): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/Lambda',
      metricName,
      dimensionsMap: { FunctionName: this.environment.functions[which] },
      statistic: metricName === 'Duration' ? cloudwatch.Stats.p(99) : cloudwatch.Stats.SUM,
    });
  }

  /** Requests of the app that were answered with 500 or 503; counted from the log, since the answer is no failure. */
  failedRequests(): cloudwatch.Metric {
    const { namespace, metricName } = this.failedRequestsFilter;
    return new cloudwatch.Metric({ namespace, metricName, statistic: cloudwatch.Stats.SUM });
  }

  /** How the log tells of a failed request (`lambdas/deletion/src/handler.rs`). A filter knows no fixed dimension. */
  get failedRequestsFilter() {
    const namespace = `${NAMESPACE}/${this.environment.name}`;
    return { namespace, metricName: 'RequestsFailed', field: '$.message', message: 'an app-facing request failed' };
  }

  /** Messages that wait in the dead-letter queue. */
  deadLetters(queueName: string): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/SQS',
      metricName: 'ApproximateNumberOfMessagesVisible',
      dimensionsMap: { QueueName: queueName },
      statistic: cloudwatch.Stats.MAXIMUM,
    });
  }
}
