import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NAMES, only, onlyId, resources, ROOT, synthesized } from './support';
import { environment } from './variants';

const service = () => synthesized('production').service;
const alarms = () => resources(service(), 'AWS::CloudWatch::Alarm').map((alarm) => alarm.Properties);
const sourcesIn = (folder: string) =>
  readdirSync(join(ROOT, 'lambdas', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.rs'))
    .map((file) => `${folder}/${file}`);
const rust = (file: string) => readFileSync(join(ROOT, 'lambdas', file), 'utf8');
const dashboard = () => JSON.parse(only(service(), 'AWS::CloudWatch::Dashboard').Properties.DashboardBody);
const PREFIX = 'photolala-deletion-production-';
const alarmNamed = (page: string) => alarms().find((alarm) => alarm.AlarmName === `${PREFIX}${page}`)!;

test('every alarm has its page in the runbook, and every page its alarm', () => {
  const runbook = readFileSync(join(ROOT, 'cdk/RUNBOOK.md'), 'utf8');
  const pages = runbook.split(/^## /m).slice(1);
  const slug = (page: string) => page.split('\n')[0]!.toLowerCase().replaceAll(' ', '-');
  expect(pages.map(slug).sort()).toEqual(
    alarms()
      .map((alarm) => alarm.AlarmName.replace(PREFIX, ''))
      .sort(),
  );
  for (const page of pages) {
    expect([slug(page), [...page.matchAll(/^\*\*(.+?)\*\*/gm)].map((match) => match[1])]).toEqual([
      slug(page),
      ['What it means.', 'Look at.', 'Do.'],
    ]);
  }
});

test('the description of an alarm says which page to read', () => {
  for (const alarm of alarms()) {
    expect(alarm.AlarmDescription).toMatch(new RegExp(`cdk/RUNBOOK\\.md#${alarm.AlarmName.replace(PREFIX, '')}$`));
  }
});

test('what must not happen at all is told the first time', () => {
  const sudden = alarms().filter((alarm) => alarm.Threshold === 1 && alarm.EvaluationPeriods === 1);
  expect(new Set(sudden.map((alarm) => alarm.ComparisonOperator))).toEqual(new Set(['GreaterThanOrEqualToThreshold']));
  expect(sudden.map((alarm) => alarm.AlarmName.replace(PREFIX, '')).sort()).toEqual([
    'caps',
    'dead-letters',
    'deletion-function-errors',
    'deletion-function-throttled',
    'deletions-failed',
    'deletions-held',
    'eraser-function-errors',
    'eraser-refusals',
    'failed-requests',
    'far-off',
    'late-active',
    'quarantined',
  ]);
});

test('every alarm is told to the topic, and silence is an alarm of the scheduled run only', () => {
  const topic = onlyId(service(), 'AWS::SNS::Topic');
  for (const alarm of alarms()) {
    expect(alarm.AlarmActions).toEqual([{ Ref: topic }]);
  }
  const breaching = alarms().filter((alarm) => alarm.TreatMissingData !== 'notBreaching');
  expect(breaching.map((alarm) => [alarm.AlarmName, alarm.TreatMissingData])).toEqual([
    [`${PREFIX}no-scheduled-run`, 'breaching'],
  ]);
});

test('26 hours without a scheduled run are an alarm, within what CloudWatch can look back', () => {
  const silent = alarmNamed('no-scheduled-run');
  expect(silent).toMatchObject({ Threshold: 1, ComparisonOperator: 'LessThanThreshold', Statistic: 'Sum' });
  expect(silent.DatapointsToAlarm ?? silent.EvaluationPeriods).toBe(silent.EvaluationPeriods);
  expect(silent.Period * silent.EvaluationPeriods).toBe(26 * 3600);
  for (const { Period, EvaluationPeriods } of alarms()) {
    expect(Period * EvaluationPeriods).toBeLessThanOrEqual(Period < 3600 ? 86_400 : 604_800);
  }
});

test('what a scheduled run found stands until the next; a day late is overdue', () => {
  const found = ['overdue', 'quarantined', 'caps', 'far-off'].map(alarmNamed);
  expect(found.map((alarm) => [alarm.MetricName, alarm.Statistic, alarm.Period, alarm.Threshold])).toEqual([
    ['OldestOverdueSeconds', 'Maximum', 86_400, 86_400],
    ['Quarantined', 'Maximum', 86_400, 1],
    ['CapReached', 'Sum', 86_400, 1],
    ['FarOff', 'Maximum', 86_400, 1],
  ]);
});

test('failed and held deletions stand as an alarm while reconcile finds one, and clear after', () => {
  const schedules = resources(service(), 'AWS::Events::Rule').map((rule) => rule.Properties.ScheduleExpression);
  expect(schedules).toContain('rate(5 minutes)');
  for (const [name, metric] of [
    ['deletions-failed', 'RecordsFailed'],
    ['deletions-held', 'RecordsHeld'],
  ] as const) {
    const { MetricName, Statistic, Period, EvaluationPeriods } = alarmNamed(name);
    expect([MetricName, Statistic, EvaluationPeriods]).toEqual([metric, 'Maximum', 1]);
    // One reconcile that is late or fails does not clear it.
    expect(Period).toBe(3 * 5 * 60);
  }
});

test('alarms and dashboard speak of metrics that the functions emit, in their namespace', () => {
  const sources = ['deletion/src', 'eraser/src'].flatMap((folder) => sourcesIn(folder).map(rust)).join();
  const emitted = new Set([...sources.matchAll(/\("(\w+)", Unit::/g)].map((match) => match[1]!));
  const namespace = /NAMESPACE: &str = "(.+)"/.exec(rust('aws/src/metrics.rs'))![1]!;
  const own = alarms().filter((alarm) => alarm.Namespace === namespace);
  expect(own.map((alarm) => alarm.MetricName).sort()).toEqual([
    'CapReached',
    'EraserRefusals',
    'FarOff',
    'LateActive',
    'OldestOverdueSeconds',
    'Quarantined',
    'RecordsFailed',
    'RecordsHeld',
    'ScheduledRuns',
    'Throttles',
  ]);
  const body = dashboard();
  const shown: string[] = body.widgets
    .flatMap((w: any) => [...(w.properties.metrics ?? [])])
    .filter((metric: string[]) => metric[0] === namespace)
    .map((metric: string[]) => metric[1]);
  expect(new Set(shown)).toEqual(emitted);
  for (const alarm of own) {
    expect([...emitted]).toContain(alarm.MetricName);
    expect(alarm.Dimensions).toEqual([{ Name: 'Environment', Value: 'production' }]);
  }
});

test('failed requests are counted by what the deletion function logs', () => {
  const filter = only(service(), 'AWS::Logs::MetricFilter').Properties;
  const message = /\$\.message = "(.+)"/.exec(filter.FilterPattern)![1]!;
  expect(rust('deletion/src/handler.rs')).toContain(`tracing::error!(reason = %stop, "${message}")`);
  const [{ MetricName, MetricNamespace, MetricValue }] = filter.MetricTransformations;
  expect([MetricName, MetricNamespace, MetricValue]).toEqual(['RequestsFailed', 'Photolala/Deletion/production', '1']);
  const alarm = alarmNamed('failed-requests');
  expect([alarm.MetricName, alarm.Namespace]).toEqual([MetricName, MetricNamespace]);
});

test('the dashboard shows every alarm', () => {
  const body = dashboard();
  const shown = body.widgets.flatMap((w: any) => w.properties.alarms ?? []);
  const arn = (name: string) => `arn:aws:cloudwatch:us-east-1:000000000000:alarm:${name}`;
  expect(shown.sort()).toEqual(
    alarms()
      .map((alarm) => arn(alarm.AlarmName))
      .sort(),
  );
});

test('the alarm address is told, and only alarms of this environment may publish', () => {
  for (const name of NAMES) {
    const template = synthesized(name).service;
    expect(only(template, 'AWS::SNS::Subscription').Properties).toMatchObject({
      Protocol: 'email',
      Endpoint: environment(name).alarmAddress,
    });
    const statements = only(template, 'AWS::SNS::TopicPolicy').Properties.PolicyDocument.Statement as any[];
    expect(statements.filter((s) => s.Effect === 'Allow').map((s) => [s.Principal, s.Action, s.Condition])).toEqual([
      [
        { Service: 'cloudwatch.amazonaws.com' },
        'sns:Publish',
        {
          StringEquals: { 'aws:SourceAccount': '000000000000' },
          ArnLike: { 'aws:SourceArn': `arn:aws:cloudwatch:us-east-1:000000000000:alarm:photolala-deletion-${name}-*` },
        },
      ],
    ]);
    expect(statements.filter((s) => s.Effect === 'Deny').map((s) => s.Condition)).toEqual([
      { Bool: { 'aws:SecureTransport': 'false' } },
    ]);
  }
});
