import { Environment, manifestBucketName } from './environment';
import { Grant, ownedBy } from './grants';
import { accountKeys, bucketArn, entryKeys, mappingKeys, objectArns, OWN, STATUS_KEYS } from './keys';
import { NOTICE_SOURCE, noticeBusArn } from './notice-bus';

/** What the deletion function may do; each action is one that `lambdas/aws` calls. */
export function deletionGrants(environment: Environment, batchRoleArn: string): Grant[] {
  return [
    ...inPhotoBuckets(environment),
    ...inManifestBucket(environment),
    ...aboutJobs(environment, batchRoleArn),
    sendNotices(environment),
  ];
}

const LOCKS = ['s3:GetObjectRetention', 's3:GetObjectLegalHold'];

function inPhotoBuckets(environment: Environment): Grant[] {
  const { buckets } = environment;
  const arns = buckets.map(bucketArn);
  const owned = ownedBy(environment.awsAccount);
  const listed = [...accountKeys(environment), ...mappingKeys(environment), ...entryKeys(environment)];
  // What a replica holds is S3's copy: it is erased, but a status there is never marked, and no entry written.
  const written = buckets.filter((bucket) => bucket.role !== 'replica');
  return [
    {
      sid: 'ListVersions',
      actions: ['s3:ListBucketVersions'],
      resources: arns,
      conditions: { ...owned, StringLike: { 's3:prefix': listed } },
    },
    {
      // AWS has no condition key for the prefix of this action: it covers the whole bucket (Service Authorization
      // Reference, "Actions, resources, and condition keys for Amazon S3").
      sid: 'ListUploads',
      actions: ['s3:ListBucketMultipartUploads'],
      resources: arns,
      conditions: owned,
    },
    {
      sid: 'SeeBucketSettings',
      actions: ['s3:GetBucketVersioning', 's3:GetEncryptionConfiguration'],
      resources: arns,
      conditions: owned,
    },
    {
      // Without this action S3 answers 403, not 404, to a read of an absent key (API reference, "GetObject"). Such a
      // read carries no prefix, and AWS has no key that tells it from a listing without one: hence "IfExists".
      sid: 'TellAbsentFromForbidden',
      actions: ['s3:ListBucket'],
      resources: arns,
      conditions: {
        ...owned,
        StringLikeIfExists: { 's3:prefix': [...mappingKeys(environment), STATUS_KEYS, ...entryKeys(environment)] },
      },
    },
    {
      sid: 'EraseAccounts',
      actions: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:AbortMultipartUpload', ...LOCKS],
      resources: objectArns(buckets, accountKeys(environment)),
      conditions: owned,
      wildcard: 'Everything under an account prefix belongs to one account, and any account may be erased.',
    },
    {
      sid: 'MarkStatus',
      actions: ['s3:GetObject', 's3:PutObject'],
      resources: objectArns(written, [STATUS_KEYS]),
      conditions: owned,
    },
    {
      // PutObject puts a sign-in back to the person it leads to now.
      sid: 'SeverMappings',
      actions: [
        's3:GetObject',
        's3:GetObjectVersion',
        's3:PutObject',
        's3:DeleteObject',
        's3:DeleteObjectVersion',
        ...LOCKS,
      ],
      resources: objectArns(buckets, mappingKeys(environment)),
      conditions: owned,
      wildcard: 'A mapping is named by its sign-in, so only its body tells whose it is.',
    },
    {
      // A delete with If-Match needs GetObject too (S3 User Guide, "How to perform conditional deletes").
      sid: 'RemoveScheduleEntries',
      actions: ['s3:GetObject', 's3:DeleteObject', 's3:DeleteObjectVersion'],
      resources: objectArns(buckets, entryKeys(environment)),
      conditions: owned,
      wildcard: 'Entries lie under their date, which is any.',
    },
    {
      sid: 'WriteScheduleEntries',
      actions: ['s3:PutObject'],
      resources: objectArns(written, entryKeys(environment)),
      conditions: owned,
      wildcard: 'An entry lies under its date, and any account may be scheduled.',
    },
  ];
}

function inManifestBucket(environment: Environment): Grant[] {
  const bucket = { name: manifestBucketName(environment) };
  const owned = ownedBy(environment.awsAccount);
  const keys = (...prefixes: string[]) =>
    objectArns(
      [bucket],
      prefixes.map((prefix) => `${prefix}*`),
    );
  const wildcard = 'These are objects of the service itself, named by random ids.';
  const { records, requests, runs, days, jobs, receipts, pages, manifests, outcomes, reports } = OWN;
  return [
    {
      // "IfExists" for the reason given at TellAbsentFromForbidden.
      sid: 'ListOwn',
      actions: ['s3:ListBucket'],
      resources: [bucketArn(bucket)],
      conditions: { ...owned, StringLikeIfExists: { 's3:prefix': Object.values(OWN).map((prefix) => `${prefix}*`) } },
    },
    {
      sid: 'ReadOwn',
      actions: ['s3:GetObject'],
      resources: keys(records, requests, runs, days, jobs, receipts, pages, outcomes, reports),
      conditions: owned,
      wildcard,
    },
    {
      sid: 'WriteOwn',
      actions: ['s3:PutObject'],
      resources: keys(records, requests, runs, days, jobs, receipts, pages, manifests),
      conditions: owned,
      wildcard,
    },
    {
      // Receipts, runs and the pointers of jobs stay for good.
      sid: 'RemoveRecords',
      actions: ['s3:DeleteObject'],
      resources: keys(records, requests),
      conditions: owned,
      wildcard,
    },
    {
      // DeleteObjects names the null version, which makes it a request for DeleteObjectVersion as well.
      sid: 'TidyUp',
      actions: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
      resources: keys(pages, manifests, outcomes, reports),
      conditions: owned,
      wildcard,
    },
  ];
}

function aboutJobs(environment: Environment, batchRoleArn: string): Grant[] {
  const { awsAccount, region, functions } = environment;
  const wildcard = 'AWS defines no resource for this action.';
  return [
    {
      sid: 'CreateEraserJobs',
      actions: ['s3:CreateJob'],
      resources: ['*'],
      conditions: { StringEquals: { 's3:RequestJobOperation': 'LambdaInvoke', 'aws:RequestedRegion': region } },
      wildcard,
    },
    {
      sid: 'FindJobs',
      actions: ['s3:ListJobs'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:RequestedRegion': region } },
      wildcard,
    },
    {
      sid: 'DescribeJobs',
      actions: ['s3:DescribeJob'],
      resources: [`arn:aws:s3:${region}:${awsAccount}:job/*`],
      wildcard: 'S3 Batch Operations chooses the ids of jobs.',
    },
    {
      sid: 'PassBatchRole',
      actions: ['iam:PassRole'],
      resources: [batchRoleArn],
      conditions: { StringEquals: { 'iam:PassedToService': 'batchoperations.s3.amazonaws.com' } },
    },
    {
      sid: 'HandOverToItself',
      actions: ['lambda:InvokeFunction'],
      resources: [`arn:aws:lambda:${region}:${awsAccount}:function:${functions.deletion}`],
    },
  ];
}

function sendNotices(environment: Environment): Grant {
  return {
    sid: 'SendNotices',
    actions: ['events:PutEvents'],
    resources: [noticeBusArn(environment)],
    // Every event of PutEvents has a source, so "IfExists" takes nothing away on AWS; the emulator of the rehearsal does
    // not know the key.
    conditions: { StringEqualsIfExists: { 'events:source': NOTICE_SOURCE } },
  };
}
