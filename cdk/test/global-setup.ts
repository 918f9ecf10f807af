import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { Environment } from '../lib/environment';
import { addStacks } from '../lib/stacks';
import { ROOT, stubBootstraps, Synthesized, Template } from './support';
import { VARIANTS } from './variants';

/** How often a synth tried to open a socket. */
let connections = 0;

/** Synthesizes every variant once, so that each test file need not load the CDK; no socket can be opened meanwhile. */
export default function synthesizeAll(): void {
  // Whatever the tests leave lies in one folder, which global-teardown.ts removes.
  process.env.TMPDIR = mkdtempSync(join(tmpdir(), 'photolala-cdk-'));
  const folder = mkdtempSync(join(tmpdir(), 'synthesized-'));
  const connect = Socket.prototype.connect;
  Socket.prototype.connect = () => {
    connections += 1;
    throw new Error('synth connects to somewhere');
  };
  for (const [name, environment] of Object.entries(VARIANTS)) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(synth(environment())));
  }
  Socket.prototype.connect = connect;
  process.env.SYNTHESIZED = folder;
}

/** Synthesizes both stacks as the app does, AWS's own template rules included. */
function synth(environment: Environment): Synthesized {
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk/cdk.json'), 'utf8')) as { context: object };
  const outdir = mkdtempSync(join(tmpdir(), 'cdk-out-'));
  const app = new App({ analyticsReporting: false, outdir, context: { ...context } });
  const bootstraps = stubBootstraps(environment.architecture);
  const { state, service } = addStacks(app, { environment, bootstraps });
  const assembly = app.synth();
  const report = new AwsSolutionsChecks(app).validateScope(app);
  const template = (name: string) => assembly.getStackByName(name).template as Template;
  const files = readdirSync(outdir).filter((file) => /\.(template|assets)\.json$/.test(file));
  return {
    state: template(state.stackName),
    service: template(service.stackName),
    files: Object.fromEntries(files.map((file) => [file, readFileSync(join(outdir, file), 'utf8')])),
    connections,
    findings: report.violations.flatMap((v) => v.violatingResources.map((r) => `${v.ruleName} ${r.constructPath}`)),
  };
}
