import { connect, createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { formatLsn } from '../../pgoutput/index.ts';
import { RealChanges } from './changes.ts';
import { emulated, refusal, SLOTS_TABLE } from './emulate.ts';
import { CAPTURE_RULES, violations } from './rules.ts';
import { StandInSlot } from './slot.ts';
import { Walsender } from './walsender.ts';
import { FrontendReader, frontend, startupOf } from './wire.ts';

export interface StandInOptions {
  /** The PostgreSQL behind: its database's tables are the cluster's. */
  readonly url: string;
  /** Nodes of the cluster; each has a port of its own and serves everything. */
  readonly nodes?: number;
  /** How often the stream takes notice of the publication. Default 50 ms. */
  readonly refreshMs?: number;
  /** How long a slot counts as read after its reader went. Default 200 ms. */
  readonly lingerMs?: number;
  /** See RealChanges. Default: always. */
  readonly omits?: () => boolean;
  /** Asked before each message of a stream; true breaks the connection there. */
  readonly cuts?: () => boolean;
}

export interface Recorded {
  readonly connection: 'ordinary' | 'replication';
  readonly sql: string;
}

/**
 * A cluster as capture sees it: SQL is answered by a real PostgreSQL, changed where YugabyteDB answers
 * differently; what YugabyteDB does not support is refused; slots, LSNs and the change stream are the
 * stand-in's own. Every statement is recorded.
 */
export class StandIn implements AsyncDisposable {
  readonly statements: Recorded[] = [];
  readonly slots = new Map<string, StandInSlot>();
  readonly #options: StandInOptions;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #admin: pg.Pool;
  readonly #changes: RealChanges;
  readonly #nodes: { server: Server; sockets: Set<Socket>; port: number }[] = [];
  #refresh: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> = Promise.resolve();

  private constructor(options: StandInOptions) {
    this.#options = options;
    const { hostname, port } = new URL(options.url);
    this.#target = { host: hostname, port: Number(port) };
    this.#admin = new pg.Pool({ connectionString: options.url, max: 3 });
    this.#admin.on('error', () => undefined); // the server ends first
    this.#changes = new RealChanges({
      url: options.url,
      admin: this.#admin,
      omits: options.omits ?? (() => true),
      onTransaction: (changes, committedAt, xid) => {
        for (const slot of this.slots.values()) slot.append(changes, committedAt, xid);
      },
    });
  }

  static async start(options: StandInOptions): Promise<StandIn> {
    const standIn = new StandIn(options);
    await standIn.#admin.query(SLOTS_TABLE);
    await standIn.#changes.start();
    for (let node = 0; node < (options.nodes ?? 1); node += 1) await standIn.#listen();
    standIn.#refresh = setInterval(() => {
      standIn.#refreshing = standIn.#refreshPublished();
    }, options.refreshMs ?? 50);
    return standIn;
  }

  /** Names every node; parameters of the source can be added behind a `?`. */
  get url(): string {
    const { username, password, pathname } = new URL(this.#options.url);
    const hosts = this.#nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return `postgresql://${username}:${password}@${hosts}${pathname}`;
  }

  record(connection: Recorded['connection'], sql: string): void {
    this.statements.push({ connection, sql });
  }

  cuts(): boolean {
    return this.#options.cuts?.() ?? false;
  }

  /** The node is gone: its connections break and it takes no new ones. */
  async killNode(index: number): Promise<void> {
    const { server, sockets } = this.#nodes[index]!;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  /** The slot is gone, as if somebody had dropped it. */
  loseSlot(name: string): void {
    this.slots.delete(name);
    this.breakStreams();
  }

  /** All connections break; the nodes go on. */
  breakStreams(): void {
    for (const { sockets } of this.#nodes) for (const socket of sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#refresh);
    await this.#refreshing;
    for (const { server, sockets } of this.#nodes) {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
    await this.#changes.stop();
    await this.#admin.end();
  }

  async #listen(): Promise<void> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      this.#accept(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    this.#nodes.push({ server, sockets, port: typeof address === 'object' && address ? address.port : 0 });
  }

  #accept(socket: Socket): void {
    const reader = new FrontendReader();
    let walsender: Walsender | null = null;
    let behind: Socket | null = null;
    // One message at a time: what is said about slots is done before the next statement.
    let order: Promise<void> = Promise.resolve();
    socket.on('data', (chunk) => {
      for (const { tag, body } of reader.read(chunk)) {
        if (walsender) walsender.take(tag, body);
        else if (tag === '' && startupOf(body).get('replication')) walsender = new Walsender(this, socket);
        else {
          if (!behind) {
            const server = connect(this.#target.port, this.#target.host);
            behind = server;
            server.on('error', () => socket.destroy()).on('close', () => socket.destroy());
            socket.on('close', () => server.destroy());
            server.pipe(socket);
          }
          const to = behind;
          const copy = Buffer.from(body);
          order = order.then(async () => {
            const changed = await this.#translate(tag, copy);
            if (!to.destroyed) to.write(changed);
          });
          order.catch(() => socket.destroy());
        }
      }
    });
  }

  async #translate(tag: string, body: Buffer): Promise<Buffer> {
    if (tag === 'Q') {
      const sql = await this.#statement(body.toString('utf8', 0, body.length - 1));
      return frontend(tag, Buffer.from(`${sql}\0`));
    }
    if (tag !== 'P') return frontend(tag, body);
    const name = body.subarray(0, body.indexOf(0) + 1);
    const end = body.indexOf(0, name.length);
    const sql = await this.#statement(body.toString('utf8', name.length, end));
    return frontend(tag, Buffer.concat([name, Buffer.from(`${sql}\0`), body.subarray(end + 1)]));
  }

  /** What the PostgreSQL behind is asked instead of `sql`. */
  async #statement(sql: string): Promise<string> {
    this.record('ordinary', sql);
    const [broken] = violations(sql, CAPTURE_RULES);
    if (broken) return refusal('0A000', `${broken.id}: ${broken.why}`);
    const readTime = /^SET LOCAL yb_read_time TO '(\d+) ht'$/.exec(sql);
    if (readTime) return 'SELECT 1';
    const create = /pg_create_logical_replication_slot\('([^']+)', '([^']+)'\)/.exec(sql);
    if (create) {
      await this.#createSlot(create[1]!);
      // The function gives no LSN in the first versions.
      return 'SELECT NULL::text AS lsn';
    }
    const drop = /pg_drop_replication_slot\(slot_name\).*slot_name = '([^']+)'/s.exec(sql);
    if (drop) return this.#dropSlot(drop[1]!);
    if (/\bpg_replication_slots\b/.test(sql)) await this.#showSlots();
    return emulated(sql);
  }

  async #createSlot(name: string): Promise<void> {
    // Nothing of what is written from here on is missed: the real stream has not told of it yet.
    const slot = new StandInSlot(name);
    slot.published = await this.#published();
    this.slots.set(name, slot);
  }

  #dropSlot(name: string): string {
    const slot = this.slots.get(name);
    if (!slot) return 'SELECT 1 WHERE false';
    const lingers = performance.now() - slot.lastRead < (this.#options.lingerMs ?? 200);
    if (slot.readers > 0 || (slot.lastRead > 0 && lingers)) {
      return refusal('55006', `replication slot "${name}" is active`);
    }
    this.slots.delete(name);
    return 'SELECT 1';
  }

  async #showSlots(): Promise<void> {
    const rows = [...this.slots.values()].map((slot) => ({
      slot_name: slot.name,
      plugin: 'yboutput',
      database: new URL(this.#options.url).pathname.slice(1),
      active: slot.readers > 0,
      restart_lsn: formatLsn(slot.confirmed),
      confirmed_flush_lsn: formatLsn(slot.confirmed),
      // Computed by the server as if the LSN were a byte offset.
      wal_status: 'lost',
      yb_restart_commit_ht: String(BigInt(slot.restartAt) * 4096n),
      yb_lsn_type: 'SEQUENCE',
    }));
    const client = await this.#admin.connect();
    try {
      await client.query(
        'BEGIN; LOCK TABLE bac.standin_slots IN EXCLUSIVE MODE; DELETE FROM bac.standin_slots',
      );
      await client.query(
        'INSERT INTO bac.standin_slots SELECT * FROM json_populate_recordset(NULL::bac.standin_slots, $1)',
        [JSON.stringify(rows)],
      );
      await client.query('COMMIT');
    } finally {
      client.release();
    }
  }

  async #published(): Promise<Set<string>> {
    const { rows } = await this.#admin.query<{ name: string }>(
      `SELECT n.nspname || '.' || c.relname AS name FROM pg_publication_rel r
       JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace`,
    );
    return new Set(rows.map(({ name }) => name));
  }

  async #refreshPublished(): Promise<void> {
    try {
      const published = await this.#published();
      for (const slot of this.slots.values()) slot.published = published;
    } catch {
      return; // the server behind is ending
    }
  }
}
