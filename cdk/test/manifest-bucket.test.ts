import { NAMES, only, resources, synthesized } from './support';

const bucket = () => only(synthesized('production').state, 'AWS::S3::Bucket');

test('each environment has a bucket of its own', () => {
  const names = NAMES.map((name) => only(synthesized(name).state, 'AWS::S3::Bucket').Properties.BucketName);
  expect(names).toEqual(NAMES.map((name) => `photolala-deletion-${name}-000000000000`));
});

test('nobody outside can read it, by policy or by access list', () => {
  expect(bucket().Properties.PublicAccessBlockConfiguration).toEqual({
    BlockPublicAcls: true,
    BlockPublicPolicy: true,
    IgnorePublicAcls: true,
    RestrictPublicBuckets: true,
  });
  expect(bucket().Properties.OwnershipControls.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }]);
});

test('it is encrypted with keys of S3, which S3 Batch Operations can read', () => {
  expect(bucket().Properties.BucketEncryption.ServerSideEncryptionConfiguration).toEqual([
    { ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } },
  ]);
});

test('it is spoken to by TLS 1.2 or later only', () => {
  const denied = only(synthesized('production').state, 'AWS::S3::BucketPolicy').Properties.PolicyDocument.Statement;
  expect(denied.map((s: any) => [s.Effect, s.Action, s.Principal, s.Condition])).toEqual([
    ['Deny', 's3:*', { AWS: '*' }, { Bool: { 'aws:SecureTransport': 'false' } }],
    ['Deny', 's3:*', { AWS: '*' }, { NumericLessThan: { 's3:TlsVersion': 1.2 } }],
  ]);
});

test('a removed record is gone: no versions are kept', () => {
  expect(bucket().Properties.VersioningConfiguration).toBeUndefined();
});

test('what a deletion leaves behind goes after 30 days; records, requests, runs, jobs and receipts stay', () => {
  const rules = bucket().Properties.LifecycleConfiguration.Rules as any[];
  const expiring = rules.filter((rule) => rule.ExpirationInDays !== undefined);
  expect(expiring.map((rule) => [rule.Prefix, rule.ExpirationInDays, rule.Status])).toEqual(
    ['pages/', 'manifests/', 'outcomes/', 'reports/', 'days/'].map((prefix) => [prefix, 30, 'Enabled']),
  );
  const others = rules.filter((rule) => !expiring.includes(rule));
  expect(others).toEqual([expect.objectContaining({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } })]);
});

test('it outlives its stack, but not a creation that is rolled back', () => {
  expect([bucket().DeletionPolicy, bucket().UpdateReplacePolicy]).toEqual(['RetainExceptOnCreate', 'Retain']);
});

test('beside it the state stack has the notice bus only, and no function', () => {
  expect(
    Object.values(synthesized('production').state.Resources)
      .map((r) => r.Type)
      .sort(),
  ).toEqual(['AWS::Events::EventBus', 'AWS::S3::Bucket', 'AWS::S3::BucketPolicy']);
  expect(resources(synthesized('production').service, 'AWS::S3::Bucket')).toEqual([]);
});
