import { entries, functionNamed, NAMES, onlyId, resources, synthesized, Template } from './support';
import { environment } from './variants';

const rule = (template: Template, description: string) =>
  resources(template, 'AWS::Events::Rule').find((r) => r.Properties.Description === description)?.Properties;
const RECONCILE = 'Takes up every deletion that waits';
const DAILY = 'Erases every account that is due';
const JOB_ENDED = 'An S3 Batch Operations job ended';
const withJobRule = () => synthesized('jobStatus').service;

test('every five minutes the deletion function is asked to reconcile', () => {
  const { ScheduleExpression, State, Targets } = rule(synthesized('production').service, RECONCILE)!;
  expect([ScheduleExpression, State]).toEqual(['rate(5 minutes)', 'ENABLED']);
  expect(Targets).toHaveLength(1);
  expect(JSON.parse(Targets[0].Input)).toEqual({ type: 'reconcile' });
});

test.each(NAMES)('the scheduled run of %s comes when the environment says', (name) => {
  const { ScheduleExpression, State } = rule(synthesized(name).service, DAILY)!;
  expect([ScheduleExpression, State]).toEqual([environment(name).scheduleExpression, 'ENABLED']);
});

test("the scheduled run gets EventBridge's own event, tried twice more within an hour", () => {
  const template = synthesized('production').service;
  const [target, ...others] = rule(template, DAILY)!.Targets;
  expect(others).toEqual([]);
  expect(target).toEqual({
    Id: 'Target0',
    Arn: { 'Fn::GetAtt': [functionNamed(template, 'photolala-deletion-production')[0], 'Arn'] },
    RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 3600 },
    DeadLetterConfig: { Arn: { 'Fn::GetAtt': [onlyId(template, 'AWS::SQS::Queue'), 'Arn'] } },
  });
});

test('an event that cannot be handed over is kept as a dead letter', () => {
  const template = withJobRule();
  const queue = onlyId(template, 'AWS::SQS::Queue');
  for (const description of [RECONCILE, DAILY, JOB_ENDED]) {
    expect(rule(template, description)!.Targets[0].DeadLetterConfig).toEqual({ Arn: { 'Fn::GetAtt': [queue, 'Arn'] } });
  }
});

test('the end of a job is told where the environment wants it, and only the end', () => {
  expect(rule(synthesized('production').service, JOB_ENDED)).toBeUndefined();
  expect(rule(withJobRule(), JOB_ENDED)!.EventPattern).toEqual({
    source: ['aws.s3'],
    'detail-type': ['AWS Service Event via CloudTrail'],
    detail: {
      eventSource: ['s3.amazonaws.com'],
      eventName: ['JobStatusChanged'],
      serviceEventDetails: { status: ['Complete', 'Failed', 'Cancelled'] },
    },
  });
});

test('AWS services may invoke the deletion function only by these rules', () => {
  const template = withJobRule();
  const permissions = resources(template, 'AWS::Lambda::Permission')
    .map((p) => p.Properties)
    .filter((p) => !p.Principal.startsWith('arn:aws:iam::'));
  expect(new Set(permissions.map((p) => p.Principal))).toEqual(new Set(['events.amazonaws.com']));
  const rules = entries(template, 'AWS::Events::Rule').map(([id]) => id);
  expect(rules).toHaveLength(3);
  expect(permissions.map((p) => p.SourceArn['Fn::GetAtt'][0]).sort()).toEqual(rules.sort());
});
