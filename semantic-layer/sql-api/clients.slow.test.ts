import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, type TestSqlApi, testSqlApi } from './testing/index.ts';
import { CATALOGUE } from './testing/recorded.ts';

const run = promisify(execFile);
const MINUTES = 60_000;
let server: TestSqlApi;
let dir: string;
beforeAll(async () => {
  server = await testSqlApi();
  dir = mkdtempSync(join(tmpdir(), 'bac-sql-clients-'));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});
const env = (): NodeJS.ProcessEnv => ({ ...process.env, PGPASSWORD: PASSWORD });
const present = async (program: string): Promise<boolean> =>
  run(program, ['--version']).then(
    () => true,
    () => false,
  );

const hasPsql = await present('psql');
describe.runIf(hasPsql)('psql', () => {
  const psql = async (...commands: string[]): Promise<string> => {
    const args = commands.flatMap((command) => ['-c', command]);
    return (
      await run(
        'psql',
        ['-X', '-h', '127.0.0.1', '-p', String(server.api.port), '-U', 'ann', 'bac', ...args],
        { env: env() },
      )
    ).stdout;
  };
  test('lists tables with comments and describes one', { timeout: 3 * MINUTES }, async () => {
    expect(await psql('\\dt+')).toMatch(/public \| orders +\| table[^\n]*Orders of the business/);
    const described = await psql('\\d+ orders');
    expect(described).toMatch(/revenue +\| numeric[^\n]*Measure \(sum\)\. Sum of amounts, EUR/);
    expect(described).toContain('PRIMARY KEY');
  });
  test('draws a grouped chart with a filter', async () => {
    const out = await psql(
      "SELECT status, MEASURE(revenue) FROM orders WHERE created_at >= '2024-01-01' GROUP BY 1 ORDER BY 1",
    );
    expect(out).toContain('(5 rows)');
  });
});

test.each(CATALOGUE)('$tool: $what', { timeout: 3 * MINUTES }, async ({ sql, values = [], holds = '' }) => {
  await using client = await server.client();
  const simple = await client.query(sql);
  const extended = await client.query({ text: sql, values: [...values] });
  expect(JSON.stringify(simple.rows)).toContain(holds);
  expect(extended.rows).toEqual(simple.rows);
});

const JAVA = `
import java.sql.*;
public class Client {
  public static void main(String[] a) throws Exception {
    try (Connection c = DriverManager.getConnection(a[0], "ann", a[1])) {
      StringBuilder tables = new StringBuilder();
      try (ResultSet r = c.getMetaData().getTables(null, "public", "%", new String[]{"TABLE", "VIEW"})) { while (r.next()) tables.append(r.getString("TABLE_NAME")).append(r.getString("REMARKS")).append(';'); }
      System.out.println(tables);
      StringBuilder columns = new StringBuilder();
      try (ResultSet r = c.getMetaData().getColumns(null, "public", "orders", "%")) { while (r.next()) columns.append(r.getString("COLUMN_NAME")).append(':').append(r.getString("TYPE_NAME")).append(';'); }
      System.out.println(columns);
      try (ResultSet r = c.getMetaData().getPrimaryKeys(null, "public", "orders")) { while (r.next()) System.out.println("key " + r.getString("COLUMN_NAME")); }
      c.setAutoCommit(false);
      try (PreparedStatement s = c.prepareStatement("SELECT status, date_trunc('month', created_at) AS m, MEASURE(revenue), count(*), MEASURE(average) FROM orders WHERE status = ? AND created_at >= ? GROUP BY 1, 2 ORDER BY 2")) {
        s.setFetchSize(2);
        for (int round = 0; round < 8; round++) {
          s.setString(1, "paid"); s.setTimestamp(2, Timestamp.valueOf("2024-01-01 00:00:00"));
          int n = 0; java.math.BigDecimal sum = java.math.BigDecimal.ZERO; long count = 0;
          try (ResultSet r = s.executeQuery()) { while (r.next()) { n++; r.getTimestamp(2); sum = sum.add(r.getBigDecimal(3)); count += r.getLong(4); r.getDouble(5); } }
          if (round == 0 || round == 7) System.out.println("rows " + n + " sum " + sum.stripTrailingZeros().toPlainString() + " count " + count);
        }
      }
    }
  }
}`;
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version>
<dependencies><dependency><groupId>org.postgresql</groupId><artifactId>postgresql</artifactId><version>42.7.4</version></dependency></dependencies></project>`;

test.runIf((await present('mvn')) && (await present('javac')))(
  'JDBC: metadata, parameters, fetch size, binary results',
  { timeout: 5 * MINUTES },
  async () => {
    writeFileSync(join(dir, 'pom.xml'), POM);
    writeFileSync(join(dir, 'Client.java'), JAVA);
    await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], {
      cwd: dir,
      timeout: 4 * MINUTES,
    });
    const { stdout } = await run(
      'java',
      ['-cp', 'lib/*', 'Client.java', `jdbc:postgresql://127.0.0.1:${server.api.port}/bac`, PASSWORD],
      { cwd: dir, timeout: 2 * MINUTES },
    );
    const [tables, columns, key, first, last] = stdout.trim().split('\n');
    expect(tables).toContain('ordersOrders of the business');
    expect(columns).toMatch(/created_at:timestamp;.*revenue:numeric;/);
    expect(key).toBe('key id');
    const [expected] = (
      await server.layer.connection.runAndReadAll(
        "SELECT count(DISTINCT date_trunc('month', created_at)), CAST(sum(amount) AS VARCHAR), count(*) FROM data.orders WHERE status = 'paid' AND created_at >= '2024-01-01'",
      )
    ).getRowsJson() as string[][];
    const line = `rows ${expected![0]} sum ${Number(expected![1])} count ${expected![2]}`;
    expect([first, last]).toEqual([line, line]);
  },
);

const PYTHON = `
import sys, psycopg
from sqlalchemy import create_engine, inspect, text
port, key = sys.argv[1], sys.argv[2]
with psycopg.connect(f"host=127.0.0.1 port={port} dbname=bac user=ann password={key}") as c:
    with c.cursor(binary=True) as cur:
        cur.execute("SELECT status, MEASURE(revenue), count(*), MEASURE(average), min(created_at), bool_or(paid) FROM orders WHERE amount > %s GROUP BY 1 ORDER BY 1", (10,))
        print(len(cur.fetchall()), [d.name for d in cur.description])
    with c.cursor("named") as cur:
        cur.itersize = 50
        cur.execute("SELECT id FROM orders ORDER BY id")
        print(sum(1 for _ in cur))
e = create_engine(f"postgresql+psycopg://ann:{key}@127.0.0.1:{port}/bac")
i = inspect(e)
print(sorted(i.get_table_names()))
print([(c["name"], str(c["type"])) for c in i.get_columns("orders")][:9])
print(i.get_pk_constraint("orders")["constrained_columns"], i.get_table_comment("orders")["text"], i.get_foreign_keys("orders"), i.get_indexes("orders"))
with e.connect() as c:
    print(c.execute(text("SELECT city, MEASURE(revenue) AS r FROM sales WHERE city = :c GROUP BY city"), {"c": "Lyon"}).all()[0][0])
`;

test.runIf(await present('python3'))(
  'psycopg and SQLAlchemy: reflection, binary results, server-side cursors',
  { timeout: 5 * MINUTES },
  async () => {
    await run('python3', ['-m', 'venv', join(dir, 'venv')], { timeout: 2 * MINUTES });
    const python = join(dir, 'venv/bin/python');
    await run(python, ['-m', 'pip', 'install', '-q', 'psycopg[binary]==3.2.3', 'sqlalchemy==2.0.36'], {
      timeout: 4 * MINUTES,
    });
    const { stdout } = await run(python, ['-c', PYTHON, String(server.api.port), PASSWORD], {
      timeout: 2 * MINUTES,
    });
    const [grouped, named, tables, columns, key, city] = stdout.trim().split('\n');
    expect(grouped).toMatch(/^5 \['status', 'measure', 'count', 'measure', 'min', 'bool_or'\]/);
    expect(named).toBe('300');
    expect(tables).toBe("['accounts', 'customers', 'orders', 'sales']");
    expect(columns).toContain("('created_at', 'TIMESTAMP')");
    expect(key).toMatch(/^\['id'\] Orders of the business \[\]/);
    expect(city).toBe('Lyon');
  },
);
