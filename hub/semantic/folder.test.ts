import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { type ModelFolder, openModelFolder } from './folder.ts';

let root: string;
let open: ModelFolder | null = null;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bac-test-folder-'));
});
afterEach(async () => {
  await open?.close();
  rmSync(root, { recursive: true, force: true });
});

async function watching(
  folder: string,
): Promise<{ names(): string[]; becomes(names: string[]): Promise<true> }> {
  const opened = await openModelFolder(folder, { logger: silentLogger(), onChange: () => {} });
  open = opened;
  const names = (): string[] => {
    const { files, tests, error } = opened.content();
    if (error) return [error.code];
    return [...files, ...tests].map(({ fileName, content }) => `${fileName} ${content}`);
  };
  return {
    names,
    becomes: (wanted) =>
      eventually(
        () => Promise.resolve(JSON.stringify(names()) === JSON.stringify(wanted) || undefined),
        10_000,
        () => `${JSON.stringify(names())} instead of ${JSON.stringify(wanted)}`,
      ),
  };
}

test('a file that is added, edited, replaced by a rename and removed is seen', async () => {
  writeFileSync(join(root, 'a.yaml'), '1');
  writeFileSync(join(root, 'notes.txt'), 'no model');
  const folder = await watching(root);
  expect(folder.names()).toEqual(['a.yaml 1']);
  writeFileSync(join(root, 'b.test.yml'), '2');
  await folder.becomes(['a.yaml 1', 'b.test.yml 2']);
  writeFileSync(join(root, 'a.yaml'), '3');
  await folder.becomes(['a.yaml 3', 'b.test.yml 2']);
  writeFileSync(join(root, '.a.yaml.swp.yaml'), '4');
  renameSync(join(root, '.a.yaml.swp.yaml'), join(root, 'a.yaml'));
  await folder.becomes(['a.yaml 4', 'b.test.yml 2']);
  rmSync(join(root, 'b.test.yml'));
  await folder.becomes(['a.yaml 4']);
});

test('a folder that is not there yet is taken up when it is made, and again after it was replaced', async () => {
  const path = join(root, 'some', 'where');
  const folder = await watching(path);
  expect(folder.names()).toEqual(['MODEL_FOLDER']);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'a.yaml'), '1');
  await folder.becomes(['a.yaml 1']);
  rmSync(join(root, 'some'), { recursive: true });
  await folder.becomes(['MODEL_FOLDER']);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'b.yaml'), '2');
  await folder.becomes(['b.yaml 2']);
});

test('links that are pointed elsewhere: a mounted ConfigMap, a checkout beside the one before', async () => {
  for (const version of ['1', '2']) {
    mkdirSync(join(root, 'mount', `..v${version}`), { recursive: true });
    writeFileSync(join(root, 'mount', `..v${version}`, 'a.yaml'), version);
  }
  const point = (link: string, to: string): void => {
    symlinkSync(to, `${link}_new`);
    renameSync(`${link}_new`, link);
  };
  point(join(root, 'mount', '..data'), '..v1');
  symlinkSync(join('..data', 'a.yaml'), join(root, 'mount', 'a.yaml'));
  const mounted = await watching(join(root, 'mount'));
  expect(mounted.names()).toEqual(['a.yaml 1']);
  point(join(root, 'mount', '..data'), '..v2');
  await mounted.becomes(['a.yaml 2']);
  await open!.close();

  point(join(root, 'current'), join('mount', '..v1'));
  const checkout = await watching(join(root, 'current'));
  expect(checkout.names()).toEqual(['a.yaml 1']);
  point(join(root, 'current'), join('mount', '..v2'));
  await checkout.becomes(['a.yaml 2']);
  writeFileSync(join(root, 'current', 'a.yaml'), '3');
  await checkout.becomes(['a.yaml 3']);
});
