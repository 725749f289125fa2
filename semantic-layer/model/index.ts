import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ModelFile } from '#kernel';

/** The curated cubes and views that come with the product. */
export const SHIPPED_MODEL = fileURLToPath(new URL('.', import.meta.url));

/** The YAML files of a folder in the order of their names; metric tests (`*.test.yaml`) are not among them. */
export const readModelFiles = async (folder: string): Promise<ModelFile[]> =>
  readYaml(folder, (name) => !name.endsWith('.test.yaml'));

/** Metric tests of a folder, as `bac model check` runs them. */
export const readModelTests = async (folder: string): Promise<ModelFile[]> =>
  readYaml(folder, (name) => name.endsWith('.test.yaml'));

async function readYaml(folder: string, wanted: (name: string) => boolean): Promise<ModelFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml') && wanted(name)).sort();
  return Promise.all(
    names.map(async (fileName) => ({ fileName, content: await readFile(join(folder, fileName), 'utf8') })),
  );
}
