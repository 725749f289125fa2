import { chTable, HubError, type Logger, userError, type Warehouse, type WarehouseCluster } from '#kernel';
import { ConnectionLost } from './errors.ts';
import { HostPool } from './failover.ts';
import type { Host } from './host.ts';

export interface ClusterOptions {
  readonly name: string;
  readonly replicated: boolean;
  readonly insertQuorum?: number | 'auto' | undefined;
}

/** Hosts that did not answer are asked for their shard again after this long. */
const ASK_AGAIN_MS = 5000;
const SETTLE_SECONDS = 30;

interface Place {
  readonly shard: number;
  readonly shards: number;
  readonly heaviest: number;
}

/**
 * Which of the given hosts belongs to which shard, by their own word: the entry of `system.clusters`
 * that a server knows to be itself. So neither order nor spelling of the URLs matters.
 */
export function clusterOf(
  options: ClusterOptions,
  hosts: readonly Host[],
  over: (pool: HostPool) => Warehouse,
  log: Logger,
): WarehouseCluster {
  const { name, replicated, insertQuorum } = options;
  const known: Warehouse[] = [];
  let askedAt = -Infinity;
  let asking: Promise<void> | null = null;

  const ask = async (): Promise<void> => {
    let failure: unknown = null;
    let count = 0;
    await Promise.all(
      hosts.map(async (host) => {
        try {
          const place = await placeOf(host, name);
          host.shard = place.shard;
          count = Math.max(count, place.shards);
          if (place.heaviest > 1) throw weights(name);
        } catch (error) {
          if (!(error instanceof ConnectionLost)) failure = error;
          else log.debug({ host: host.url, err: error }, 'host cannot be asked for its shard');
        }
      }),
    );
    if (failure !== null) throw failure;
    for (let shard = known.length + 1; shard <= count; shard += 1) {
      known.push(over(new HostPool(() => hosts.filter((host) => host.shard === shard), log)));
    }
    askedAt = performance.now();
  };

  const shards = async (): Promise<readonly Warehouse[]> => {
    const complete = hosts.every((host) => host.shard !== null);
    if (!complete && performance.now() - askedAt > ASK_AGAIN_MS) {
      asking ??= ask().finally(() => {
        asking = null;
      });
      await asking;
    }
    const missing = known.findIndex((_, index) => hosts.every((host) => host.shard !== index + 1));
    if (known.length > 0 && missing < 0) return known;
    throw new HubError(
      'CLUSTER_SHARD_UNREACHABLE',
      known.length === 0
        ? `No host of ClickHouse cluster ${name} answers.`
        : `No known host belongs to shard ${missing + 1} of ClickHouse cluster ${name}.`,
      { disposition: 'transient', next: 'Name at least one host of every shard in clickhouse.url.' },
    );
  };

  return {
    name,
    replicated,
    insertSettings:
      insertQuorum === undefined ? {} : { insert_quorum: insertQuorum, insert_quorum_parallel: 1 },
    shards,
    async settled(database, table) {
      if (!replicated) return;
      await shards();
      await Promise.all(
        hosts.map(async (host) => {
          if (host.leftOutUntil > performance.now()) return;
          const one = over(new HostPool(() => [host], log));
          const tables = await one.query<{ name: string }>(
            'SELECT table AS name FROM system.replicas WHERE database = {database:String} AND match(table, {pattern:String})',
            { params: { database, pattern: `^${table.replace(/[^A-Za-z0-9_]/g, '\\$&')}__g[0-9]+$` } },
          );
          for (const { name: stored } of tables) await syncReplica(one, database, stored);
        }),
      );
    },
  };
}

/** Waits until this replica has fetched everything that any replica of its shard has acknowledged. */
const syncReplica = (warehouse: Warehouse, database: string, table: string): Promise<void> =>
  warehouse.command(`SYSTEM SYNC REPLICA ${chTable(database, table)} LIGHTWEIGHT`, {
    settings: { receive_timeout: SETTLE_SECONDS },
  });

async function placeOf(host: Host, cluster: string): Promise<Place> {
  const rows = await host.runWatched(async (client, signal) => {
    const result = await client.query({
      query: `SELECT max(if(is_local, shard_num, 0)) AS shard, max(shard_num) AS shards, max(shard_weight) AS heaviest
        FROM system.clusters WHERE cluster = {cluster:String}`,
      query_params: { cluster },
      format: 'JSONEachRow',
      ...(signal === undefined ? {} : { abort_signal: signal }),
    });
    return result.json<Place>();
  });
  const place = rows[0];
  if (place === undefined || place.shard === 0) {
    throw userError(
      'CLUSTER_UNKNOWN',
      place?.shards
        ? `${host.url} is not one of the servers of cluster ${cluster}.`
        : `${host.url} knows no cluster ${cluster}.`,
      'Compare clickhouse.cluster.name and clickhouse.url with system.clusters on that server.',
    );
  }
  return place;
}

const weights = (cluster: string): HubError =>
  userError(
    'CLUSTER_WEIGHTS',
    `Shards of cluster ${cluster} have weights.`,
    'The hub spreads rows evenly: remove <weight> from remote_servers.',
  );
