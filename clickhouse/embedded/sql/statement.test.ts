import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tokens } from './lexer.ts';
import { parseStatement, type Statement } from './statement.ts';

const insert = (sql: string): (Statement & { kind: 'insert' }) | null => {
  const statement = parseStatement(sql);
  return statement.kind === 'insert' ? statement : null;
};

describe('kinds', () => {
  test.each([
    ['SELECT 1', 'select', null],
    ['(SELECT 1) UNION ALL (SELECT 2)', 'select', null],
    ['WITH 1 AS x SELECT x FORMAT CSV', 'select', 'CSV'],
    ['FROM t SELECT a', 'select', null],
    ['SELECT format FROM t', 'select', null],
    ['SELECT 1 AS format', 'select', null],
    ["SELECT 'FORMAT CSV' -- FORMAT TSV", 'select', null],
    ['SELECT * FROM (SELECT 1 FORMAT) FORMAT JSON SETTINGS max_threads = 1;', 'select', 'JSON'],
    ['SHOW TABLES FORMAT JSON', 'command', 'JSON'],
    ['CREATE TABLE t AS SELECT 1', 'command', null],
    ['WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x', 'command', null],
    ["INSERT INTO t SELECT * FROM values('a Int8', 1)", 'command', null],
    ['/* INSERT */ EXPLAIN SELECT 1', 'command', null],
  ])('%s', (sql, kind, format) => {
    expect(parseStatement(sql)).toMatchObject({ kind, format });
  });

  test.each([
    ['INSERT INTO t (a, b) FORMAT TabSeparated\n1\t2', 'INSERT INTO t (a, b) ', 'TabSeparated', '1\t2'],
    ['insert into t format CSV \r\n\n1', 'insert into t ', 'CSV', '\n1'],
    ['INSERT INTO t VALUES (1); DROP TABLE t', 'INSERT INTO t ', 'Values', ' (1); DROP TABLE t'],
    ['INSERT INTO t FORMAT Values (1)', 'INSERT INTO t ', 'Values', '(1)'],
    ['INSERT INTO `values` (`format`) SETTINGS a = 1 FORMAT JSONEachRow {}', null, 'JSONEachRow', '{}'],
    ["INSERT INTO FUNCTION file('a', 'TSV') VALUES (1)", null, 'Values', ' (1)'],
  ])('%j carries its rows', (sql, head, format, data) => {
    const statement = insert(sql)!;
    expect(statement.format).toBe(format);
    expect(sql.slice(statement.dataAt)).toBe(data);
    if (head !== null) expect(statement.head).toBe(head);
  });

  test('input() is found with its structure', () => {
    const sql = "INSERT INTO t SELECT lower(a) FROM input('a String, b Int8') WHERE b > 0 FORMAT CSV\nx,1";
    const statement = parseStatement(sql);
    if (statement.kind !== 'insert-input') throw new Error(statement.kind);
    expect(statement.input.structure).toBe("'a String, b Int8'");
    expect(statement.sql.slice(statement.input.start, statement.input.end)).toBe("input('a String, b Int8')");
    expect(sql.slice(statement.dataAt)).toBe('x,1');
  });
});

test('several statements and files are refused wherever they stand', () => {
  for (const sql of [
    'SELECT 1;SELECT 2',
    'DROP TABLE a; DROP TABLE b',
    'INSERT INTO t SELECT 1; SELECT 2',
    'SELECT 1); DROP TABLE t',
    ';;',
    '',
  ]) {
    expect(() => parseStatement(sql), sql).toThrow(/Code: 62/);
  }
  for (const sql of ["SELECT 1 into/**/outfile 'x'", "INSERT INTO t FROM INFILE 'x' FORMAT CSV"]) {
    expect(() => parseStatement(sql), sql).toThrow(/Code: 48/);
  }
});

test('literals of any content are one token', () => {
  const quoted = fc.string({ unit: 'binary' }).map((text) => ({
    single: `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
    doubled: `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
    name: `\`${text.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``,
  }));
  fc.assert(
    fc.property(quoted, ({ single, doubled, name }) => {
      for (const literal of [single, doubled, name]) {
        const sql = `SELECT ${literal} FORMAT CSV`;
        const texts = [...tokens(sql)].map((token) => token.text);
        // Two quoted literals side by side would be one with a doubled quote; here none are.
        expect(texts).toEqual(['SELECT', literal, 'FORMAT', 'CSV']);
      }
    }),
    { verbose: true },
  );
});
