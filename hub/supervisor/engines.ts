import { type EmbeddedPostgres, startEmbeddedPostgres } from '#apps';
import { createWarehouse, type EmbeddedClickHouse, startEmbeddedClickHouse } from '#clickhouse';
import { type ChosenPorts, type Config, type Logger, userError, usesKafka } from '#kernel';
import { kafkaIdentity } from '#stream';
import type { StateFolder } from '../state/index.ts';
import { logIdentity } from './identity.ts';
import { claimPort } from './ports.ts';
import { movedNote, type Reporter, seconds } from './reporter.ts';
import type { Running } from './unit.ts';
import { answersPostgres, waitForServer } from './wait.ts';

/** Starts a process under supervision; see `up.ts`. */
export type Run = <R extends Running>(name: string, launch: () => Promise<R>) => Promise<R>;

export interface EngineOptions {
  readonly config: Config;
  readonly chosen: ChosenPorts;
  /** Needed only where an engine or the log is embedded. */
  readonly folder: StateFolder | null;
  readonly logger: Logger;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** A user of the embedded engine who can only read, for people's own tools; its password is in the state folder. */
const READER = 'bac_reader';

/** True where this process has to start an engine itself: then it must be alone on its state folder. */
export const startsEngines = (config: Config): boolean =>
  config.postgres.url === undefined || config.clickhouse.url === undefined;

/** The operational store's URL: the configured server once it answers, else the embedded one, started here. */
export async function startPostgres(at: EngineOptions, run: Run): Promise<string> {
  const { config, reporter } = at;
  const started = performance.now();
  const { url } = config.postgres;
  if (url !== undefined) {
    await waitForServer('PostgreSQL', () => answersPostgres(url), at);
    reporter.done('PostgreSQL', `yours, at ${new URL(url).host}`);
    return url;
  }
  const claimed = await claimPort(
    'PostgreSQL',
    config.postgres.port,
    at.chosen.has('postgres'),
    'BAC_POSTGRES_PORT',
  );
  reporter.progress('PostgreSQL', 'starting');
  let port = claimed.port;
  const server = await run<EmbeddedPostgres>('postgres', async () => {
    const launched = await startEmbeddedPostgres({ dir: at.folder!.postgres, port, log: at.logger });
    port = launched.port;
    return launched;
  });
  reporter.done(
    'PostgreSQL',
    `ready on 127.0.0.1:${server.port} (${seconds(started)})${movedNote(claimed.moved, config.postgres.port)}`,
  );
  return server.url;
}

/** The same of ClickHouse: its URL and the password of the configured user. */
export async function startClickHouse(
  at: EngineOptions,
  run: Run,
): Promise<{ url: string; password: string }> {
  const { config, reporter, folder } = at;
  const started = performance.now();
  const { url, user, password: given } = config.clickhouse;
  if (url !== undefined) {
    if (given === undefined) {
      throw userError(
        'CONFIG_INVALID',
        'clickhouse.url is set but clickhouse.password is not.',
        'Set BAC_CLICKHOUSE_PASSWORD.',
      );
    }
    const warehouse = createWarehouse({ url, user, password: given, log: at.logger });
    await waitForServer(
      'ClickHouse',
      async () => {
        if (!(await warehouse.ping())) throw new Error('it does not answer');
      },
      at,
    ).finally(() => warehouse.close());
    const hosts = url.split(',').map((one) => new URL(one.trim()).host);
    reporter.done('ClickHouse', `yours, at ${hosts.join(', ')}`);
    return { url, password: given };
  }
  const password = given ?? folder!.secret('clickhouse-password');
  const claimed = await claimPort(
    'ClickHouse',
    config.clickhouse.port,
    at.chosen.has('clickhouse'),
    'BAC_CLICKHOUSE_PORT',
  );
  reporter.progress('ClickHouse', 'starting');
  let port = claimed.port;
  const server = await run<EmbeddedClickHouse>('clickhouse', async () => {
    const launched = await startEmbeddedClickHouse({
      dir: folder!.clickhouse,
      port,
      user,
      password,
      readonlyUser: READER,
      readonlyPassword: folder!.secret('clickhouse-reader'),
      sessions: config.clickhouse.sessions,
      log: at.logger,
    });
    port = launched.port;
    return launched;
  });
  reporter.done(
    'ClickHouse',
    `ready on 127.0.0.1:${server.port} (${seconds(started)})${movedNote(claimed.moved, config.clickhouse.port)}`,
  );
  return { url: server.url, password };
}

/** What tells the log of this hub from any other; waits for Kafka where that is the log. */
export async function findLog(at: EngineOptions): Promise<string> {
  const { config, reporter } = at;
  if (!usesKafka(config.log)) return logIdentity(at.folder!.log);
  let identity = '';
  await waitForServer(
    'Kafka',
    async () => {
      identity = await kafkaIdentity(config.log, at.logger);
    },
    at,
  );
  reporter.done('Kafka', `yours, at ${config.log.kafka.brokers.join(',')}`);
  return identity;
}
