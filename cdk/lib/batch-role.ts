import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { Environment, manifestBucketName } from './environment';
import { addGrants, Grant, ownedBy } from './grants';
import { objectArns, OWN } from './keys';

export interface BatchRoleProps {
  readonly environment: Environment;
}

/** The role that S3 Batch Operations assumes: it reads a manifest, invokes the eraser, and writes the report. */
export class BatchRole extends Construct {
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, { environment }: BatchRoleProps) {
    super(scope, id);
    this.role = new iam.Role(this, 'Role', {
      roleName: `photolala-deletion-batch-${environment.name}`,
      description: 'S3 Batch Operations: manifest, eraser, report',
      assumedBy: new iam.ServicePrincipal('batchoperations.s3.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': environment.awsAccount } },
      }),
    });
    addGrants(this.role, batchGrants(environment));
  }
}

function batchGrants(environment: Environment): Grant[] {
  const { awsAccount, region, functions } = environment;
  const bucket = { name: manifestBucketName(environment) };
  const owned = ownedBy(awsAccount);
  return [
    {
      // Both actions are what AWS asks for (S3 User Guide, "Granting permissions for Batch Operations").
      sid: 'ReadManifests',
      actions: ['s3:GetObject', 's3:GetObjectVersion'],
      resources: objectArns([bucket], [`${OWN.manifests}*`]),
      conditions: owned,
      wildcard: 'A manifest is named by the random id of its run.',
    },
    {
      sid: 'WriteReports',
      actions: ['s3:PutObject'],
      resources: objectArns([bucket], [`${OWN.reports}*`]),
      conditions: owned,
      wildcard: 'S3 Batch Operations chooses the names of report files.',
    },
    {
      sid: 'InvokeEraserVersions',
      actions: ['lambda:InvokeFunction'],
      resources: [`arn:aws:lambda:${region}:${awsAccount}:function:${functions.eraser}:*`],
      wildcard: 'A job invokes the numbered version that was deployed when it was created.',
    },
  ];
}
