import { join } from 'node:path';
import { Duration } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { deletionGrants } from './deletion-grants';
import { Environment } from './environment';
import { PrebuiltFunction } from './prebuilt-function';
import { deletionVariables } from './variables';

export interface DeletionFunctionProps {
  readonly environment: Environment;
  /** Folder that holds `photolala-deletion/bootstrap`. */
  readonly bootstraps: string;
  /** The numbered version of the eraser that new jobs invoke. */
  readonly eraser: lambda.IVersion;
  /** ARN of the role that S3 Batch Operations assumes. */
  readonly batchRoleArn: string;
  /** Where events go that failed for good. */
  readonly deadLetters: sqs.IQueue;
}

/** `photolala-deletion-<environment>`: decides, plans, submits, verifies and writes receipts. */
export class DeletionFunction extends PrebuiltFunction {
  constructor(scope: Construct, id: string, props: DeletionFunctionProps) {
    const { environment, batchRoleArn, deadLetters } = props;
    super(scope, id, {
      environment,
      functionName: environment.functions.deletion,
      description: 'Erases accounts: decides, plans, verifies, writes receipts',
      folder: join(props.bootstraps, 'photolala-deletion'),
      // It needs some 35 MB, but AWS Lambda gives processor time by memory, and a person waits for Delete Now.
      memorySize: 1024,
      // AWS Lambda's longest (Developer Guide, "Lambda quotas"): planning the largest accounts takes minutes.
      timeout: Duration.minutes(15),
      variables: deletionVariables(environment, props.eraser.functionArn, batchRoleArn),
      grants: [
        ...deletionGrants(environment, batchRoleArn),
        { sid: 'SendDeadLetters', actions: ['sqs:SendMessage'], resources: [deadLetters.queueArn] },
      ],
    });
    // Events of the daily, reconcile and job-status rules, and those the function sends itself.
    new lambda.CfnEventInvokeConfig(this, 'AsyncInvoke', {
      functionName: this.function.functionName,
      qualifier: '$LATEST',
      // Twice more, after a minute and after two (Developer Guide, "Asynchronous invocation").
      maximumRetryAttempts: 2,
      // An hour later reconcile has done the same a dozen times.
      maximumEventAgeInSeconds: Duration.hours(1).toSeconds(),
      destinationConfig: { onFailure: { destination: deadLetters.queueArn } },
    }).node.addDependency(this.role);
  }
}
