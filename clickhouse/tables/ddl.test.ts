import { expect, test } from 'vitest';
import { column, scalar, tableSchema } from '../sink/testing/events.ts';
import { SAMPLE_TYPES } from '../types/testing/values.ts';
import { createHistory, createTable } from './index.ts';

const golden = (name: string): string => `golden/${name}.sql`;

test('every type', async () => {
  const schema = tableSchema(
    'kinds',
    SAMPLE_TYPES.map(({ name, type }, index) =>
      column(index + 2, name, type, { comment: index === 0 ? "The table's first" : undefined }),
    ),
    { comment: 'One column of each type' },
  );
  await expect(`${createTable(schema, 1)}\n`).toMatchFileSnapshot(golden('every-type'));
});

test('a key of several columns, one of which can be odd, in a schema other than public', async () => {
  const schema = tableSchema(
    'stays',
    [
      column(2, 'day', scalar('date'), { nullable: false }),
      column(3, '_version', scalar('text')),
      column(4, 'we`ird "name"', scalar('text')),
    ],
    { schema: 'hotel', key: ['day', 'id'] },
  );
  await expect(`${createTable(schema, 2)}\n`).toMatchFileSnapshot(golden('odd-key'));
  await expect(`${createHistory(schema, 2)}\n`).toMatchFileSnapshot(golden('history'));
});

test('a table whose whole row is its key, on a cluster', async () => {
  const schema = tableSchema(
    'log',
    [column(2, 'line', scalar('text')), column(3, 'cost', scalar('float8'))],
    {
      keyRule: 'whole-row',
      key: ['id', 'line', 'cost'],
      fullIdentity: true,
    },
  );
  const layout = {
    cluster: 'main',
    engine: (version: string, deleted: string) =>
      `ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', ${version}, ${deleted})`,
  };
  await expect(`${createTable(schema, 1, 'log', layout)}\n`).toMatchFileSnapshot(golden('whole-row-cluster'));
});

test('a table without a key is refused', () => {
  expect(() => createTable(tableSchema('none', [], { keyRule: 'none', key: [] }), 1)).toThrow('has no key');
});
