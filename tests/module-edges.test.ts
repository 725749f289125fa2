import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Who may import whom, besides itself. hub alone knows all; tests may import any public face. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  stream: ['kernel'],
  cdc: ['kernel'],
  clickhouse: ['kernel'],
  'operational-apps': ['kernel'],
  'semantic-layer': ['kernel'],
  dashboards: [],
  deploy: ['kernel'],
  hub: ['kernel', 'stream', 'cdc', 'clickhouse', 'operational-apps', 'semantic-layer', 'bench'],
  bench: ['kernel', 'stream', 'cdc', 'clickhouse', 'operational-apps', 'semantic-layer', 'hub', 'deploy'],
};
const FACES: Readonly<Record<string, string>> = {
  '#kernel': 'kernel',
  '#stream': 'stream',
  '#cdc': 'cdc',
  '#clickhouse': 'clickhouse',
  '#apps': 'operational-apps',
  '#semantic': 'semantic-layer',
  '#hub': 'hub',
  '#deploy/kafka': 'deploy/kafka',
};
const root = fileURLToPath(new URL('..', import.meta.url));
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g;

interface Edge {
  readonly from: string;
  readonly to: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes('node_modules'),
    )
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** Micro-benchmarks measure a module's inside; the page's types are the API's answers. */
const EXEMPT = [/^bench\/micro\//, /^dashboards\/web\/src\/api\/types\.ts$/];

const isTest = (file: string): boolean =>
  /\.test\.ts$|\/fixtures\/|\/testing(\/|\.ts)|^kernel\/contracts\//.test(file);

function edges(file: string): Edge[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(IMPORT)]
    .map((match) => match[1] ?? match[2] ?? match[3]!)
    .flatMap((specifier) => {
      if (specifier.startsWith('.'))
        return [{ from: file, to: relative(root, resolve(root, dirname(file), specifier)) }];
      return FACES[specifier] ? [{ from: file, to: `${FACES[specifier]}/index.ts` }] : [];
    });
}

const files = Object.keys(ALLOWED)
  .flatMap(sources)
  .filter((file) => !isTest(file));
const all = files.flatMap(edges);
const isFace = (file: string): boolean =>
  Object.values(FACES).some((folder) => file === `${folder}/index.ts`);
const moduleOf = (file: string): string => file.split('/')[0]!;

test('modules meet only along the allowed edges, through their public faces', () => {
  const wrong = all.filter(({ from, to }) => {
    const [source, target] = [moduleOf(from), moduleOf(to)];
    if (source === target || EXEMPT.some((exempt) => exempt.test(from))) return false;
    return !ALLOWED[source]!.includes(target) || (!isFace(to) && target !== 'bench');
  });
  expect(wrong).toEqual([]);
});

test('the import graph of files has no cycle', () => {
  const next = Map.groupBy(all, (edge) => edge.from);
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    state.set(file, 'open');
    for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  expect(cycles).toEqual([]);
});

test('the test reads imports: a known edge is seen', () => {
  expect(all).toContainEqual({ from: 'hub/roles/capture.ts', to: 'cdc/index.ts' });
});
