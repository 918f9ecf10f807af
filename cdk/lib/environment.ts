import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import Ajv2020, { ErrorObject } from 'ajv/dist/2020';

/** A bucket that holds photos, and what it is for. */
export interface PhotoBucket {
  readonly name: string;
  readonly region: string;
  readonly role: 'primary' | 'replica' | 'legacy';
}

/** Every value of `environments/<name>.json`; their meanings are in `environments/schema.json`. */
export interface Environment {
  readonly name: 'development' | 'staging' | 'production';
  readonly awsAccount: string;
  readonly region: string;
  readonly functions: { readonly deletion: string; readonly eraser: string };
  readonly buckets: readonly PhotoBucket[];
  readonly accountPrefixes: readonly string[];
  readonly mappingPrefixes: readonly string[];
  readonly schedulePrefix: string;
  readonly graceSeconds: number;
  readonly confirmSeconds: number;
  readonly settleSeconds: number;
  readonly scheduleExpression: string;
  readonly immediateMode: 'allowed' | 'next-run' | 'denied';
  readonly deletionThreshold: number;
  readonly paceKeysPerSecond: number;
  readonly eraserConcurrency: number | null;
  readonly caps: {
    readonly accountsPerRun: number;
    readonly accountsPerDay: number;
    readonly versionsPerAccount: number;
  };
  readonly architecture: 'x86_64' | 'arm64';
  readonly tracing: 'off' | 'on';
  readonly jobStatusRule: boolean;
  readonly logRetentionDays: number;
  readonly alarmAddress: string;
  readonly appRole: string;
  readonly appPrincipals: readonly string[];
  readonly otherStores: readonly string[];
}

/** What is wrong with a file: where, what was found, and what is allowed there. */
export interface Fault {
  /** The environment's name, as its file is called. */
  readonly file: string;
  /** The field, dotted, without indexes: `caps.accountsPerRun`, `buckets.name`. */
  readonly field: string;
  readonly found: string;
  readonly allowed: string;
}

/** Every fault of every file, told at once. */
export class EnvironmentFaults extends Error {
  constructor(readonly faults: readonly Fault[]) {
    super(faults.map(tell).join('\n'));
    this.name = 'EnvironmentFaults';
  }
}

/** The AWS account id that stands in a file until its owner fills in the real one. */
export const PLACEHOLDER_ACCOUNT = '000000000000';

/** The bucket of records, runs, pages, manifests, outcomes, reports and receipts. */
export function manifestBucketName(environment: Environment): string {
  return `photolala-deletion-${environment.name}-${environment.awsAccount}`;
}

/** The bus that the service sends its notices to. */
export function noticeBusName(environment: Environment): string {
  return `photolala-deletion-${environment.name}`;
}

/** Reads the environment, and all others beside it, since no two may share a bucket. */
export function loadEnvironment(folder: string, name: string): Environment {
  const files = readFiles(folder);
  const wanted = files.get(name);
  if (wanted === undefined) {
    throw new Error(`there is no environment ${JSON.stringify(name)}; known are ${[...files.keys()].join(', ')}`);
  }
  const faults = faultsOf(readJson(join(folder, 'schema.json')), files).filter((fault) => fault.file === name);
  if (faults.length > 0) {
    throw new EnvironmentFaults(faults);
  }
  return wanted as Environment;
}

/** The files of a folder by environment name, unchecked. */
export function readFiles(folder: string): Map<string, unknown> {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))
    .filter((name) => name !== 'schema' && name !== 'faults');
  return new Map(names.sort().map((name) => [name, readJson(join(folder, `${name}.json`))]));
}

/** Everything that is wrong with these files: by the schema, by rules of one file, by rules between files. */
export function faultsOf(schema: object, files: ReadonlyMap<string, unknown>): Fault[] {
  const validate = new Ajv2020({ allErrors: true, verbose: true }).compile(schema);
  const faults: Fault[] = [];
  const sound = new Map<string, Environment>();
  for (const [file, content] of files) {
    if (validate(content)) {
      sound.set(file, content as Environment);
    } else {
      faults.push(...(validate.errors ?? []).map((error) => schemaFault(file, error)));
    }
  }
  for (const [file, environment] of sound) {
    faults.push(...rules(file, environment));
  }
  return [...faults, ...sharedBuckets(files)];
}

/** A fault as a line for a person. */
export function tell(fault: Fault): string {
  return `environments/${fault.file}.json: ${fault.field}: found ${fault.found}; allowed: ${fault.allowed}`;
}

function readJson(path: string): object {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as object;
  } catch (error) {
    throw new Error(`${path} cannot be read as JSON: ${(error as Error).message}`);
  }
}

/** A message of the schema's validator, in our words. */
function schemaFault(file: string, error: ErrorObject): Fault {
  const path = error.instancePath.split('/').filter((part) => part !== '' && !/^\d+$/.test(part));
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'required') {
    const field = [...path, params.missingProperty].join('.');
    return { file, field, found: 'nothing', allowed: 'a value: every field is needed' };
  }
  if (error.keyword === 'additionalProperties') {
    const field = [...path, params.additionalProperty].join('.');
    return { file, field, found: 'an unknown field', allowed: 'only the fields of environments/schema.json' };
  }
  const limit = JSON.stringify(params.allowedValues ?? params.pattern ?? params.type ?? params.limit);
  const allowed = limit === undefined ? (error.message ?? error.keyword) : `${error.keyword} ${limit}`;
  return { file, field: path.join('.') || 'file', found: JSON.stringify(error.data), allowed };
}

/** What the schema cannot say of one file. */
function rules(file: string, environment: Environment): Fault[] {
  const faults: Fault[] = [];
  const want = (holds: boolean, field: string, found: unknown, allowed: string) => {
    if (!holds) {
      faults.push({ file, field, found: JSON.stringify(found), allowed });
    }
  };
  const { name, functions, buckets } = environment;
  want(name === file, 'name', name, `"${file}", as the file is called`);
  want(
    functions.deletion === `photolala-deletion-${name}`,
    'functions.deletion',
    functions.deletion,
    `"photolala-deletion-${name}"`,
  );
  want(
    functions.eraser === `photolala-eraser-${name}`,
    'functions.eraser',
    functions.eraser,
    `"photolala-eraser-${name}"`,
  );
  want(
    name !== 'production' || environment.graceSeconds > 0,
    'graceSeconds',
    environment.graceSeconds,
    'more than 0 in production',
  );
  want(
    name === 'development' || environment.immediateMode !== 'allowed',
    'immediateMode',
    environment.immediateMode,
    '"next-run" or "denied"; "allowed" in development only',
  );
  want(
    buckets.some((bucket) => bucket.role === 'primary'),
    'buckets.role',
    buckets.map((b) => b.role),
    'at least one "primary"',
  );
  want(
    environment.accountPrefixes.includes('users/{account}/'),
    'accountPrefixes',
    environment.accountPrefixes,
    '"users/{account}/" among them: the status of an account is there',
  );
  for (const { name: bucket } of buckets) {
    want(
      !bucket.startsWith('photolala-deletion-'),
      'buckets.name',
      bucket,
      'a bucket of photos, not one of this service',
    );
  }
  return [...faults, ...overlaps(file, environment)];
}

/**
 * Prefixes that overlap: what belongs to one account, what leads to accounts and what is scheduled are told apart by
 * prefix alone, in the code and in the roles' policies. Of two, the one named later here is the fault.
 */
function overlaps(file: string, { accountPrefixes, mappingPrefixes, schedulePrefix }: Environment): Fault[] {
  const named = [
    ...accountPrefixes.map((prefix) => ({ field: 'accountPrefixes', prefix: prefix.replace('{account}/', '') })),
    ...mappingPrefixes.map((prefix) => ({ field: 'mappingPrefixes', prefix })),
    { field: 'schedulePrefix', prefix: schedulePrefix },
  ];
  return named.flatMap(({ field, prefix }, place) => {
    const other = named.slice(0, place).find((n) => n.prefix.startsWith(prefix) || prefix.startsWith(n.prefix));
    if (other === undefined) {
      return [];
    }
    const found = `${JSON.stringify(prefix)} beside ${JSON.stringify(other.prefix)} of ${other.field}`;
    return [{ file, field, found, allowed: 'a prefix that holds no other prefix and lies in none' }];
  });
}

/**
 * A bucket that two environments name, or one names twice: erasing in one would erase in the other. Looks at files that
 * have faults too, so that none of those can hide a shared bucket.
 */
function sharedBuckets(files: ReadonlyMap<string, unknown>): Fault[] {
  const named = [...files].flatMap(([file, content]) => bucketNames(content).map((name) => ({ file, name })));
  const others = (one: { file: string; name: string }) =>
    named.filter((other) => other !== one && other.name === one.name);
  return named
    .filter((one) => others(one).length > 0)
    .map((one) => ({
      file: one.file,
      field: 'buckets.name',
      found: `${JSON.stringify(one.name)}, which ${others(one)[0]?.file} names too`,
      allowed: 'a bucket in exactly one environment, once',
    }));
}

/** The bucket names in a file that may hold anything. */
function bucketNames(content: unknown): string[] {
  const buckets = (content as { buckets?: unknown } | null)?.buckets;
  const names = Array.isArray(buckets) ? buckets.map((bucket: { name?: unknown } | null) => bucket?.name) : [];
  return names.filter((name) => typeof name === 'string');
}
