import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type TableSchema, warehouseTableOf } from '#kernel';
import { renderStatement } from '../schema/migrate.ts';
import { column, scalar, tableSchema } from '../sink/testing/events.ts';
import { SAMPLE_TYPES } from '../types/testing/values.ts';
import {
  type AppliedTable,
  clusterLayout,
  createDatabase,
  createHistory,
  createReader,
  createTable,
  dropTable,
  singleServer,
  wantedColumns,
} from './index.ts';

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

describe('in a cluster', () => {
  const replicated = clusterLayout({ name: 'main', replicated: true });
  const plain = clusterLayout({ name: "it's", replicated: false });
  const wholeRow = tableSchema(
    'log',
    [column(2, 'line', scalar('text')), column(3, 'cost', scalar('float8'))],
    { keyRule: 'whole-row', key: ['id', 'line', 'cost'], fullIdentity: true },
  );
  const everyType = tableSchema(
    'kinds',
    SAMPLE_TYPES.map(({ name, type }, index) => column(index + 2, name, type)),
    { comment: 'One column of each type' },
  );
  /** What the table is once it has been created. */
  const applied = (schema: TableSchema, stored: string, shards: number): AppliedTable => ({
    ...warehouseTableOf(schema),
    stored,
    shards,
    generation: 2,
    version: schema.version,
    columns: wantedColumns(schema),
    key: schema.key.map((name) => schema.columns.find((one) => one.name === name)!.attnum),
    comment: schema.comment ?? '',
  });

  test('the database, and a table dropped', async () => {
    const sql = `${createDatabase('shop', replicated)};\n${dropTable('shop', 'log__g1', replicated)};\n`;
    await expect(sql).toMatchFileSnapshot(golden('cluster-database'));
  });

  test('rows of a replicated table whose whole row is its key, and what people read', async () => {
    const [stored, history] = [
      createTable(wholeRow, 2, undefined, replicated, 3),
      createHistory(wholeRow, 2, replicated, 3),
    ];
    await expect(`${stored}\n`).toMatchFileSnapshot(golden('cluster-stored'));
    await expect(`${createReader(applied(wholeRow, 'log__g2', 3), replicated)}\n`).toMatchFileSnapshot(
      golden('cluster-reader'),
    );
    await expect(`${history}\n`).toMatchFileSnapshot(golden('cluster-history'));
    const reader = { ...applied(wholeRow, 'log__history__local', 3), table: 'log__history' };
    await expect(`${createReader(reader, replicated)}\n`).toMatchFileSnapshot(
      golden('cluster-history-reader'),
    );
  });

  test('every type, not replicated, and a sharding key of every type that takes part in it', async () => {
    await expect(`${createTable(everyType, 2, undefined, plain, 2)}\n`).toMatchFileSnapshot(
      golden('cluster-every-type'),
    );
    const keyed = {
      ...applied(everyType, 'kinds__g2', 2),
      key: everyType.columns.map(({ attnum }) => attnum),
    };
    await expect(`${createReader(keyed, plain)}\n`).toMatchFileSnapshot(golden('cluster-every-type-reader'));
  });

  test("the hub's own objects", async () => {
    const files = ['001_hub.sql', '001_hub.cluster.sql'];
    const texts = files.map((file) => readFileSync(new URL(`../schema/${file}`, import.meta.url), 'utf8'));
    await expect(renderStatement(texts[0]!, singleServer)).toMatchFileSnapshot(golden('hub'));
    await expect(renderStatement(texts[1]!, replicated)).toMatchFileSnapshot(golden('cluster-hub'));
  });
});

test('a table without a key is refused', () => {
  expect(() => createTable(tableSchema('none', [], { keyRule: 'none', key: [] }), 1)).toThrow('has no key');
});
