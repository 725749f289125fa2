import pg from 'pg';
import type { SourceKind } from './profile.ts';

/**
 * A source's URL may name several hosts, separated by commas (`postgresql://user:pw@a:5433,b,c:5434/db`):
 * the nodes of one cluster, any of which serves. Each connection goes to the host that answered last;
 * when it does not answer, to the next one.
 */
interface SourceUrl {
  /** Everything before the hosts, `@` included. */
  readonly head: string;
  /** `host` or `host:port`, in the order given; an IPv6 address in brackets. */
  readonly hosts: readonly string[];
  /** The database and the parameters. */
  readonly tail: string;
}

const SHAPE = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^@/?#]*)([/?].*)?$/;
const DEFAULT_PORT: Readonly<Record<SourceKind, number>> = { postgres: 5432, yugabytedb: 5433 };
const HAS_PORT = /:\d+$/;

function parse(url: string): SourceUrl | null {
  const match = SHAPE.exec(url);
  if (!match) return null;
  const [, head = '', hosts = '', tail = ''] = match;
  const parsed = { head, hosts: hosts.split(','), tail };
  return parsed.hosts.every((host) => URL.canParse(`${head}${host}${tail}`)) ? parsed : null;
}

/** The same URL once per host, in the order given; null = it is not a PostgreSQL URL. */
export function hostUrls(url: string): readonly string[] | null {
  const parsed = parse(url);
  return parsed === null ? null : parsed.hosts.map((host) => `${parsed.head}${host}${parsed.tail}`);
}

/** The URL with the kind's own port written out where none is given, so that no driver puts in its default. */
export function withPorts(url: string, kind: SourceKind): string {
  const parsed = parse(url);
  if (!parsed || kind === 'postgres') return url;
  const hosts = parsed.hosts.map((host) => (HAS_PORT.test(host) ? host : `${host}:${DEFAULT_PORT[kind]}`));
  return `${parsed.head}${hosts.join(',')}${parsed.tail}`;
}

/** Host that answered last, as an index, by URL. */
const preferred = new Map<string, number>();

/** The one-host URL to connect with now. */
export function currentUrl(url: string): string {
  const urls = hostUrls(url);
  return urls?.[(preferred.get(url) ?? 0) % urls.length] ?? url;
}

/** `tried` did not answer: the next host is the one to use, unless somebody has moved on already. */
function hostFailed(url: string, tried: string): void {
  const urls = hostUrls(url) ?? [];
  const at = urls.indexOf(tried);
  if (urls.length > 1 && currentUrl(url) === tried) preferred.set(url, (at + 1) % urls.length);
}

export const hostCount = (url: string): number => hostUrls(url)?.length ?? 1;

const CONNECT_MS = 10_000;
const HOST_CODES = /^(E[A-Z_]+|08\d{3}|57P0[123]|53300)$/;

/** The failure is this host's own: another node of the same cluster may well answer. */
export function isHostTrouble(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  return HOST_CODES.test(code ?? '') || /timeout expired|Connection terminated/.test(message ?? '');
}

/**
 * A connection to whichever host answers; every host is tried once. `config` needs no address.
 * `onError` gets what breaks the connection later. Rejects with the last host's error, or at once with
 * one that every host would give (a wrong password).
 */
export async function connectSource(
  url: string,
  config: pg.ClientConfig,
  onError: (error: unknown) => void = () => undefined,
): Promise<pg.Client> {
  for (let left = hostCount(url); ; left -= 1) {
    const at = currentUrl(url);
    const client = new pg.Client({ connectionTimeoutMillis: CONNECT_MS, ...config, connectionString: at });
    let connected = false;
    client.on('error', (error) => {
      if (connected) onError(error);
    });
    try {
      await client.connect();
      connected = true;
      return client;
    } catch (error) {
      await client.end().catch(() => undefined); // never was whole
      if (isHostTrouble(error)) hostFailed(url, at);
      if (left <= 1 || !isHostTrouble(error)) throw error;
    }
  }
}

/** For `pg.Pool`: a client that goes to the current host, and makes the next one current if that fails. */
export function pooledClient(url: string): typeof pg.Client {
  return class EndpointClient extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      const at = currentUrl(url);
      // Not the pool's own time limit: that one also counts the wait for a free session.
      const options = typeof config === 'object' ? config : {};
      super({ ...options, connectionString: at, connectionTimeoutMillis: CONNECT_MS });
      const connect = super.connect.bind(this) as (callback: Connected) => void;
      // The pool always gives a callback.
      this.connect = ((callback: Connected) =>
        connect((error, client) => {
          if (isHostTrouble(error)) hostFailed(url, at);
          callback(error, client);
        })) as typeof this.connect;
    }
  };
}

type Connected = (error: Error | null, client?: pg.Client) => void;
