import { roleNamed, Template } from './support';

/** A statement as it stands in a template, with references in place of what only CloudFormation knows. */
export interface Statement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

/** A request, as AWS would ask IAM about it. */
export interface Request {
  readonly action: string;
  readonly resource: string;
  /** Condition keys beside the AWS account of the resource. */
  readonly keys?: Record<string, string>;
}

/** Statements of the policies attached to the role of this name. */
export function statementsOf(template: Template, roleName: string): Statement[] {
  const [id, role] = roleNamed(template, roleName);
  if (role.Properties.ManagedPolicyArns !== undefined || role.Properties.Policies !== undefined) {
    throw new Error(`${roleName} has policies that are not looked at here`);
  }
  return Object.values(template.Resources)
    .filter((resource) => resource.Type === 'AWS::IAM::Policy')
    .filter((policy) => JSON.stringify(policy.Properties.Roles) === JSON.stringify([{ Ref: id }]))
    .flatMap((policy) => policy.Properties.PolicyDocument.Statement as Statement[]);
}

/** Whether a role may do something. Denies are none of ours, so one would be an error here. */
export function may(statements: readonly Statement[], request: Request): boolean {
  const keys = { 'aws:ResourceAccount': '000000000000', ...request.keys };
  return statements.some((statement) => {
    if (statement.Effect !== 'Allow') {
      throw new Error(`${statement.Sid} is no Allow`);
    }
    return (
      list(statement.Action).some((action) => matches(action, request.action)) &&
      list(statement.Resource).some((resource) => matches(text(resource), request.resource)) &&
      Object.entries(statement.Condition ?? {}).every(([operator, wanted]) => holds(operator, wanted, keys))
    );
  });
}

/** Whether a resource's own policy refuses a request, whatever else allows it. Its statements are about any principal. */
export function refuses(statements: readonly (Statement & { Principal?: unknown })[], request: Request): boolean {
  return statements.some((statement) => {
    if (statement.Effect !== 'Deny' || statement.Principal !== '*') {
      throw new Error(`${statement.Sid} is no Deny of everybody`);
    }
    return (
      list(statement.Action).some((action) => matches(action, request.action)) &&
      list(statement.Resource).some((resource) => matches(text(resource), request.resource)) &&
      Object.entries(statement.Condition ?? {}).every(([operator, wanted]) =>
        holds(operator, wanted, request.keys ?? {}),
      )
    );
  });
}

/** IAM User Guide, "IAM JSON policy elements: Condition operators"; an operator not known here is an error. */
function holds(operator: string, wanted: Record<string, string | string[]>, keys: Record<string, string>): boolean {
  return Object.entries(wanted).every(([key, values]) => {
    const found = keys[key];
    switch (operator) {
      case 'StringEquals':
        return found !== undefined && list(values).includes(found);
      case 'StringEqualsIfExists':
        return found === undefined || list(values).includes(found);
      case 'StringLike':
        return found !== undefined && list(values).some((value) => matches(value, found));
      case 'StringLikeIfExists':
        return found === undefined || list(values).some((value) => matches(value, found));
      case 'ArnNotEquals': // holds where the key is missing, as every negated operator
        return found === undefined || !list(values).some((value) => matches(value, found));
      default:
        throw new Error(`${operator} is not known`);
    }
  });
}

/** `*` is anything, `?` any one character. */
function matches(pattern: string, value: string): boolean {
  const source = [...pattern].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[.+^${}()|[\]\\]/, '\\$&')));
  return new RegExp(`^${source.join('')}$`, 's').test(value);
}

function list<T>(one: T | T[]): T[] {
  return Array.isArray(one) ? one : [one];
}

/** A reference, as `Logical` or `Logical.Attribute`. */
function text(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  const { Ref: ref, 'Fn::GetAtt': attribute } = value as { Ref?: string; 'Fn::GetAtt'?: string[] };
  return ref ?? attribute!.join('.');
}
