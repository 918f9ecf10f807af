import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOTICE_SOURCE } from '../lib/notice-bus';
import { may, refuses, statementsOf } from './iam';
import { Name, NAMES, only, ROOT, synthesized } from './support';

const bus = (name: Name = 'production') => only(synthesized(name).state, 'AWS::Events::EventBus');
const arn = (name: string) => `arn:aws:events:us-east-1:000000000000:event-bus/${name}`;
const BUS = arn('photolala-deletion-production');
const NOTICE = { 'events:source': 'photolala.deletion' };
const role = (name: string) => `arn:aws:iam::000000000000:role/${name}`;
const refused = (principal?: string) =>
  refuses(bus().Properties.Policy.Statement, {
    action: 'events:PutEvents',
    resource: BUS,
    keys: principal === undefined ? {} : { 'aws:PrincipalArn': principal },
  });

test('each environment has a bus of its own', () => {
  expect(NAMES.map((name) => bus(name).Properties.Name)).toEqual(NAMES.map((name) => `photolala-deletion-${name}`));
});

test('the bus and its policy outlive their stack, but not a creation that is rolled back', () => {
  expect([bus().DeletionPolicy, bus().UpdateReplacePolicy]).toEqual(['RetainExceptOnCreate', 'Retain']);
});

test('the deletion function may send, and nobody else may, whatever their own policies say', () => {
  expect(refused(role('photolala-deletion-production'))).toBe(false);
  for (const other of [
    role('photolala-eraser-production'),
    role('photolala-deletion-batch-production'),
    role('photolala-deletion-staging'),
    role('photolala-app-production'),
    role('service/photolala-deletion-production'),
    role('Administrator'),
    'arn:aws:iam::000000000000:root',
    'arn:aws:iam::111111111111:role/photolala-deletion-production',
  ]) {
    expect([other, refused(other)]).toEqual([other, true]);
  }
});

test('a caller without an ARN, such as a rule of another bus, may not send either', () => {
  expect(refused()).toBe(true);
});

test('the policy allows nobody: that is for the policy of the role', () => {
  const statements = bus().Properties.Policy.Statement as any[];
  expect(statements.map((s) => s.Effect)).toEqual(['Deny']);
});

test.each(NAMES)('the deletion function of %s may send notices, to its own bus, as nobody but itself', (name) => {
  const statements = statementsOf(synthesized(name).service, `photolala-deletion-${name}`);
  const sends = (to: string, keys: Record<string, string> = NOTICE) =>
    may(statements, { action: 'events:PutEvents', resource: arn(to), keys });
  const buses = [...NAMES.map((other) => `photolala-deletion-${other}`), 'default'];
  expect(buses.filter((to) => sends(to))).toEqual([`photolala-deletion-${name}`]);
  expect(sends(`photolala-deletion-${name}`, { 'events:source': 'aws.s3' })).toBe(false);
});

test('neither the eraser nor a job may send notices', () => {
  for (const name of ['photolala-eraser-production', 'photolala-deletion-batch-production']) {
    const statements = statementsOf(synthesized('production').service, name);
    expect(may(statements, { action: 'events:PutEvents', resource: BUS, keys: NOTICE })).toBe(false);
  }
});

test('a notice says the source that the policy asks for', () => {
  const source = readFileSync(join(ROOT, 'lambdas/domain/src/notice.rs'), 'utf8');
  expect(/SOURCE: &str = "(.+)"/.exec(source)![1]).toBe(NOTICE_SOURCE);
  expect(NOTICE_SOURCE).toBe(NOTICE['events:source']);
});
