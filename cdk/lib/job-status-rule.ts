import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface JobStatusRuleProps {
  readonly deletion: lambda.IFunction;
  readonly deadLetters: sqs.IQueue;
}

/**
 * Tells the deletion function at once that a job ended. These events come by way of CloudTrail, so an AWS account
 * without a trail gets none (EventBridge User Guide, "AWS service events delivered via AWS CloudTrail"); reconcile
 * finds the end in any case.
 */
export class JobStatusRule extends Construct {
  constructor(scope: Construct, id: string, { deletion, deadLetters }: JobStatusRuleProps) {
    super(scope, id);
    new events.Rule(this, 'Rule', {
      description: 'An S3 Batch Operations job ended',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['AWS Service Event via CloudTrail'],
        detail: {
          eventSource: ['s3.amazonaws.com'],
          eventName: ['JobStatusChanged'],
          serviceEventDetails: { status: ['Complete', 'Failed', 'Cancelled'] },
        },
      },
      targets: [
        new targets.LambdaFunction(deletion, {
          deadLetterQueue: deadLetters,
          retryAttempts: 3,
          maxEventAge: Duration.hours(1),
        }),
      ],
    });
  }
}
