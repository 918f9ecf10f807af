import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultsOf, loadEnvironment, manifestBucketName, readFiles, tell } from '../lib/environment';
import { OWN, STATUS_KEYS } from '../lib/keys';
import { deletionVariables, eraserVariables } from '../lib/variables';
import { ENVIRONMENTS, NAMES, ROOT } from './support';
import { environment } from './variants';

const schema = JSON.parse(readFileSync(join(ENVIRONMENTS, 'schema.json'), 'utf8')) as object;
const rust = (file: string) => readFileSync(join(ROOT, 'lambdas/domain/src', file), 'utf8');

interface Case {
  readonly name: string;
  readonly file: string;
  readonly set?: Record<string, unknown>;
  readonly remove?: string[];
  readonly field: string;
}
const cases = JSON.parse(readFileSync(join(ENVIRONMENTS, 'faults.json'), 'utf8')) as Case[];

/** The good files, with one of them changed. */
function changed({ file, set = {}, remove = [] }: Omit<Case, 'name' | 'field'>): Map<string, unknown> {
  const files = structuredClone(readFiles(ENVIRONMENTS));
  const change = (pointer: string, act: (holder: any, key: string) => void) => {
    const path = pointer.split('/').slice(1);
    act(
      path.slice(0, -1).reduce((at: any, part) => at[part], files.get(file)),
      path.at(-1)!,
    );
  };
  Object.entries(set).forEach(([pointer, value]) => change(pointer, (holder, key) => (holder[key] = value)));
  remove.forEach((pointer) => change(pointer, (holder, key) => delete holder[key]));
  return files;
}

test('the three environments are there and sound', () => {
  const files = readFiles(ENVIRONMENTS);
  expect([...files.keys()].sort()).toEqual([...NAMES].sort());
  expect(faultsOf(schema, files)).toEqual([]);
});

test.each(cases)('refused by field: $name', ({ name: _, field, ...change }) => {
  const faults = faultsOf(schema, changed(change)).filter((fault) => fault.file === change.file);
  expect(faults.map((fault) => fault.field)).toContain(field);
});

test('a fault tells file, field, what was found and what is allowed', () => {
  const [fault] = faultsOf(schema, changed({ file: 'production', set: { '/graceSeconds': 0 } }));
  expect(tell(fault!)).toBe('environments/production.json: graceSeconds: found 0; allowed: more than 0 in production');
  const [pace] = faultsOf(schema, changed({ file: 'staging', set: { '/paceKeysPerSecond': 9999 } }));
  expect(tell(pace!)).toBe('environments/staging.json: paceKeysPerSecond: found 9999; allowed: maximum 3500');
});

test('a bucket that two environments name is a fault of both', () => {
  const faults = faultsOf(schema, changed({ file: 'staging', set: { '/buckets/0/name': 'photolala-prod' } }));
  expect(faults.map((fault) => fault.file).sort()).toEqual(['production', 'staging']);
});

test('an unknown environment is refused with the known ones', () => {
  expect(() => loadEnvironment(ENVIRONMENTS, 'nowhere')).toThrow(
    /"nowhere"; known are development, production, staging/,
  );
});

test('the manifest bucket is named by environment and AWS account', () => {
  expect(manifestBucketName(environment('staging'))).toBe('photolala-deletion-staging-000000000000');
});

test('the functions get exactly the variables that the Rust side writes', () => {
  const source = rust('environment.rs');
  const body = (name: string) => source.split(`fn ${name}(`)[1]!.split('\n    }\n')[0]!;
  const names = (...functions: string[]) =>
    functions.flatMap((name) => [...body(name).matchAll(/\(?"([A-Z_]{4,})"\.to_owned\(\)/g)].map((match) => match[1]!));
  const deletion = deletionVariables(environment('development'), 'arn:e', 'arn:b');
  expect(Object.keys(deletion).sort()).toEqual(names('shared_variables', 'deletion_variables').sort());
  const eraser = eraserVariables(environment('development'));
  expect(Object.keys(eraser).sort()).toEqual(names('shared_variables', 'eraser_variables').sort());
});

test('the values are those of the environment', () => {
  expect(deletionVariables(environment('production'), 'arn:e', 'arn:b')).toEqual({
    ENVIRONMENT: 'production',
    AWS_ACCOUNT: '000000000000',
    BUCKETS:
      '[{"name":"photolala-prod","region":"us-east-1","role":"primary"},{"name":"photolala","region":"us-east-1","role":"legacy"}]',
    ACCOUNT_PREFIXES:
      'photos/{account}/,thumbnails/{account}/,catalogs/{account}/,users/{account}/,metadata/{account}/',
    MANIFEST_BUCKET: 'photolala-deletion-production-000000000000',
    MAPPING_PREFIXES: 'identities/,emails/',
    SCHEDULE_PREFIX: 'scheduled-deletions/',
    GRACE_SECONDS: '2592000',
    CONFIRM_SECONDS: '60',
    SETTLE_SECONDS: '3600',
    IMMEDIATE_MODE: 'next-run',
    DELETION_THRESHOLD: '1000',
    PACE_KEYS_PER_SECOND: '2500',
    ACCOUNTS_PER_RUN: '1000',
    ACCOUNTS_PER_DAY: '5000',
    VERSIONS_PER_ACCOUNT: '5000000',
    APP_ROLE: 'photolala-app-production',
    NOTICE_BUS: 'photolala-deletion-production',
    ERASER_FUNCTION_ARN: 'arn:e',
    BATCH_ROLE_ARN: 'arn:b',
    OTHER_STORES: 'device registry,catalog query results,subscriptions',
  });
});

test('each eraser gets its share of the pace', () => {
  const pace = (eraserConcurrency: number | null, paceKeysPerSecond = 2500) =>
    eraserVariables(environment('staging', { eraserConcurrency, paceKeysPerSecond })).PACE_KEYS_PER_SECOND;
  expect([pace(4), pace(null), pace(3), pace(100, 10)]).toEqual(['625', '625', '833', '1']);
});

test('prefixes in the manifest bucket are those of the Rust side', () => {
  const layout = rust('layout.rs').split('#[cfg(test)]')[0]!;
  const named = new Set([...layout.matchAll(/"(\w+)\/[^"]*"/g)].map((match) => `${match[1]}/`));
  named.delete('users/');
  expect([...named].sort()).toEqual([...Object.values(OWN)].sort());
  expect(layout).toContain('format!("users/{id}/status.json")');
  expect(STATUS_KEYS).toMatch(/^users\/[?-]{36}\/status\.json$/);
});
