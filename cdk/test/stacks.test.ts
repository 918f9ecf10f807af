import { statementsOf } from './iam';
import { Name, NAMES, synthesized } from './support';
import { environment, REPLICA, Variant, VARIANTS } from './variants';

const roles = (name: Name) => [
  `photolala-deletion-${name}`,
  `photolala-eraser-${name}`,
  `photolala-deletion-batch-${name}`,
];

test.each(NAMES)("no statement of %s reaches another environment's bucket, and none reaches all buckets", (name) => {
  const others = NAMES.filter((other) => other !== name).flatMap((other) =>
    environment(other).buckets.map((b) => b.name),
  );
  for (const statement of roles(name).flatMap((role) => statementsOf(synthesized(name).service, role))) {
    for (const resource of [statement.Resource]
      .flat()
      .filter((r) => typeof r === 'string' && r.startsWith('arn:aws:s3:::'))) {
      const bucket = (resource as string).slice('arn:aws:s3:::'.length).split('/')[0]!;
      expect(bucket).not.toMatch(/[*?]/);
      expect(others).not.toContain(bucket);
    }
  }
});

test.each(NAMES)('every statement of %s about buckets asks who owns them', (name) => {
  for (const statement of roles(name).flatMap((role) => statementsOf(synthesized(name).service, role))) {
    if ([statement.Resource].flat().some((r) => typeof r === 'string' && r.startsWith('arn:aws:s3:::'))) {
      expect([statement.Sid, statement.Condition?.StringEquals]).toEqual([
        statement.Sid,
        { 'aws:ResourceAccount': '000000000000' },
      ]);
    }
  }
});

test.each(NAMES)(
  'no role of %s has a wildcard among its actions, a right to keys, or a resource "*" where AWS knows one',
  (name) => {
    for (const statement of roles(name).flatMap((role) => statementsOf(synthesized(name).service, role))) {
      for (const action of [statement.Action].flat()) {
        expect(action).not.toMatch(/\*|^kms:/);
      }
      if ([statement.Resource].flat().includes('*')) {
        expect(['s3:CreateJob', 's3:ListJobs']).toContain(statement.Action);
      }
    }
  },
);

test('photo buckets are never made or changed: only roles name them', () => {
  for (const name of NAMES) {
    const others = Object.values(synthesized(name).service.Resources).filter(
      (r) => !['AWS::IAM::Policy', 'AWS::Lambda::Function'].includes(r.Type),
    );
    expect(JSON.stringify(others)).not.toMatch(/photolala-(dev|stage|prod)"|"photolala"|:::photolala/);
  }
});

test('replica and legacy buckets in other Regions are erased like the others', () => {
  const { service } = synthesized('replicated');
  const erasing = statementsOf(service, 'photolala-eraser-production').find((s) => s.Sid === 'EraseAccounts')!;
  expect(erasing.Resource).toContain(`arn:aws:s3:::${REPLICA.name}/photos/????????-????-????-????-????????????/*`);
});

test('everything that can carry tags names project, environment and owner', () => {
  const tagged = (template: any) =>
    Object.values<any>(template.Resources).filter((r) => r.Properties.Tags !== undefined);
  const all = tagged(synthesized('staging').service).concat(tagged(synthesized('staging').state));
  expect(new Set(all.map((r) => r.Type))).toEqual(
    new Set([
      'AWS::CloudWatch::Alarm',
      'AWS::CloudWatch::Dashboard',
      'AWS::Events::EventBus',
      'AWS::Events::Rule',
      'AWS::IAM::Role',
      'AWS::Lambda::Function',
      'AWS::Logs::LogGroup',
      'AWS::S3::Bucket',
      'AWS::SNS::Topic',
      'AWS::SQS::Queue',
    ]),
  );
  for (const resource of all) {
    expect(resource.Properties.Tags).toEqual([
      { Key: 'environment', Value: 'staging' },
      { Key: 'owner', Value: 'photolala-operations' },
      { Key: 'project', Value: 'photolala-deletion' },
    ]);
  }
});

test("no person's address is in a tag or a logical id: only the subscription names it", () => {
  const { service, state } = synthesized('staging');
  const { alarmAddress } = environment('staging');
  const holders = [...Object.entries(service.Resources), ...Object.entries(state.Resources)].filter((entry) =>
    JSON.stringify(entry).includes(alarmAddress),
  );
  expect(holders.map(([, r]) => r.Type)).toEqual(['AWS::SNS::Subscription']);
  expect(holders[0]![0]).toMatch(/^AlarmTopicSubscription[0-9A-F]{8}$/);
});

test('the stacks tell what people and bin/deploy need', () => {
  expect(Object.keys(synthesized('staging').state.Outputs)).toEqual(['ManifestBucketName', 'NoticeBusArn']);
  expect(Object.keys(synthesized('staging').service.Outputs)).toEqual([
    'DeletionFunctionName',
    'EraserFunctionName',
    'EraserVersionArn',
    'DeletionRoleArn',
    'EraserRoleArn',
    'BatchRoleArn',
    'ReconcileRuleName',
    'DailyRuleName',
    'FunctionUrl',
    'DeadLetterQueueUrl',
    'AlarmTopicArn',
    'DashboardUrl',
  ]);
});

test('the rules that start deletions are told by their names', () => {
  const { service } = synthesized('staging');
  const { ReconcileRuleName, DailyRuleName } = service.Outputs;
  const told = [ReconcileRuleName, DailyRuleName].map((output) => (output!.Value as { Ref: string }).Ref);
  expect(told.map((id) => service.Resources[id]!.Properties.ScheduleExpression)).toEqual([
    'rate(5 minutes)',
    environment('staging').scheduleExpression,
  ]);
});

test('synth twice gives identical bytes', () => {
  const [once, twice] = [synthesized('production').files, synthesized('again').files];
  expect(Object.keys(once)).toHaveLength(4);
  expect(twice).toEqual(once);
});

test('synth needs no network', () => {
  expect(synthesized('production').connections).toBe(0);
});

test.each(Object.keys(VARIANTS) as Variant[])('cdk-nag finds nothing without a written reason: %s', (variant) => {
  expect(synthesized(variant).findings).toEqual([]);
});
