import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Environment } from './environment';

/** `e_machine` of an ELF header (System V ABI, "ELF Header"): what the executable runs on. */
const MACHINES: Readonly<Record<Environment['architecture'], number>> = { x86_64: 62, arm64: 183 };
const BUILD: Readonly<Record<Environment['architecture'], string>> = {
  x86_64: 'bin/functions',
  arm64: 'bin/functions --arm64',
};

/**
 * A function's code: the executable `bootstrap` in this folder, as `bin/functions` builds it. A missing one, one that
 * AWS Lambda could not start, or one of another architecture is an error here, not after the deploy.
 */
export function prebuilt(folder: string, architecture: Environment['architecture']): lambda.Code {
  const fault = bootstrapFault(join(folder, 'bootstrap'), architecture);
  if (fault !== undefined) {
    throw new Error(`${join(folder, 'bootstrap')} ${fault}; run ${BUILD[architecture]}`);
  }
  return lambda.Code.fromAsset(folder, { exclude: ['*', '!bootstrap'] });
}

function bootstrapFault(path: string, architecture: Environment['architecture']): string | undefined {
  if (!existsSync(path)) {
    return 'is missing';
  }
  // The asset's hash does not cover the mode, so a wrong one would stay unnoticed.
  const mode = statSync(path).mode & 0o777;
  if (mode !== 0o755) {
    return `has mode 0${mode.toString(8)}, not 0755`;
  }
  const header = head(path, 20);
  if (header.length < 20 || header.toString('latin1', 0, 4) !== '\x7fELF' || header[4] !== 2 || header[5] !== 1) {
    return 'is no 64-bit ELF executable';
  }
  const machine = header.readUInt16LE(18);
  const known = Object.entries(MACHINES).find(([, number]) => number === machine);
  if (machine !== MACHINES[architecture]) {
    return `was built for ${known?.[0] ?? `machine ${machine}`}, the environment wants ${architecture}`;
  }
  return undefined;
}

function head(path: string, bytes: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(file, buffer, 0, bytes, 0));
  } finally {
    closeSync(file);
  }
}
