import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { Environment } from './environment';

export interface AlarmTopicProps {
  readonly environment: Environment;
}

/** Tells alarms to the environment's alarm address, which has to confirm the subscription once. */
export class AlarmTopic extends Construct {
  readonly topic: sns.Topic;

  constructor(scope: Construct, id: string, { environment }: AlarmTopicProps) {
    super(scope, id);
    const { awsAccount, region, name, alarmAddress } = environment;
    // Not encrypted with a key: the AWS managed one keeps CloudWatch out, and alarms carry no personal data.
    this.topic = new sns.Topic(this, 'Topic', { topicName: `photolala-deletion-${name}-alarms`, enforceSSL: true });
    // Made here, because `addSubscription` would name the resource by the address.
    new sns.Subscription(this, 'Subscription', {
      topic: this.topic,
      protocol: sns.SubscriptionProtocol.EMAIL,
      endpoint: alarmAddress,
    });
    this.topic.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'AlarmsMayPublish',
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: {
          StringEquals: { 'aws:SourceAccount': awsAccount },
          ArnLike: { 'aws:SourceArn': `arn:aws:cloudwatch:${region}:${awsAccount}:alarm:photolala-deletion-${name}-*` },
        },
      }),
    );
  }
}
