import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWarehouse, type EmbeddedClickHouse, startEmbeddedClickHouse } from '#clickhouse';
import { silentLogger, type Warehouse } from '#kernel';

export interface TestClickHouse extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** An account that can only read. */
  readonly readonlyUser: string;
  readonly readonlyPassword: string;
  readonly dir: string;
  /** Pid of the engine that runs now. */
  readonly pid: number;
  readonly warehouse: Warehouse;
  /** Kills the engine with SIGKILL and waits until it is gone. */
  kill9(): Promise<void>;
  /** Ends the engine if it runs and starts it again on the same folder and port. */
  restart(): Promise<void>;
}

/** A real ClickHouse engine of its own in a temporary folder on a free port; disposing stops and removes it. */
export async function testClickHouse(
  options: { sessions?: number; config?: string } = {},
): Promise<TestClickHouse> {
  const dir = mkdtempSync(join(tmpdir(), 'bac-test-ch-'));
  const accounts = {
    user: 'bac',
    password: 'test-password',
    readonlyUser: 'reader',
    readonlyPassword: 'reader-password',
  };
  const configFile = join(dir, 'config.xml');
  if (options.config !== undefined) writeFileSync(configFile, options.config);
  const start = (port: number): Promise<EmbeddedClickHouse> =>
    startEmbeddedClickHouse({
      dir,
      port,
      sessions: options.sessions ?? 4,
      log: silentLogger(),
      ...accounts,
      ...(options.config === undefined ? {} : { configFile }),
    });
  let engine = await start(0);
  const { url, port } = engine;
  const warehouse = createWarehouse({ url, ...accounts, log: silentLogger() });
  return {
    url,
    port,
    dir,
    ...accounts,
    warehouse,
    get pid() {
      return engine.pid;
    },
    async kill9() {
      process.kill(engine.pid, 'SIGKILL');
      await engine.exited;
    },
    async restart() {
      await engine.stop();
      engine = await start(port);
    },
    async [Symbol.asyncDispose]() {
      await warehouse.close();
      await engine.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
