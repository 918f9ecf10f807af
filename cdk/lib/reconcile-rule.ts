import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface ReconcileRuleProps {
  readonly deletion: lambda.IFunction;
  readonly deadLetters: sqs.IQueue;
}

/** Every five minutes the deletion function takes up what waits; when nothing does, that is one listing. */
export class ReconcileRule extends Construct {
  readonly rule: events.Rule;

  constructor(scope: Construct, id: string, { deletion, deadLetters }: ReconcileRuleProps) {
    super(scope, id);
    this.rule = new events.Rule(this, 'Rule', {
      description: 'Takes up every deletion that waits',
      schedule: events.Schedule.rate(Duration.minutes(5)),
      targets: [
        new targets.LambdaFunction(deletion, {
          event: events.RuleTargetInput.fromObject({ type: 'reconcile' }),
          deadLetterQueue: deadLetters,
          retryAttempts: 3,
          // The next event does the same.
          maxEventAge: Duration.minutes(5),
        }),
      ],
    });
  }
}
