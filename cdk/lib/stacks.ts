import { App, CliCredentialsStackSynthesizer, Tags } from 'aws-cdk-lib';
import { Environment } from './environment';
import { ServiceStack } from './service-stack';
import { StateStack } from './state-stack';

/** Who answers for every resource. A team, since tags are no place for a person's address. */
const OWNER = 'photolala-operations';

export interface StacksOptions {
  readonly environment: Environment;
  /** Folder of the prebuilt functions: `<function>/bootstrap`. */
  readonly bootstraps: string;
  /**
   * Deploy with the caller's own credentials, not with the roles of `cdk bootstrap`.
   * @default false
   */
  readonly cliCredentials?: boolean;
}

/** Both stacks of an environment, tagged. */
export function addStacks(
  app: App,
  { environment, bootstraps, cliCredentials }: StacksOptions,
): { state: StateStack; service: ServiceStack } {
  const common = () => ({
    environment,
    env: { account: environment.awsAccount, region: environment.region },
    synthesizer: cliCredentials ? new CliCredentialsStackSynthesizer() : undefined,
  });
  const state = new StateStack(app, `photolala-deletion-state-${environment.name}`, common());
  const service = new ServiceStack(app, `photolala-deletion-service-${environment.name}`, { ...common(), bootstraps });
  service.addStackDependency(state);
  Tags.of(app).add('project', 'photolala-deletion');
  Tags.of(app).add('environment', environment.name);
  Tags.of(app).add('owner', OWNER);
  return { state, service };
}
