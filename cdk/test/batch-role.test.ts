import { may, statementsOf } from './iam';
import { roleNamed, synthesized } from './support';

const NAME = 'photolala-deletion-batch-staging';
const MANIFEST = 'arn:aws:s3:::photolala-deletion-staging-000000000000';
const ERASER = 'arn:aws:lambda:us-east-1:000000000000:function:photolala-eraser-staging';
const statements = () => statementsOf(synthesized('staging').service, NAME);
const can = (action: string, resource: string) => may(statements(), { action, resource });

test('the Batch role is assumable by S3 Batch Operations only, from this AWS account only', () => {
  const [, role] = roleNamed(synthesized('staging').service, NAME);
  expect(role.Properties.AssumeRolePolicyDocument.Statement).toEqual([
    {
      Action: 'sts:AssumeRole',
      Effect: 'Allow',
      Principal: { Service: 'batchoperations.s3.amazonaws.com' },
      Condition: { StringEquals: { 'aws:SourceAccount': '000000000000' } },
    },
  ]);
});

test('it may read manifests and write reports, and nothing else of the manifest bucket', () => {
  const able = (action: string) =>
    ['records', 'runs', 'jobs', 'receipts', 'pages', 'manifests', 'outcomes', 'reports'].filter((p) =>
      can(action, `${MANIFEST}/${p}/x`),
    );
  expect(able('s3:GetObject')).toEqual(['manifests']);
  expect(able('s3:GetObjectVersion')).toEqual(['manifests']);
  expect(able('s3:PutObject')).toEqual(['reports']);
});

test('it may invoke any numbered version of the eraser, and no other function', () => {
  expect(can('lambda:InvokeFunction', `${ERASER}:7`)).toBe(true);
  expect(can('lambda:InvokeFunction', ERASER)).toBe(false);
  expect(
    can('lambda:InvokeFunction', 'arn:aws:lambda:us-east-1:000000000000:function:photolala-deletion-staging:1'),
  ).toBe(false);
});

test('it may not touch a photo bucket, nor do anything else', () => {
  const id = '0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9';
  for (const action of ['s3:GetObject', 's3:DeleteObject', 's3:DeleteObjectVersion', 's3:PutObject']) {
    expect(can(action, `arn:aws:s3:::photolala-stage/photos/${id}/x`)).toBe(false);
  }
  const actions = statements().flatMap((s) => s.Action);
  expect([...new Set(actions)].sort()).toEqual([
    'lambda:InvokeFunction',
    's3:GetObject',
    's3:GetObjectVersion',
    's3:PutObject',
  ]);
});
