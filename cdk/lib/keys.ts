import { Environment, PhotoBucket } from './environment';

/** Where the service keeps its own objects in the manifest bucket, as `lambdas/domain/src/layout.rs` names them. */
export const OWN = {
  records: 'records/',
  requests: 'requests/',
  runs: 'runs/',
  days: 'days/',
  jobs: 'jobs/',
  receipts: 'receipts/',
  pages: 'pages/',
  manifests: 'manifests/',
  outcomes: 'outcomes/',
  reports: 'reports/',
} as const;

/** An account id as IAM can say it: 36 characters with the hyphens of a UUID, in either spelling. */
const ANY_ACCOUNT = '????????-????-????-????-????????????';

/** Keys of whatever lies under an account's prefixes. No pattern covers a prefix above the account. */
export function accountKeys(environment: Environment): string[] {
  return environment.accountPrefixes.map((template) => `${template.replace('{account}', ANY_ACCOUNT)}*`);
}

/** Keys of an account's status (`status_keys` in `lambdas/domain/src/layout.rs`). */
export const STATUS_KEYS = `users/${ANY_ACCOUNT}/status.json`;

/** Keys of mappings, which lead from a sign-in to an account. */
export function mappingKeys(environment: Environment): string[] {
  return environment.mappingPrefixes.map((prefix) => `${prefix}*`);
}

/** Keys of schedule entries. */
export function entryKeys(environment: Environment): string[] {
  return [`${environment.schedulePrefix}*`];
}

/** ARN of a bucket. */
export function bucketArn(bucket: Pick<PhotoBucket, 'name'>): string {
  return `arn:aws:s3:::${bucket.name}`;
}

/** ARNs of these keys in each of these buckets. */
export function objectArns(buckets: readonly Pick<PhotoBucket, 'name'>[], keys: readonly string[]): string[] {
  return buckets.flatMap((bucket) => keys.map((key) => `${bucketArn(bucket)}/${key}`));
}
