import { functionNamed, Name, NAMES, only, onlyId, resources, synthesized } from './support';

const service = (name: Name = 'production') => synthesized(name).service;
const deletion = (name: Name = 'production') => functionNamed(service(name), `photolala-deletion-${name}`)[0];
const role = (name: string) => `arn:aws:iam::000000000000:role/${name}`;
const APP = role('photolala-app-production');

/** A request, as AWS Lambda would ask the function's own policy about it. */
interface Asked {
  readonly action: string;
  readonly principal: string;
  readonly authType?: string;
  readonly viaUrl?: boolean;
}

/** Whether a permission of the function allows this; EventBridge's are about its rules and are looked at there. */
function allowed({ action, principal, authType, viaUrl = false }: Asked): boolean {
  return resources(service(), 'AWS::Lambda::Permission')
    .map((permission) => permission.Properties)
    .filter((p) => p.SourceArn === undefined)
    .some(
      (p) =>
        p.Action === action &&
        p.Principal === principal &&
        (p.FunctionUrlAuthType === undefined || p.FunctionUrlAuthType === authType) &&
        (p.InvokedViaFunctionUrl === undefined || p.InvokedViaFunctionUrl === viaUrl),
    );
}

/** Both that AWS asks for when a request comes over the URL. */
const mayAsk = (principal: string, authType = 'AWS_IAM') =>
  allowed({ action: 'lambda:InvokeFunctionUrl', principal, authType }) &&
  allowed({ action: 'lambda:InvokeFunction', principal, viaUrl: true });

test.each(NAMES)('the deletion function of %s has a URL that wants signed requests, and answers whole', (name) => {
  expect(only(service(name), 'AWS::Lambda::Url').Properties).toEqual({
    AuthType: 'AWS_IAM',
    InvokeMode: 'BUFFERED',
    TargetFunctionArn: { 'Fn::GetAtt': [deletion(name), 'Arn'] },
  });
});

test('the app role may ask over the URL', () => {
  expect(mayAsk(APP)).toBe(true);
});

test('nobody else may ask over the URL, and nobody unsigned', () => {
  for (const other of [
    role('photolala-app-staging'),
    role('Administrator'),
    '*',
    '000000000000',
    'apigateway.amazonaws.com',
  ]) {
    expect([other, mayAsk(other)]).toEqual([other, false]);
  }
  expect(mayAsk(APP, 'NONE')).toBe(false);
});

test('the app role may not invoke the function directly', () => {
  expect(allowed({ action: 'lambda:InvokeFunction', principal: APP, viaUrl: false })).toBe(false);
});

test.each(NAMES)(
  'the permissions of %s name its app role and its deletion function, and nothing beyond two actions',
  (name) => {
    const given = resources(service(name), 'AWS::Lambda::Permission')
      .map((permission) => permission.Properties)
      .filter((p) => p.SourceArn === undefined);
    const common = {
      FunctionName: { 'Fn::GetAtt': [deletion(name), 'Arn'] },
      Principal: role(`photolala-app-${name}`),
    };
    expect(given).toEqual([
      { ...common, Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'AWS_IAM' },
      { ...common, Action: 'lambda:InvokeFunction', InvokedViaFunctionUrl: true },
    ]);
  },
);

test('the app role itself is left as it is', () => {
  const others = Object.values(service().Resources).filter(
    (r) => !['AWS::Lambda::Permission', 'AWS::Lambda::Function'].includes(r.Type),
  );
  expect(JSON.stringify(others)).not.toContain('photolala-app-production');
});

test('the URL is told as an output', () => {
  const url = onlyId(service(), 'AWS::Lambda::Url');
  expect(service().Outputs.FunctionUrl!.Value).toEqual({ 'Fn::GetAtt': [url, 'FunctionUrl'] });
});
