import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseYaml, userError } from '#kernel';
import { crossChecks } from './checks.ts';
import type { App } from './model.ts';
import { invalidApps, type Problem } from './problems.ts';
import { appSchema } from './schema/app.ts';
import { schemaProblems } from './schema-problems.ts';
import { toApp } from './to-app.ts';

export interface AppFile {
  /** Shown in errors. */
  readonly file: string;
  readonly content: string;
}

/**
 * Checks app files together and returns the apps in name order. Throws APP_INVALID (user) listing
 * everything wrong in all of them: file, line, column, path, what is wrong, the nearest valid word.
 */
export function parseApps(files: readonly AppFile[]): App[] {
  const problems: Problem[] = [];
  const checked = files.flatMap(({ file, content }) => {
    const source = parseYaml(file, content);
    problems.push(...source.problems);
    if (source.problems.length > 0) return [];
    const parsed = appSchema.safeParse(source.value ?? {});
    if (!parsed.success) {
      problems.push(...schemaProblems(source, parsed.error));
      return [];
    }
    return [{ app: toApp(file, parsed.data), source }];
  });
  // With a file missing from the picture, references into it would be reported as unknown.
  if (checked.length === files.length) problems.push(...crossChecks(checked));
  if (problems.length > 0) throw invalidApps(problems);
  return checked.map(({ app }) => app).sort((a, b) => a.name.localeCompare(b.name));
}

/** All `<folder>/<app>/app.yaml`. Errors: APPS_MISSING, APP_INVALID (both user). */
export async function loadApps(folder: string): Promise<App[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw userError(
      'APPS_MISSING',
      `Folder ${folder} cannot be read.`,
      'Name the folder that holds the apps.',
      cause,
    );
  });
  const files = entries
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'app.yaml')))
    .map((entry) => join(folder, entry.name, 'app.yaml'))
    .sort();
  if (files.length === 0)
    throw userError(
      'APPS_MISSING',
      `No app.yaml in any folder of ${folder}.`,
      'Put each app into a folder of its own, as `crm/app.yaml`.',
    );
  const shown = (file: string): string => {
    const short = relative(process.cwd(), file);
    return short.startsWith('..') ? file : short;
  };
  return parseApps(
    await Promise.all(
      files.map(async (file) => ({ file: shown(file), content: await readFile(file, 'utf8') })),
    ),
  );
}
