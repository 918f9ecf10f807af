import { entries, only, onlyId, resources, synthesized, Template } from './support';

const rule = (template: Template, description: string) =>
  resources(template, 'AWS::Events::Rule').find((r) => r.Properties.Description === description)?.Properties;
const RECONCILE = 'Takes up every deletion that waits';
const JOB_ENDED = 'An S3 Batch Operations job ended';
const withJobRule = () => synthesized('jobStatus').service;

test('every five minutes the deletion function is asked to reconcile', () => {
  const { ScheduleExpression, State, Targets } = rule(synthesized('production').service, RECONCILE)!;
  expect([ScheduleExpression, State]).toEqual(['rate(5 minutes)', 'ENABLED']);
  expect(Targets).toHaveLength(1);
  expect(JSON.parse(Targets[0].Input)).toEqual({ type: 'reconcile' });
});

test('an event that cannot be handed over is kept as a dead letter', () => {
  const template = withJobRule();
  const queue = onlyId(template, 'AWS::SQS::Queue');
  for (const description of [RECONCILE, JOB_ENDED]) {
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

test('EventBridge may invoke the deletion function for these rules only, and nobody else may', () => {
  const template = withJobRule();
  const permissions = resources(template, 'AWS::Lambda::Permission').map((p) => p.Properties);
  expect(permissions.map((p) => p.Principal)).toEqual(['events.amazonaws.com', 'events.amazonaws.com']);
  const rules = entries(template, 'AWS::Events::Rule').map(([id]) => id);
  expect(permissions.map((p) => p.SourceArn['Fn::GetAtt'][0]).sort()).toEqual(rules.sort());
});

test('nothing is exposed before its time: no function URL, no other rule, no other bus', () => {
  const types = Object.values(synthesized('production').service.Resources).map((r) => r.Type);
  expect(types).not.toContain('AWS::Lambda::Url');
  expect(types).not.toContain('AWS::Events::EventBus');
  expect(only(synthesized('production').service, 'AWS::Events::Rule').Properties.Description).toBe(RECONCILE);
});
