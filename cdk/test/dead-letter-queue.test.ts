import { only, onlyId, synthesized } from './support';

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
  const rule = onlyId(service(), 'AWS::Events::Rule');
  expect(allowed.map((s) => [s.Principal, s.Action, s.Condition])).toEqual([
    [
      { Service: 'events.amazonaws.com' },
      'sqs:SendMessage',
      { ArnEquals: { 'aws:SourceArn': { 'Fn::GetAtt': [rule, 'Arn'] } } },
    ],
  ]);
});
