import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prebuilt } from '../lib/bootstrap';
import { elfHeader, stubBootstraps } from './support';

const folder = (change: (path: string) => void, machine: 'x86_64' | 'arm64' | 'riscv' = 'x86_64') => {
  const made = join(stubBootstraps(machine), 'photolala-eraser');
  change(join(made, 'bootstrap'));
  return made;
};

test('an executable of the right architecture is taken', () => {
  expect(() =>
    prebuilt(
      folder(() => undefined),
      'x86_64',
    ),
  ).not.toThrow();
  expect(() =>
    prebuilt(
      folder(() => undefined, 'arm64'),
      'arm64',
    ),
  ).not.toThrow();
});

test('a missing one is refused with the command that builds it', () => {
  expect(() =>
    prebuilt(
      folder((path) => rmSync(path)),
      'x86_64',
    ),
  ).toThrow(/bootstrap is missing; run bin\/functions$/);
  expect(() =>
    prebuilt(
      folder((path) => rmSync(path)),
      'arm64',
    ),
  ).toThrow(/run bin\/functions --arm64$/);
});

test('one that AWS Lambda may not start is refused', () => {
  expect(() =>
    prebuilt(
      folder((path) => chmodSync(path, 0o644)),
      'x86_64',
    ),
  ).toThrow(/has mode 0644, not 0755/);
  expect(() =>
    prebuilt(
      folder((path) => chmodSync(path, 0o700)),
      'x86_64',
    ),
  ).toThrow(/has mode 0700, not 0755/);
});

test('one of another architecture is refused with both names', () => {
  expect(() =>
    prebuilt(
      folder(() => undefined, 'arm64'),
      'x86_64',
    ),
  ).toThrow(/was built for arm64, the environment wants x86_64/);
  expect(() =>
    prebuilt(
      folder(() => undefined),
      'arm64',
    ),
  ).toThrow(/was built for x86_64, the environment wants arm64/);
  expect(() =>
    prebuilt(
      folder(() => undefined, 'riscv'),
      'arm64',
    ),
  ).toThrow(/was built for machine 243/);
});

test('what is no executable is refused', () => {
  const with32Bits = elfHeader('x86_64');
  with32Bits[4] = 1;
  for (const content of ['', '#!/bin/sh\necho no', with32Bits]) {
    expect(() =>
      prebuilt(
        folder((path) => writeFileSync(path, content)),
        'x86_64',
      ),
    ).toThrow(/is no 64-bit ELF executable/);
  }
});
