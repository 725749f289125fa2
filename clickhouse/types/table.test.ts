import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { typeTable } from './table.ts';

test('docs/types.md shows the type map as it is', () => {
  const page = readFileSync(new URL('../../docs/types.md', import.meta.url), 'utf8');
  expect(page).toContain(typeTable());
});
