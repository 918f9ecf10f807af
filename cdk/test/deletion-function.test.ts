import { may, statementsOf } from './iam';
import { functionNamed, only, onlyId, roleNamed, synthesized } from './support';
import { environment, REPLICA } from './variants';
import { OWN } from '../lib/keys';
import { deletionVariables } from '../lib/variables';

const NAME = 'photolala-deletion-production';
const ID = '0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9';
const PROD = 'arn:aws:s3:::photolala-prod';
const MANIFEST = 'arn:aws:s3:::photolala-deletion-production-000000000000';
const service = () => synthesized('production').service;
const statements = () => statementsOf(service(), NAME);
const can = (action: string, resource: string, keys?: Record<string, string>) =>
  may(statements(), { action, resource, keys });
const batchRole = () => roleNamed(service(), 'photolala-deletion-batch-production')[0];

test('it runs the prebuilt executable with time to plan the largest account', () => {
  expect(functionNamed(service(), NAME)[1].Properties).toMatchObject({
    Runtime: 'provided.al2023',
    Architectures: ['x86_64'],
    MemorySize: 1024,
    Timeout: 900,
  });
});

test('it knows its settings, and of the eraser the numbered version', () => {
  const version = onlyId(service(), 'AWS::Lambda::Version');
  expect(functionNamed(service(), NAME)[1].Properties.Environment.Variables).toEqual({
    ...deletionVariables(environment('production'), '', ''),
    ERASER_FUNCTION_ARN: { Ref: version },
    BATCH_ROLE_ARN: { 'Fn::GetAtt': [batchRole(), 'Arn'] },
  });
});

test('its variables fit into the 4 KB that AWS Lambda allows', () => {
  const variables = deletionVariables(environment('production'), 'a'.repeat(140), 'a'.repeat(140));
  expect(Object.entries(variables).flat().join('').length).toBeLessThan(4096);
});

test('an event that fails is tried twice more, then kept as a dead letter', () => {
  const queue = onlyId(service(), 'AWS::SQS::Queue');
  const arn = { 'Fn::GetAtt': [queue, 'Arn'] };
  expect(only(service(), 'AWS::Lambda::EventInvokeConfig').Properties).toEqual({
    FunctionName: { Ref: functionNamed(service(), NAME)[0] },
    Qualifier: '$LATEST',
    MaximumRetryAttempts: 2,
    MaximumEventAgeInSeconds: 3600,
    DestinationConfig: { OnFailure: { Destination: arn } },
  });
  expect(can('sqs:SendMessage', `${queue}.Arn`)).toBe(true);
});

test('it may list versions of account prefixes, mappings and entries, and no prefix above an account', () => {
  const lists = (prefix: string) => can('s3:ListBucketVersions', PROD, { 's3:prefix': prefix });
  for (const prefix of [
    `photos/${ID}/`,
    `users/${ID.toLowerCase()}/status.json`,
    'identities/',
    'emails/x',
    'scheduled-deletions/',
  ]) {
    expect([prefix, lists(prefix)]).toEqual([prefix, true]);
  }
  for (const prefix of ['', 'photos/', 'photos/0A1B', `photos/${ID}`, 'other/', 'users/']) {
    expect([prefix, lists(prefix)]).toEqual([prefix, false]);
  }
  expect(can('s3:ListBucketVersions', PROD)).toBe(false);
});

test('it may read no photo: of a photo bucket only statuses, mappings and entries', () => {
  for (const action of ['s3:GetObject', 's3:GetObjectVersion']) {
    expect(can(action, `${PROD}/photos/${ID}/x`)).toBe(false);
    expect(can(action, `${PROD}/users/${ID}/profile.json`)).toBe(false);
    expect(can(action, `${PROD}/identities/apple:1`)).toBe(true);
  }
  expect(can('s3:GetObject', `${PROD}/users/${ID}/status.json`)).toBe(true);
});

test('of a photo bucket it may write only statuses, mappings put back, and schedule entries', () => {
  const writes = (key: string) => can('s3:PutObject', `${PROD}/${key}`);
  expect(writes(`users/${ID}/status.json`)).toBe(true);
  expect(writes('identities/apple:1')).toBe(true);
  expect(writes(`scheduled-deletions/2026-01-01/${ID}.json`)).toBe(true);
  for (const key of [`photos/${ID}/x`, `users/${ID}/profile.json`, 'scheduled-deletions', 'x']) {
    expect([key, writes(key)]).toEqual([key, false]);
  }
});

test('it may erase account prefixes, mappings and entries, and nothing else of a photo bucket', () => {
  for (const action of ['s3:DeleteObject', 's3:DeleteObjectVersion']) {
    for (const key of [
      `photos/${ID}/x`,
      'identities/apple:1',
      'emails/x',
      `scheduled-deletions/2026-01-01/${ID}.json`,
    ]) {
      expect([key, can(action, `${PROD}/${key}`)]).toEqual([key, true]);
    }
    for (const key of ['photos/x', 'x', `other/${ID}/x`]) {
      expect([key, can(action, `${PROD}/${key}`)]).toEqual([key, false]);
    }
  }
});

test('it may read and mark statuses of primary and legacy buckets, never of a replica', () => {
  const other = statementsOf(synthesized('replicated').service, NAME);
  const marks = (bucket: string) =>
    may(other, { action: 's3:PutObject', resource: `arn:aws:s3:::${bucket}/users/${ID}/status.json` });
  expect(['photolala-prod', 'photolala', REPLICA.name].map(marks)).toEqual([true, true, false]);
  expect(
    may(other, {
      action: 's3:DeleteObjectVersion',
      resource: `arn:aws:s3:::${REPLICA.name}/users/${ID}/status.json`,
    }),
  ).toBe(true);
});

test('it may write entries into primary and legacy buckets, and from a replica only remove them', () => {
  const other = statementsOf(synthesized('replicated').service, NAME);
  const does = (action: string) =>
    ['photolala-prod', 'photolala', REPLICA.name].filter((bucket) =>
      may(other, { action, resource: `arn:aws:s3:::${bucket}/scheduled-deletions/2026-01-01/${ID}.json` }),
    );
  expect(does('s3:PutObject')).toEqual(['photolala-prod', 'photolala']);
  expect(does('s3:DeleteObjectVersion')).toEqual(['photolala-prod', 'photolala', REPLICA.name]);
});

test('it reaches neither bucket of another environment: not the manifests, not the photos', () => {
  for (const bucket of ['photolala-stage', 'photolala-deletion-staging-000000000000']) {
    for (const key of ['scheduled-deletions/2026-01-01/x.json', `users/${ID}/status.json`, 'records/x', 'days/x']) {
      for (const action of ['s3:GetObject', 's3:PutObject', 's3:DeleteObject']) {
        const resource = `arn:aws:s3:::${bucket}/${key}`;
        expect([action, resource, can(action, resource)]).toEqual([action, resource, false]);
      }
    }
  }
});

test('in the manifest bucket each prefix has its own rights, and a receipt cannot be removed', () => {
  const able = (action: string) => Object.keys(OWN).filter((p) => can(action, `${MANIFEST}/${p}/x`));
  const kept = ['records', 'requests', 'runs', 'days', 'jobs', 'receipts'];
  expect(able('s3:GetObject')).toEqual([...kept, 'pages', 'outcomes', 'reports']);
  expect(able('s3:PutObject')).toEqual([...kept, 'pages', 'manifests']);
  expect(able('s3:DeleteObject')).toEqual(['records', 'requests', 'pages', 'manifests', 'outcomes', 'reports']);
  expect(able('s3:DeleteObjectVersion')).toEqual(['pages', 'manifests', 'outcomes', 'reports']);
});

test('it can tell an absent object from a forbidden one', () => {
  expect(can('s3:ListBucket', PROD)).toBe(true);
  expect(can('s3:ListBucket', MANIFEST)).toBe(true);
  const lists = (prefix: string) => can('s3:ListBucket', PROD, { 's3:prefix': prefix });
  const status = `users/${ID}/status.json`;
  const entry = `scheduled-deletions/2026-01-01/${ID}.json`;
  expect([status, entry, 'emails/x', `photos/${ID}/`, ''].filter(lists)).toEqual([status, entry, 'emails/x']);
});

test('it may create jobs that invoke a function, in its region only', () => {
  const creates = (operation: string, region: string) =>
    can('s3:CreateJob', '*', { 's3:RequestJobOperation': operation, 'aws:RequestedRegion': region });
  expect(creates('LambdaInvoke', 'us-east-1')).toBe(true);
  expect(creates('S3PutObjectCopy', 'us-east-1')).toBe(false);
  expect(creates('LambdaInvoke', 'eu-west-1')).toBe(false);
  expect(can('s3:DescribeJob', 'arn:aws:s3:us-east-1:000000000000:job/x')).toBe(true);
  expect(can('s3:UpdateJobStatus', 'arn:aws:s3:us-east-1:000000000000:job/x')).toBe(false);
});

test('it may pass the Batch role only, and only to Batch Operations', () => {
  const role = `${batchRole()}.Arn`;
  const passes = (resource: string, to: string) => can('iam:PassRole', resource, { 'iam:PassedToService': to });
  expect(passes(role, 'batchoperations.s3.amazonaws.com')).toBe(true);
  expect(passes(role, 'lambda.amazonaws.com')).toBe(false);
  expect(passes('arn:aws:iam::000000000000:role/admin', 'batchoperations.s3.amazonaws.com')).toBe(false);
});

test('it may invoke itself, and not the eraser', () => {
  const invokes = (name: string) =>
    can('lambda:InvokeFunction', `arn:aws:lambda:us-east-1:000000000000:function:${name}`);
  expect(invokes(NAME)).toBe(true);
  expect(invokes('photolala-eraser-production')).toBe(false);
  expect(invokes('photolala-deletion-staging')).toBe(false);
});

test('its policy fits into the 10,240 characters of a role, with a third bucket too', () => {
  const { service: replicated } = synthesized('replicated');
  expect(JSON.stringify(statementsOf(replicated, NAME)).length).toBeLessThan(10_000);
});

test('the deletion function may do nothing but what its code calls', () => {
  const actions = statements().flatMap((s) => s.Action);
  expect([...new Set(actions)].sort()).toEqual([
    'events:PutEvents',
    'iam:PassRole',
    'lambda:InvokeFunction',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
    's3:AbortMultipartUpload',
    's3:CreateJob',
    's3:DeleteObject',
    's3:DeleteObjectVersion',
    's3:DescribeJob',
    's3:GetBucketVersioning',
    's3:GetEncryptionConfiguration',
    's3:GetObject',
    's3:GetObjectLegalHold',
    's3:GetObjectRetention',
    's3:GetObjectVersion',
    's3:ListBucket',
    's3:ListBucketMultipartUploads',
    's3:ListBucketVersions',
    's3:ListJobs',
    's3:PutObject',
    'sqs:SendMessage',
  ]);
});
