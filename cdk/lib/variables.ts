import { Environment, manifestBucketName, noticeBusName } from './environment';

/** Erasers that share the pace where the environment reserves no concurrency. */
const ASSUMED_ERASERS = 4;

/** The variables of the deletion function, as `Environment::deletion_variables` in `lambdas/domain` writes them. */
export function deletionVariables(
  environment: Environment,
  eraserArn: string,
  batchRoleArn: string,
): Record<string, string> {
  return {
    ...sharedVariables(environment),
    MAPPING_PREFIXES: environment.mappingPrefixes.join(','),
    SCHEDULE_PREFIX: environment.schedulePrefix,
    GRACE_SECONDS: String(environment.graceSeconds),
    CONFIRM_SECONDS: String(environment.confirmSeconds),
    SETTLE_SECONDS: String(environment.settleSeconds),
    IMMEDIATE_MODE: environment.immediateMode,
    DELETION_THRESHOLD: String(environment.deletionThreshold),
    PACE_KEYS_PER_SECOND: String(environment.paceKeysPerSecond),
    ACCOUNTS_PER_RUN: String(environment.caps.accountsPerRun),
    ACCOUNTS_PER_DAY: String(environment.caps.accountsPerDay),
    VERSIONS_PER_ACCOUNT: String(environment.caps.versionsPerAccount),
    APP_ROLE: environment.appRole,
    NOTICE_BUS: noticeBusName(environment),
    ERASER_FUNCTION_ARN: eraserArn,
    BATCH_ROLE_ARN: batchRoleArn,
    OTHER_STORES: environment.otherStores.join(','),
  };
}

/** The variables of the eraser, as `Environment::eraser_variables` writes them. Each eraser gets its share of the pace. */
export function eraserVariables(environment: Environment): Record<string, string> {
  const erasers = environment.eraserConcurrency ?? ASSUMED_ERASERS;
  const share = Math.max(Math.floor(environment.paceKeysPerSecond / erasers), 1);
  return { ...sharedVariables(environment), PACE_KEYS_PER_SECOND: String(share) };
}

function sharedVariables(environment: Environment): Record<string, string> {
  return {
    ENVIRONMENT: environment.name,
    AWS_ACCOUNT: environment.awsAccount,
    BUCKETS: JSON.stringify(environment.buckets.map(({ name, region, role }) => ({ name, region, role }))),
    ACCOUNT_PREFIXES: environment.accountPrefixes.join(','),
    MANIFEST_BUCKET: manifestBucketName(environment),
  };
}
