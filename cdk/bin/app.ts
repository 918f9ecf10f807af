import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { loadEnvironment } from '../lib/environment';
import { addStacks } from '../lib/stacks';

const ROOT = join(__dirname, '../..');

const app = new App({ analyticsReporting: false });
const context = (name: string): string | undefined => app.node.tryGetContext(name) as string | undefined;

const name = context('environment');
if (name === undefined) {
  throw new Error('which environment? For example: npx cdk synth -c environment=development');
}
addStacks(app, {
  environment: loadEnvironment(context('environments') ?? join(ROOT, 'environments'), name),
  bootstraps: context('bootstraps') ?? join(ROOT, 'target/lambda'),
  cliCredentials: context('cliCredentials') === 'true',
});
// A finding without a written reason beside the resource stops the synth, and so the deploy.
Validations.of(app).addPlugins(new AwsSolutionsChecks(app, { verbose: true }));
