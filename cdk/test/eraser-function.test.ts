import { may, statementsOf } from './iam';
import { functionNamed, only, onlyId, resources, roleNamed, synthesized } from './support';
import { environment } from './variants';
import { OWN } from '../lib/keys';
import { eraserVariables } from '../lib/variables';

const NAME = 'photolala-eraser-production';
const ID = '0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9';
const MANIFEST = 'arn:aws:s3:::photolala-deletion-production-000000000000';
const statements = () => statementsOf(synthesized('production').service, NAME);
const properties = () => functionNamed(synthesized('production').service, NAME)[1].Properties;
const can = (action: string, resource: string, keys?: Record<string, string>) =>
  may(statements(), { action, resource, keys });

test('it runs the prebuilt executable as the environment says', () => {
  expect(properties()).toMatchObject({
    Runtime: 'provided.al2023',
    Handler: 'bootstrap',
    Architectures: ['x86_64'],
    MemorySize: 256,
    Timeout: 300,
    ReservedConcurrentExecutions: 4,
    LoggingConfig: { LogFormat: 'Text' },
  });
  expect(properties().Environment.Variables).toEqual(eraserVariables(environment('production')));
  expect(properties().TracingConfig).toBeUndefined();
});

test('architecture, tracing and concurrency are values of the environment', () => {
  const { Properties } = functionNamed(synthesized('arm64').service, NAME)[1];
  expect(Properties).toMatchObject({ Architectures: ['arm64'], TracingConfig: { Mode: 'Active' } });
  expect(Properties.ReservedConcurrentExecutions).toBeUndefined();
});

test('each deploy that changes the eraser makes a numbered version, and the earlier ones stay', () => {
  const { service } = synthesized('production');
  const version = only(service, 'AWS::Lambda::Version');
  expect([version.DeletionPolicy, version.UpdateReplacePolicy]).toEqual(['RetainExceptOnCreate', 'Retain']);
  expect(onlyId(synthesized('again').service, 'AWS::Lambda::Version')).toBe(onlyId(service, 'AWS::Lambda::Version'));
  expect(onlyId(synthesized('slower').service, 'AWS::Lambda::Version')).not.toBe(
    onlyId(service, 'AWS::Lambda::Version'),
  );
});

test('its log is kept as long as the environment says', () => {
  const logs = resources(synthesized('production').service, 'AWS::Logs::LogGroup');
  expect(logs.map((log) => [log.Properties.LogGroupName, log.Properties.RetentionInDays]).sort()).toEqual([
    ['/aws/lambda/photolala-deletion-production', 90],
    [`/aws/lambda/${NAME}`, 90],
  ]);
});

test('only AWS Lambda assumes its role', () => {
  const [, role] = roleNamed(synthesized('production').service, NAME);
  expect(role.Properties.AssumeRolePolicyDocument.Statement).toEqual([
    { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
  ]);
});

test('the eraser may erase versions only under account prefixes', () => {
  for (const action of ['s3:DeleteObject', 's3:DeleteObjectVersion']) {
    for (const bucket of ['photolala-prod', 'photolala']) {
      for (const prefix of ['photos', 'thumbnails', 'catalogs', 'users', 'metadata']) {
        expect(can(action, `arn:aws:s3:::${bucket}/${prefix}/${ID}/x`)).toBe(true);
        expect(can(action, `arn:aws:s3:::${bucket}/${prefix}/${ID.toLowerCase()}/a/b`)).toBe(true);
      }
      for (const key of [
        'photos/x.jpg',
        `photos/${ID}`,
        `identities/apple:x`,
        'emails/x',
        `scheduled-deletions/2026-01-01/${ID}.json`,
        ID,
      ]) {
        expect(can(action, `arn:aws:s3:::${bucket}/${key}`)).toBe(false);
      }
    }
  }
});

test('the eraser may not erase in the manifest bucket, nor in a bucket of another AWS account', () => {
  expect(can('s3:DeleteObject', `${MANIFEST}/pages/x`)).toBe(false);
  const photo = `arn:aws:s3:::photolala-prod/photos/${ID}/x`;
  expect(can('s3:DeleteObjectVersion', photo, { 'aws:ResourceAccount': '111111111111' })).toBe(false);
});

test('the eraser may not read a photo, nor list a photo bucket', () => {
  const photo = `arn:aws:s3:::photolala-prod/photos/${ID}/x`;
  for (const action of ['s3:GetObject', 's3:GetObjectVersion', 's3:PutObject']) {
    expect(can(action, photo)).toBe(false);
  }
  for (const action of ['s3:ListBucket', 's3:ListBucketVersions', 's3:ListBucketMultipartUploads']) {
    expect(can(action, 'arn:aws:s3:::photolala-prod')).toBe(false);
  }
});

test('of the manifest bucket the eraser may read pages and records, and write outcomes', () => {
  const able = (action: string) => Object.keys(OWN).filter((p) => can(action, `${MANIFEST}/${p}/x`));
  expect(able('s3:GetObject')).toEqual(['records', 'pages']);
  expect(able('s3:PutObject')).toEqual(['outcomes']);
  expect(able('s3:DeleteObject')).toEqual([]);
});

test('the eraser may list no other prefix of the manifest bucket, and can tell absent from forbidden', () => {
  const lists = (prefix: string) => can('s3:ListBucket', MANIFEST, { 's3:prefix': prefix });
  expect(['pages/d/1/', 'receipts/', 'requests/', 'runs/', 'days/', 'outcomes/', ''].filter(lists)).toEqual([
    'pages/d/1/',
  ]);
  expect(can('s3:ListBucket', MANIFEST)).toBe(true);
});

test('the eraser may do nothing but what its code calls', () => {
  const actions = statements().flatMap((s) => s.Action);
  expect([...new Set(actions)].sort()).toEqual([
    'logs:CreateLogStream',
    'logs:PutLogEvents',
    's3:DeleteObject',
    's3:DeleteObjectVersion',
    's3:GetObject',
    's3:GetObjectLegalHold',
    's3:GetObjectRetention',
    's3:ListBucket',
    's3:PutObject',
  ]);
});
