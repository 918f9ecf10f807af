import { rmSync } from 'node:fs';

/** Removes the folder that `global-setup.ts` made for everything temporary. */
export default function removeTemporary(): void {
  rmSync(process.env.TMPDIR!, { recursive: true });
}
