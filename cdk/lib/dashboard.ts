import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { Environment } from './environment';
import { Metrics, OwnMetric } from './metrics';

export interface DashboardProps {
  readonly environment: Environment;
  /** Names of the alarms to show. */
  readonly alarmNames: readonly string[];
  readonly deadLetterQueueName: string;
}

/** One screen: is anything wrong, what was erased, and how the functions do. */
export class Dashboard extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, { environment, alarmNames, deadLetterQueueName }: DashboardProps) {
    super(scope, id);
    this.name = `photolala-deletion-${environment.name}`;
    const metrics = new Metrics(environment);
    const { awsAccount, region } = environment;
    const graph = (title: string, left: cloudwatch.IMetric[], right: cloudwatch.IMetric[] = []) =>
      new cloudwatch.GraphWidget({ title, left, right, region, width: 8 });
    const dashboard = new cloudwatch.Dashboard(this, 'Dashboard', { dashboardName: this.name });
    const alarms = alarmNames.map((name, index) =>
      cloudwatch.Alarm.fromAlarmArn(this, `Alarm${index}`, `arn:aws:cloudwatch:${region}:${awsAccount}:alarm:${name}`),
    );
    dashboard.addWidgets(new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms, width: 24, height: 3 }));
    dashboard.addWidgets(
      graph('Deletions', [
        metrics.own('DeletionsCompleted'),
        metrics.own('DeletionsFailed'),
        metrics.own('DeletionsHeld'),
      ]),
      graph('Erased', [metrics.own('VersionsErased')], [metrics.own('BytesErased')]),
      graph('Time of a deletion', [
        metrics.own('Duration', cloudwatch.Stats.p(50)),
        metrics.own('Duration', cloudwatch.Stats.p(99)),
      ]),
    );
    const atMost = (name: OwnMetric) => metrics.own(name, cloudwatch.Stats.MAXIMUM);
    dashboard.addWidgets(
      graph(
        'Scheduled runs',
        [atMost('Due'), metrics.own('Claimed'), metrics.own('Cancelled'), atMost('Quarantined'), atMost('Remaining')],
        [atMost('OldestOverdueSeconds')],
      ),
      graph('Runs, and what is odd', [
        metrics.own('ScheduledRuns'),
        metrics.own('CapReached'),
        metrics.own('LateActive'),
        atMost('FarOff'),
      ]),
      graph('Waiting for reconcile', [atMost('RecordsFailed'), atMost('RecordsHeld')]),
    );
    dashboard.addWidgets(
      graph('S3', [metrics.own('Retries'), metrics.own('Throttles')]),
      graph(
        'Deletion function',
        [metrics.function('deletion', 'Invocations'), metrics.function('deletion', 'Errors')],
        [metrics.function('deletion', 'Duration')],
      ),
      graph(
        'Eraser',
        [metrics.function('eraser', 'Invocations'), metrics.function('eraser', 'Errors')],
        [metrics.function('eraser', 'Duration')],
      ),
    );
    dashboard.addWidgets(
      graph('Not served', [
        metrics.failedRequests(),
        metrics.own('EraserRefusals'),
        metrics.deadLetters(deadLetterQueueName).with({ label: 'dead letters' }),
      ]),
      graph('Not started', [
        metrics.function('deletion', 'Throttles').with({ label: 'deletion' }),
        metrics.function('eraser', 'Throttles').with({ label: 'eraser' }),
      ]),
    );
  }
}
