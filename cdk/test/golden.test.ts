import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Name, NAMES, only, synthesized, Template } from './support';

const cases = NAMES.flatMap((name) =>
  (['state', 'service', 'dashboard'] as const).map((part) => [name, part] as const),
);

test.each(cases)('%s is as reviewed: %s (npm run golden writes it anew)', (name, part) => {
  const path = join(__dirname, 'golden', `${name}.${part}.json`);
  const text = `${JSON.stringify(contents(name, part), null, 2)}\n`;
  if (process.env.GOLDEN === 'write') {
    writeFileSync(path, text);
  }
  expect(text).toBe(readFileSync(path, 'utf8'));
});

function contents(name: Name, part: 'state' | 'service' | 'dashboard'): object {
  if (part !== 'dashboard') {
    return redacted(synthesized(name)[part]);
  }
  const dashboard = only(synthesized(name).service, 'AWS::CloudWatch::Dashboard');
  return JSON.parse(dashboard.Properties.DashboardBody) as object;
}

/** Without the hashes of assets, which change with every build; the dashboard, a long line of JSON, has its own file. */
function redacted(template: Template): Template {
  const text = JSON.stringify(template)
    .replaceAll(/"[0-9a-f]{64}\.zip"/g, '"asset.zip"')
    .replaceAll(/(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g, '$1Hash');
  const copy = JSON.parse(text) as Template;
  Object.values(copy.Resources)
    .filter((resource) => resource.Type === 'AWS::CloudWatch::Dashboard')
    .forEach((resource) => (resource.Properties.DashboardBody = '{}'));
  return copy;
}
