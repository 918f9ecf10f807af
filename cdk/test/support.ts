import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Variant } from './variants';

export const ROOT = join(__dirname, '../..');
export const ENVIRONMENTS = join(ROOT, 'environments');
export const NAMES = ['development', 'staging', 'production'] as const;
export type Name = (typeof NAMES)[number];

/** Numbers of machines in ELF headers. */
const MACHINES = { x86_64: 62, arm64: 183, riscv: 243 };

/** The first bytes of a 64-bit ELF executable: enough for whoever looks at the header only. */
export function elfHeader(machine: keyof typeof MACHINES): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 0, 'latin1');
  header.set([2, 1, 1], 4);
  header.writeUInt16LE(MACHINES[machine], 18);
  return header;
}

/** A folder with stand-ins for both prebuilt functions. */
export function stubBootstraps(machine: keyof typeof MACHINES): string {
  const folder = mkdtempSync(join(tmpdir(), 'bootstraps-'));
  for (const name of ['photolala-deletion', 'photolala-eraser']) {
    mkdirSync(join(folder, name));
    const path = join(folder, name, 'bootstrap');
    writeFileSync(path, elfHeader(machine));
    chmodSync(path, 0o755);
  }
  return folder;
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, any>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}
export interface Template {
  readonly Resources: Record<string, Resource>;
  readonly Outputs: Record<string, { Value: unknown }>;
}
export interface Synthesized {
  readonly state: Template;
  readonly service: Template;
  /** Templates and asset lists of the cloud assembly, by file name. */
  readonly files: Record<string, string>;
  /** Sockets that the synth tried to open. */
  readonly connections: number;
  /** What cdk-nag found that no written reason stands for. */
  readonly findings: string[];
}

/** What `global-setup.ts` synthesized. */
export function synthesized(variant: Variant): Synthesized {
  return JSON.parse(readFileSync(join(process.env.SYNTHESIZED!, `${variant}.json`), 'utf8')) as Synthesized;
}

/** Every resource of a type, by logical id. */
export function entries(template: Template, type: string): [string, Resource][] {
  return Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
}

/** Every resource of a type. */
export function resources(template: Template, type: string): Resource[] {
  return entries(template, type).map(([, resource]) => resource);
}

/** The only resource of a type. */
export function only(template: Template, type: string): Resource {
  return onlyEntry(template, type)[1];
}

/** Logical id of the only resource of a type. */
export function onlyId(template: Template, type: string): string {
  return onlyEntry(template, type)[0];
}

function onlyEntry(template: Template, type: string): [string, Resource] {
  const found = entries(template, type);
  if (found.length !== 1) {
    throw new Error(`${found.length} resources are ${type}, not one`);
  }
  return found[0]!;
}

/** The function of this name, by logical id. */
export function functionNamed(template: Template, name: string): [string, Resource] {
  const found = entries(template, 'AWS::Lambda::Function').find(([, f]) => f.Properties.FunctionName === name);
  if (found === undefined) {
    throw new Error(`there is no function ${name}`);
  }
  return found;
}

/** The role of this name, by logical id. */
export function roleNamed(template: Template, name: string): [string, Resource] {
  const found = entries(template, 'AWS::IAM::Role').find(([, role]) => role.Properties.RoleName === name);
  if (found === undefined) {
    throw new Error(`there is no role ${name}`);
  }
  return found;
}
