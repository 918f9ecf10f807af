import { CfnOutput, Stack, StackProps } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { AlarmTopic } from './alarm-topic';
import { Alarms } from './alarms';
import { BatchRole } from './batch-role';
import { DailyRule } from './daily-rule';
import { Dashboard } from './dashboard';
import { DeadLetterQueue } from './dead-letter-queue';
import { DeletionFunction } from './deletion-function';
import { Environment } from './environment';
import { EraserFunction } from './eraser-function';
import { FunctionUrl } from './function-url';
import { JobStatusRule } from './job-status-rule';
import { ReconcileRule } from './reconcile-rule';

export interface ServiceStackProps extends StackProps {
  readonly environment: Environment;
  /** Folder of the prebuilt functions: `<function>/bootstrap`. */
  readonly bootstraps: string;
}

/** What runs. It holds no state and may be removed and deployed again; photo buckets are only named in policies. */
export class ServiceStack extends Stack {
  constructor(scope: Construct, id: string, props: ServiceStackProps) {
    super(scope, id, { ...props, description: 'photolala-deletion: functions, rules and alarms' });
    const { environment, bootstraps } = props;
    const deadLetterQueueName = `photolala-deletion-${environment.name}-dead-letters`;
    const deadLetters = new DeadLetterQueue(this, 'DeadLetters', { queueName: deadLetterQueueName }).queue;
    const eraser = new EraserFunction(this, 'Eraser', { environment, bootstraps });
    const batchRole = new BatchRole(this, 'Batch', { environment });
    const deletion = new DeletionFunction(this, 'Deletion', {
      environment,
      bootstraps,
      eraser: eraser.version,
      batchRoleArn: batchRole.role.roleArn,
      deadLetters,
    });
    const reconcile = new ReconcileRule(this, 'Reconcile', { deletion: deletion.function, deadLetters });
    const daily = new DailyRule(this, 'Daily', { environment, deletion: deletion.function, deadLetters });
    const { url } = new FunctionUrl(this, 'Url', { environment, deletion: deletion.function });
    if (environment.jobStatusRule) {
      new JobStatusRule(this, 'JobStatus', { deletion: deletion.function, deadLetters });
    }
    const { topic } = new AlarmTopic(this, 'AlarmTopic', { environment });
    const { names } = new Alarms(this, 'Alarms', {
      environment,
      topic,
      deadLetterQueueName,
      deletionLogGroup: deletion.logGroup,
    });
    const dashboard = new Dashboard(this, 'Dashboard', { environment, alarmNames: names, deadLetterQueueName });
    this.tell({
      DeletionFunctionName: deletion.function.functionName,
      EraserFunctionName: eraser.function.functionName,
      EraserVersionArn: eraser.version.functionArn,
      DeletionRoleArn: deletion.role.roleArn,
      EraserRoleArn: eraser.role.roleArn,
      BatchRoleArn: batchRole.role.roleArn,
      ReconcileRuleName: reconcile.rule.ruleName,
      DailyRuleName: daily.rule.ruleName,
      FunctionUrl: url,
      DeadLetterQueueUrl: deadLetters.queueUrl,
      AlarmTopicArn: topic.topicArn,
      DashboardUrl: `https://${environment.region}.console.aws.amazon.com/cloudwatch/home#dashboards:name=${dashboard.name}`,
    });
  }

  /** Stack outputs, for people and for `bin/deploy`. */
  private tell(outputs: Record<string, string>): void {
    for (const [name, value] of Object.entries(outputs)) {
      new CfnOutput(this, name, { value });
    }
  }
}
