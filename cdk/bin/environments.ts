import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { faultsOf, readFiles, tell } from '../lib/environment';

/** Checks every environment, or the one that is named, and explains what is wrong with it: `bin/check` runs this. */
function main(name: string | undefined): number {
  const folder = join(__dirname, '../../environments');
  const files = readFiles(folder);
  if (name !== undefined && !files.has(name)) {
    console.error(`there is no environment ${JSON.stringify(name)}; known are ${[...files.keys()].join(', ')}`);
    return 2;
  }
  const schema = JSON.parse(readFileSync(join(folder, 'schema.json'), 'utf8')) as object;
  const faults = faultsOf(schema, files).filter((fault) => name === undefined || fault.file === name);
  faults.forEach((fault) => console.error(tell(fault)));
  if (faults.length > 0) {
    return 1;
  }
  console.log(`${name ?? [...files.keys()].join(', ')}: sound`);
  return 0;
}

process.exitCode = main(process.argv[2]);
