import { entries, only, synthesized } from './support';

const service = () => synthesized('production').service;

test('dead letters wait 14 days, encrypted, under a name a person can type', () => {
  expect(only(service(), 'AWS::SQS::Queue').Properties).toMatchObject({
    QueueName: 'photolala-deletion-production-dead-letters',
    MessageRetentionPeriod: 14 * 86_400,
    SqsManagedSseEnabled: true,
  });
});

test('the queue is spoken to by TLS only, and written to by the rules of this service', () => {
  const statements = only(service(), 'AWS::SQS::QueuePolicy').Properties.PolicyDocument.Statement as any[];
  const denied = statements.filter((s) => s.Effect === 'Deny');
  expect(denied.map((s) => [s.Action, s.Condition])).toEqual([['sqs:*', { Bool: { 'aws:SecureTransport': 'false' } }]]);
  const allowed = statements.filter((s) => s.Effect === 'Allow');
  const rules = entries(service(), 'AWS::Events::Rule').map(([rule]) => rule);
  expect(rules).toHaveLength(2);
  expect(allowed.map((s) => [s.Principal, s.Action, s.Condition])).toEqual(
    rules.map((rule) => [
      { Service: 'events.amazonaws.com' },
      'sqs:SendMessage',
      { ArnEquals: { 'aws:SourceArn': { 'Fn::GetAtt': [rule, 'Arn'] } } },
    ]),
  );
});
