import pg from 'pg';
import { type Principal, silentLogger } from '#kernel';
import { openSqlApi, type SqlApi, type SqlApiOptions } from '../index.ts';
import { type TestLayer, testLayer } from './layer.ts';

export const PASSWORD = 'an.api-key';
export const PRINCIPAL: Principal = {
  tenant: null,
  user: 'ann',
  roles: ['analyst'],
  attributes: {},
  scopes: ['read'],
};

export interface TestSqlApi extends AsyncDisposable {
  readonly api: SqlApi;
  readonly layer: TestLayer;
  readonly url: string;
  client(options?: pg.ClientConfig): Promise<pg.Client & AsyncDisposable>;
}

/** The SQL API on a free port over the test business. */
export async function testSqlApi(
  options: Partial<SqlApiOptions> & { rows?: number } = {},
): Promise<TestSqlApi> {
  const layer = await testLayer(options.rows);
  const api = await openSqlApi({
    layer,
    authenticate: async (_user, password) => (password === PASSWORD ? PRINCIPAL : null),
    host: '127.0.0.1',
    port: 0,
    maxConnections: 20,
    maxRows: 100_000,
    maxStatementMs: 60_000,
    log: silentLogger(),
    ...options,
  });
  const url = `postgresql://ann:${PASSWORD}@127.0.0.1:${api.port}/bac`;
  return {
    api,
    layer,
    url,
    async client(more = {}) {
      const client = new pg.Client({ connectionString: url, ...more });
      await client.connect();
      return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
    },
    async [Symbol.asyncDispose]() {
      await api.close();
      await layer[Symbol.asyncDispose]();
    },
  };
}
