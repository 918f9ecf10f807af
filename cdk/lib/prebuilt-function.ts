import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { prebuilt } from './bootstrap';
import { Environment } from './environment';
import { addGrants, Grant } from './grants';

export interface PrebuiltFunctionProps {
  readonly environment: Environment;
  readonly functionName: string;
  readonly description: string;
  /** Folder of the executable `bootstrap`. */
  readonly folder: string;
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly variables: Record<string, string>;
  /** What it may do, apart from writing its own log. */
  readonly grants: readonly Grant[];
  /**
   * How many may run at once; these are taken from the AWS account's concurrency.
   * @default no reservation
   */
  readonly reservedConcurrency?: number;
}

/** A function of ours with its role and log group: one shape for both, and everything by environment. */
export class PrebuiltFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: PrebuiltFunctionProps) {
    super(scope, id);
    const { environment, functionName } = props;
    this.logGroup = new logs.LogGroup(this, 'LogGroup', {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: environment.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new iam.Role(this, 'Role', {
      roleName: functionName,
      description: props.description,
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    });
    addGrants(this.role, [...props.grants, ownLog(environment, functionName)]);
    this.function = new lambda.Function(this, 'Function', {
      functionName,
      description: props.description,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: environment.architecture === 'arm64' ? lambda.Architecture.ARM_64 : lambda.Architecture.X86_64,
      code: prebuilt(props.folder, environment.architecture),
      handler: 'bootstrap',
      role: this.role,
      memorySize: props.memorySize,
      timeout: props.timeout,
      reservedConcurrentExecutions: props.reservedConcurrency,
      environment: props.variables,
      logGroup: this.logGroup,
      // The functions write JSON lines themselves; Lambda's JSON format would wrap their metrics beyond recognition.
      loggingFormat: lambda.LoggingFormat.TEXT,
      tracing: environment.tracing === 'on' ? lambda.Tracing.ACTIVE : lambda.Tracing.DISABLED,
      // A numbered version outlives the deploy that replaces it, but not a roll-back of the deploy that made it.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    });
    if (environment.tracing === 'on') {
      const reason = 'AWS X-Ray has no resources to name in a policy.';
      Validations.of(this.role).acknowledge({ id: 'AwsSolutions-IAM5[Resource::*]', reason });
    }
  }
}

function ownLog({ awsAccount, region }: Environment, functionName: string): Grant {
  return {
    sid: 'WriteOwnLog',
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    resources: [`arn:aws:logs:${region}:${awsAccount}:log-group:/aws/lambda/${functionName}:*`],
    wildcard: 'AWS Lambda chooses the names of log streams.',
  };
}
