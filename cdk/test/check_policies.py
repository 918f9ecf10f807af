"""Hands every policy of the reviewed templates to parliament, which knows AWS's actions, resources and condition keys.

Run by bin/check. References that only CloudFormation can resolve become ARNs of the right shape.
"""

import json
import pathlib
import sys

import parliament

GOLDEN = pathlib.Path(__file__).parent / "golden"
ARNS = {
    "AWS::SQS::Queue": "arn:aws:sqs:us-east-1:000000000000:queue",
    "AWS::IAM::Role": "arn:aws:iam::000000000000:role/role",
    "AWS::SNS::Topic": "arn:aws:sns:us-east-1:000000000000:topic",
    "AWS::S3::Bucket": "arn:aws:s3:::bucket",
    "AWS::Events::Rule": "arn:aws:events:us-east-1:000000000000:rule/rule",
}
# What parliament says and we disagree with, each with the reason.
ACCEPTED = {}


def resolved(value, resources):
    """The value with an ARN in place of each reference."""
    if isinstance(value, list):
        return [resolved(item, resources) for item in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value or "Fn::GetAtt" in value:
        target = value.get("Ref") or value["Fn::GetAtt"][0]
        return ARNS[resources[target]["Type"]]
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return separator.join(resolved(part, resources) for part in parts)
    return {key: resolved(item, resources) for key, item in value.items()}


def findings(path):
    """Everything parliament says of the identity policies of one template."""
    resources = json.loads(path.read_text())["Resources"]
    for name, resource in resources.items():
        if resource["Type"] != "AWS::IAM::Policy":
            continue
        document = resolved(resource["Properties"]["PolicyDocument"], resources)
        for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
            if finding.issue not in ACCEPTED:
                yield f"{path.name}: {name}: {finding.issue}: {finding.detail} {finding.location}"


def main():
    paths = sorted(GOLDEN.glob("*.service.json"))
    if not paths:
        sys.exit("there are no templates in cdk/test/golden")
    found = [line for path in paths for line in findings(path)]
    print("\n".join(found) or f"parliament: {len(paths)} templates, nothing found")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
