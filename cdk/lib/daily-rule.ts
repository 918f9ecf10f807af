import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { Environment } from './environment';

export interface DailyRuleProps {
  readonly environment: Environment;
  readonly deletion: lambda.IFunction;
  readonly deadLetters: sqs.IQueue;
}

/**
 * The scheduled run, when the environment says. The event is EventBridge's own, unchanged: the function knows it by its
 * `detail-type`, "Scheduled Event". A day that is missed is caught up by the next run.
 */
export class DailyRule extends Construct {
  readonly rule: events.Rule;

  constructor(scope: Construct, id: string, { environment, deletion, deadLetters }: DailyRuleProps) {
    super(scope, id);
    this.rule = new events.Rule(this, 'Rule', {
      description: 'Erases every account that is due',
      schedule: events.Schedule.expression(environment.scheduleExpression),
      targets: [
        new targets.LambdaFunction(deletion, {
          deadLetterQueue: deadLetters,
          retryAttempts: 2,
          maxEventAge: Duration.hours(1),
        }),
      ],
    });
  }
}
