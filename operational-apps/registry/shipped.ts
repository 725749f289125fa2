import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { App, AppFile } from '../definitions/index.ts';

/** The texts of these apps as they came with the hub. */
export const shippedFiles = (apps: readonly App[]): Promise<AppFile[]> =>
  Promise.all(
    apps.map(async ({ name }) => ({
      file: `${name}/app.yaml`,
      content: await readFile(fileURLToPath(new URL(`../${name}/app.yaml`, import.meta.url)), 'utf8'),
    })),
  );
