import { Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';

/** Something a role may do, and why its resources cannot be told one by one where they hold a `*`. */
export interface Grant {
  /** Names the statement in the policy. */
  readonly sid: string;
  /** AWS's names of the actions, without wildcards. */
  readonly actions: readonly string[];
  /** ARNs, or patterns of ARNs. */
  readonly resources: readonly string[];
  /**
   * When the grant holds.
   * @default always
   */
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
  /**
   * The reason for a `*` among the resources; cdk-nag wants one.
   * @default no resource holds a `*`
   */
  readonly wildcard?: string;
}

/** Adds grants to a role, a statement each. No role gets `kms:*`: every bucket uses SSE-S3. */
export function addGrants(role: iam.Role, grants: readonly Grant[]): void {
  for (const { sid, actions, resources, conditions, wildcard } of grants) {
    role.addToPolicy(
      new iam.PolicyStatement({
        sid,
        actions: [...actions],
        resources: [...resources],
        conditions: conditions && { ...conditions },
      }),
    );
    if (wildcard !== undefined) {
      for (const resource of resources.filter((arn) => arn.includes('*'))) {
        Validations.of(role).acknowledge({ id: `AwsSolutions-IAM5[Resource::${resource}]`, reason: wildcard });
      }
    }
  }
}

/** The condition that a resource belongs to this AWS account: a bucket that fell into other hands is out of reach. */
export function ownedBy(awsAccount: string) {
  return { StringEquals: { 'aws:ResourceAccount': awsAccount } };
}
