import { Environment, manifestBucketName } from './environment';
import { Grant, ownedBy } from './grants';
import { accountKeys, bucketArn, objectArns, OWN } from './keys';

/** What the eraser may do. It reads no photo, lists no photo bucket, and writes nothing but outcomes. */
export function eraserGrants(environment: Environment): Grant[] {
  const bucket = { name: manifestBucketName(environment) };
  const owned = ownedBy(environment.awsAccount);
  const wildcard = 'These are objects of the service itself, named by random ids.';
  return [
    {
      sid: 'EraseAccounts',
      actions: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:GetObjectRetention', 's3:GetObjectLegalHold'],
      resources: objectArns(environment.buckets, accountKeys(environment)),
      conditions: owned,
      wildcard: 'Everything under an account prefix belongs to one account, and any account may be erased.',
    },
    {
      sid: 'ReadPagesAndRecords',
      actions: ['s3:GetObject'],
      resources: objectArns([bucket], [`${OWN.pages}*`, `${OWN.records}*`]),
      conditions: owned,
      wildcard,
    },
    {
      // Only so that S3 answers 404 to the read of a page or record that is gone: a 403 would be tried again and
      // again. Such a read carries no prefix, and AWS has no key that tells it from a listing: hence "IfExists".
      sid: 'TellAbsentFromForbidden',
      actions: ['s3:ListBucket'],
      resources: [bucketArn(bucket)],
      conditions: { ...owned, StringLikeIfExists: { 's3:prefix': [`${OWN.pages}*`, `${OWN.records}*`] } },
    },
    {
      sid: 'WriteOutcomes',
      actions: ['s3:PutObject'],
      resources: objectArns([bucket], [`${OWN.outcomes}*`]),
      conditions: owned,
      wildcard,
    },
  ];
}
