import { RemovalPolicy } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import { Environment, noticeBusName } from './environment';

export interface NoticeBusProps {
  readonly environment: Environment;
}

/** `source` of every notice; its `detail-type` is `claimed`, `completed` or `held`. */
export const NOTICE_SOURCE = 'photolala.deletion';

/** ARN of the notice bus. */
export function noticeBusArn(environment: Environment): string {
  const { awsAccount, region } = environment;
  return `arn:aws:events:${region}:${awsAccount}:event-bus/${noticeBusName(environment)}`;
}

/**
 * Where the service tells what it does, apart from all other events of the AWS account. It belongs to the state, since
 * rules of the sign-in back end hang on it, and those need not go when code does. No archive and no log: a `claimed`
 * notice names an account, and must not be kept. A rule's target has its own dead-letter queue, which its owner makes.
 */
export class NoticeBus extends Construct {
  readonly bus: events.CfnEventBus;

  constructor(scope: Construct, id: string, { environment }: NoticeBusProps) {
    super(scope, id);
    this.bus = new events.CfnEventBus(this, 'Bus', {
      name: noticeBusName(environment),
      description: 'Notices of photolala-deletion: claimed, completed, held',
      // In the bus itself, not a resource of its own: nothing can take the policy away and leave the bus.
      policy: { Version: '2012-10-17', Statement: [onlyTheDeletionFunction(environment)] },
    });
    // Kept, except where its own creation is rolled back.
    this.bus.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);
  }
}

/**
 * Refuses every other sender, whatever its own policies say: who believes a forged notice mails a stranger. The role is
 * told by its name, because the stack that makes it comes later, and may be made anew; as a principal IAM would want it
 * to exist. A session of a role has the role's ARN here (IAM User Guide, "aws:PrincipalArn"); a caller that has none,
 * such as an AWS service, is refused too, since a negated operator holds where the key is missing.
 */
function onlyTheDeletionFunction(environment: Environment): object {
  const { awsAccount, functions } = environment;
  return {
    Sid: 'OnlyTheDeletionFunctionSends',
    Effect: 'Deny',
    Principal: '*',
    Action: 'events:PutEvents',
    Resource: noticeBusArn(environment),
    Condition: { ArnNotEquals: { 'aws:PrincipalArn': `arn:aws:iam::${awsAccount}:role/${functions.deletion}` } },
  };
}
