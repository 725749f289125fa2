import { chIdent, chLiteral } from '#kernel';
import { type Engine, type Lease, refusal, type Settings } from '../engine/index.ts';

interface Session {
  readonly lease: Lease;
  busy: boolean;
  expiry: NodeJS.Timeout | undefined;
}

export interface SessionRequest {
  readonly id: string;
  readonly timeoutSeconds: number;
  readonly user: string;
  readonly readonly: boolean;
  readonly settings: Settings;
  readonly database: string | null;
}

const MOST_SESSIONS = 64;

/**
 * Sessions named by `session_id`: SET, USE and temporary tables last from request to request of one
 * account, until none has come for `session_timeout`. One request at a time.
 */
export class Sessions {
  readonly #engine: Engine;
  readonly #sessions = new Map<string, Session>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Runs `work` in the session, made if need be. Settings of the request last for the request. */
  async run<T>(request: SessionRequest, work: (lease: Lease) => Promise<T>): Promise<T> {
    const key = JSON.stringify([request.user, request.id]);
    const session = this.#sessions.get(key) ?? (await this.#create(key, request));
    if (session.busy) throw refusal(373, 'SESSION_IS_LOCKED', `Session ${request.id} is locked by a query`);
    session.busy = true;
    clearTimeout(session.expiry);
    try {
      if (request.database) await session.lease.connection.run(`USE ${chIdent(request.database)}`);
      const before = await override(session.lease, request.settings);
      try {
        return await work(session.lease);
      } finally {
        await assign(session.lease, before);
      }
    } finally {
      session.busy = false;
      session.expiry = setTimeout(() => this.#end(key), request.timeoutSeconds * 1000).unref();
    }
  }

  close(): void {
    for (const key of [...this.#sessions.keys()]) this.#end(key);
  }

  async #create(key: string, { readonly }: SessionRequest): Promise<Session> {
    if (this.#sessions.size >= MOST_SESSIONS) {
      throw refusal(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', `More than ${MOST_SESSIONS} sessions`);
    }
    const lease = await this.#engine.lease(new Map(), { readonly, database: '' });
    const made = this.#sessions.get(key);
    if (made) {
      lease.release(false);
      return made;
    }
    const session: Session = { lease, busy: false, expiry: undefined };
    this.#sessions.set(key, session);
    return session;
  }

  #end(key: string): void {
    const session = this.#sessions.get(key);
    clearTimeout(session?.expiry);
    session?.lease.release(false);
    this.#sessions.delete(key);
  }
}

/** Sets `settings` and returns the values they had. */
async function override({ connection }: Lease, settings: Settings): Promise<Settings> {
  if (settings.size === 0) return settings;
  const names = [...settings.keys()].map(chLiteral).join(', ');
  const { bytes } = await connection.run(
    `SELECT name, value FROM system.settings WHERE name IN (${names})`,
    'JSONCompactEachRow',
  );
  const rows = bytes.toString().split('\n').filter(Boolean);
  const before = new Map(rows.map((row) => JSON.parse(row) as [string, string]));
  for (const name of settings.keys()) {
    if (!before.has(name)) throw refusal(115, 'UNKNOWN_SETTING', `Unknown setting '${name}'`);
  }
  await assign({ connection }, settings);
  return before;
}

async function assign({ connection }: Pick<Lease, 'connection'>, settings: Settings): Promise<void> {
  for (const [name, value] of settings) await connection.run(`SET ${name} = ${chLiteral(value)}`);
}
