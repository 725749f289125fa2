import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseApps } from '#apps';

const read = (path: string): string => readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');

test('the app that docs/apps.md shows is the one that is tested, valid and short', () => {
  const content = read('examples/workshop/app.yaml');
  expect(content.split('\n').length).toBeLessThan(120);
  expect(parseApps([{ file: 'workshop/app.yaml', content }])[0]!.entities.length).toBe(3);
  const [, shown] = /```yaml\n(app:\n {2}name: workshop.*?)```/s.exec(read('apps.md'))!;
  expect(content.endsWith(shown!)).toBe(true);
});
