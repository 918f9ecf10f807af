import { CfnOutput, Stack, StackProps } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { Environment, manifestBucketName } from './environment';
import { ManifestBucket } from './manifest-bucket';
import { NoticeBus } from './notice-bus';

export interface StateStackProps extends StackProps {
  readonly environment: Environment;
}

/** What must outlive code. */
export class StateStack extends Stack {
  constructor(scope: Construct, id: string, props: StateStackProps) {
    super(scope, id, {
      ...props,
      description: 'photolala-deletion: records, receipts and the bus of notices',
      terminationProtection: true,
    });
    const { bucket } = new ManifestBucket(this, 'ManifestBucket', {
      bucketName: manifestBucketName(props.environment),
    });
    const { bus } = new NoticeBus(this, 'NoticeBus', { environment: props.environment });
    new CfnOutput(this, 'ManifestBucketName', { value: bucket.bucketName });
    new CfnOutput(this, 'NoticeBusArn', { value: bus.attrArn });
  }
}
