import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { Environment } from './environment';

export interface FunctionUrlProps {
  readonly environment: Environment;
  readonly deletion: lambda.Function;
}

/**
 * How the app speaks to the deletion function, signed as a session of the environment's app role.
 *
 * That role must be assumable by the sign-in back end alone, which sets the name of the session to the id of the account
 * that is signed in: the function believes the session name. Whoever else could assume the role could name, and so
 * erase, anybody. Nothing here can see to that; the role is not ours, and has to exist before this is deployed.
 *
 * No CORS: the app is no web page.
 */
export class FunctionUrl extends Construct {
  readonly url: string;

  constructor(scope: Construct, id: string, { environment, deletion }: FunctionUrlProps) {
    super(scope, id);
    const { awsAccount, appRole } = environment;
    this.url = new lambda.FunctionUrl(this, 'Url', {
      function: deletion,
      authType: lambda.FunctionUrlAuthType.AWS_IAM,
      invokeMode: lambda.InvokeMode.BUFFERED,
    }).url;
    // The role as a principal, not imported: that would attach a policy to a role that is not ours.
    const principal = new iam.ArnPrincipal(`arn:aws:iam::${awsAccount}:role/${appRole}`);
    deletion.addPermission('AppAsksUrl', {
      scope: this,
      principal,
      action: 'lambda:InvokeFunctionUrl',
      functionUrlAuthType: lambda.FunctionUrlAuthType.AWS_IAM,
    });
    // AWS asks for this one too since October 2025 (Developer Guide, "Control access to Lambda function URLs"). It holds
    // for what comes over the URL only: a direct invocation carries no caller, and stays refused.
    deletion.addPermission('AppInvokesByUrl', {
      scope: this,
      principal,
      action: 'lambda:InvokeFunction',
      invokedViaFunctionUrl: true,
    });
  }
}
