import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { OWN } from './keys';

export interface ManifestBucketProps {
  /** The bucket's name, which the functions know from their settings. */
  readonly bucketName: string;
}

/** Days until what a deletion left behind goes by itself. S3 Batch Operations forgets its jobs after 90. */
const LEFTOVER_DAYS = 30;

/**
 * The service's own bucket. Records, requests and receipts stay until the service removes them; pages, manifests, outcomes and
 * reports, which it removes at the end of a deletion, go after 30 days whatever happens, and so do the days' counts.
 */
export class ManifestBucket extends Construct {
  readonly bucket: s3.Bucket;

  constructor(scope: Construct, id: string, props: ManifestBucketProps) {
    super(scope, id);
    this.bucket = new s3.Bucket(this, 'Bucket', {
      bucketName: props.bucketName,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      // S3 Batch Operations reads no CSV manifest that a KMS key encrypts.
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      // A record or page that was removed must be gone, since it names an account. Conditional writes need no versions.
      versioned: false,
      // Kept, except where its own creation is rolled back: a bucket left behind would stand in the way of the next try.
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      lifecycleRules: [
        ...[OWN.pages, OWN.manifests, OWN.outcomes, OWN.reports, OWN.days].map(leftovers),
        { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Access logs would keep the keys of records, which name accounts, after the records are gone.',
    });
  }
}

function leftovers(prefix: string): s3.LifecycleRule {
  return { id: prefix.replace('/', ''), prefix, expiration: Duration.days(LEFTOVER_DAYS) };
}
