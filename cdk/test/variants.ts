import { Environment, loadEnvironment, PLACEHOLDER_ACCOUNT } from '../lib/environment';
import { ENVIRONMENTS, Name } from './support';

/** An environment's file, with the placeholder for its AWS account, and with values of the test's own. */
export function environment(name: Name, changes: Partial<Environment> = {}): Environment {
  return { ...loadEnvironment(ENVIRONMENTS, name), awsAccount: PLACEHOLDER_ACCOUNT, ...changes };
}

/** A bucket that S3 replicates to, in another Region. */
export const REPLICA = { name: 'photolala-copy', region: 'eu-west-1', role: 'replica' } as const;

/** Everything that is synthesized for the tests: the environments as their files say, and some that differ. */
export const VARIANTS = {
  development: () => environment('development'),
  staging: () => environment('staging'),
  production: () => environment('production'),
  again: () => environment('production'),
  replicated: () => environment('production', { buckets: [...environment('production').buckets, REPLICA] }),
  slower: () => environment('production', { paceKeysPerSecond: 1000 }),
  jobStatus: () => environment('production', { jobStatusRule: true }),
  arm64: () => environment('production', { architecture: 'arm64', tracing: 'on', eraserConcurrency: null }),
} as const satisfies Record<string, () => Environment>;
export type Variant = keyof typeof VARIANTS;
