import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type HubError, type ModelFile, userError } from '#kernel';

/** The curated cubes and views that come with the product. */
export const SHIPPED_MODEL = fileURLToPath(new URL('.', import.meta.url));

const MOST_FILES = 200;
const MOST_BYTES = 500_000;

/**
 * The YAML files of a folder in the order of their names; metric tests (`*.test.yaml`) are not among them, nor names
 * that begin with a dot. Errors: MODEL_FOLDER (user) for a folder that is not there or too large.
 */
export const readModelFiles = async (folder: string): Promise<ModelFile[]> =>
  readYaml(folder, (name) => !TEST.test(name));

/** Metric tests of a folder, as `bac model check` runs them. Errors: as `readModelFiles`. */
export const readModelTests = async (folder: string): Promise<ModelFile[]> =>
  readYaml(folder, (name) => TEST.test(name));

const TEST = /\.test\.ya?ml$/;

async function readYaml(folder: string, wanted: (name: string) => boolean): Promise<ModelFile[]> {
  const all = await readdir(folder).catch((cause: Error) => {
    throw unusable(`${folder} cannot be read: ${cause.message}`, cause);
  });
  const names = all.filter((name) => /^[^.].*\.ya?ml$/.test(name) && wanted(name)).sort();
  if (names.length > MOST_FILES) throw unusable(`${folder} has more than ${MOST_FILES} YAML files.`);
  return Promise.all(
    names.map(async (fileName) => {
      const file = join(folder, fileName);
      const { size } = await stat(file);
      if (size > MOST_BYTES) throw unusable(`${file} has more than ${MOST_BYTES} bytes.`);
      return { fileName, content: await readFile(file, 'utf8') };
    }),
  );
}

const unusable = (message: string, cause?: unknown): HubError =>
  userError('MODEL_FOLDER', message, 'Give a folder with the YAML files of the model.', cause);
