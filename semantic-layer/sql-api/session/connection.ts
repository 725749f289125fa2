import type { Socket } from 'node:net';
import type { Logger } from '#kernel';
import type { Statement } from '../compile/ast.ts';
import { cancelled, SqlError, toSqlError } from '../errors.ts';
import * as backend from '../wire/backend.ts';
import type { Binding, FrontendBuffer, FrontendMessage } from '../wire/frontend.ts';
import { type Bound, type Opened, type Plan, TEXT } from './plan.ts';
import type { Session } from './session.ts';

interface Portal {
  readonly plan: Plan;
  readonly bound: Bound;
  opened: Opened | null;
  count: number;
}

const MOST_NAMED = 1000;
const CHUNK = 64 * 1024;

/** The simple and extended query protocols over one signed-in socket. Messages are handled one after the other. */
export class Connection {
  readonly #socket: Socket;
  readonly #buffer: FrontendBuffer;
  readonly #session: Session;
  readonly #log: Logger;
  readonly #maxMs: number;
  readonly #statements = new Map<string, { plan: Plan | null; statement: Statement | null }>();
  readonly #portals = new Map<string, Portal>();
  #skipping = false;
  #running = new AbortController();
  #busy = false;
  #work: Promise<void> = Promise.resolve();
  #timedOut = false;

  constructor(socket: Socket, buffer: FrontendBuffer, session: Session, log: Logger, maxMs: number) {
    this.#socket = socket;
    this.#buffer = buffer;
    this.#session = session;
    this.#log = log;
    this.#maxMs = maxMs;
    session.onSetting = (name, value) => void socket.write(backend.parameterStatus(name, value));
  }

  /** Ends what runs now; the client is told 57014. */
  cancel(): void {
    this.#running.abort();
  }

  /** Call when bytes have arrived. */
  pump(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#socket.pause();
    this.#work = this.#drain().finally(() => {
      this.#busy = false;
      if (!this.#socket.destroyed) this.#socket.resume();
    });
  }

  async end(): Promise<void> {
    this.cancel();
    await this.#work;
    for (const portal of this.#portals.values()) await portal.opened?.rows?.return?.();
    await this.#session.end();
  }

  async #drain(): Promise<void> {
    try {
      for (let message = this.#buffer.message(); message; message = this.#buffer.message()) {
        if (this.#socket.destroyed) return;
        await this.#handle(message);
      }
    } catch (error) {
      // A broken message: nothing after it can be understood.
      this.#socket.end(backend.errorResponse(toSqlError(error), 'FATAL'));
    }
  }

  async #handle(message: FrontendMessage): Promise<void> {
    if (message.kind === 'terminate') {
      this.#socket.end();
      return;
    }
    if (message.kind === 'sync') {
      this.#skipping = false;
      if (this.#session.transaction === 'I') await this.#closePortals();
      this.#write(backend.ready(this.#session.transaction));
      return;
    }
    if (message.kind === 'query') {
      await this.#guarded(() => this.#simple(message.sql));
      this.#write(backend.ready(this.#session.transaction));
      return;
    }
    if (this.#skipping || message.kind === 'flush') return;
    if (!(await this.#guarded(() => this.#extended(message)))) this.#skipping = true;
  }

  /** Runs with its own cancellation and time limit; what fails is told to the client. */
  async #guarded(act: () => Promise<void>): Promise<boolean> {
    this.#running = new AbortController();
    this.#timedOut = false;
    const limit = Math.min(this.#session.settings.timeoutMs || this.#maxMs, this.#maxMs);
    const timer = setTimeout(() => {
      this.#timedOut = true;
      this.#running.abort();
    }, limit);
    try {
      await this.#session.renew();
      await act();
      return true;
    } catch (thrown) {
      const error = this.#timedOut
        ? new SqlError('57014', `canceling statement due to statement timeout (${limit} ms)`)
        : toSqlError(thrown);
      if (error.sqlstate === 'XX000')
        this.#log.error({ error: causeOf(thrown) }, 'a statement of the SQL API failed');
      else if (error.cause !== undefined)
        this.#log.debug({ error: causeOf(error.cause), state: error.sqlstate }, 'a statement was refused');
      if (this.#session.transaction === 'T') this.#session.transaction = 'E';
      if (error.sqlstate === '57P01' && this.#socket.writable)
        this.#socket.end(backend.errorResponse(error, 'FATAL'));
      else this.#write(backend.errorResponse(error));
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  async #simple(sql: string): Promise<void> {
    const statements = await this.#session.statements(sql);
    if (statements.length === 0) this.#write(backend.emptyQuery());
    for (const statement of statements) {
      const plan = await this.#session.plan(statement, [], this.#running.signal);
      const opened = await plan.open(TEXT, this.#running.signal);
      this.#notices(opened);
      if (opened.fields) this.#write(backend.rowDescription(opened.fields, []));
      const { count } = await this.#rows(opened, 0);
      this.#write(backend.commandComplete(opened.tag(count)));
    }
  }

  async #extended(message: FrontendMessage): Promise<void> {
    switch (message.kind) {
      case 'parse':
        await this.#parse(message.name, message.sql, message.types);
        this.#write(backend.parseComplete());
        return;
      case 'bind':
        await this.#bind(message);
        this.#write(backend.bindComplete());
        return;
      case 'describe':
        if (message.what === 'S') await this.#describeStatement(message.name);
        else await this.#describePortal(message.name);
        return;
      case 'execute':
        await this.#execute(message.portal, message.maxRows);
        return;
      case 'close':
        if (message.what === 'S') this.#statements.delete(message.name);
        else await this.#closePortal(message.name);
        this.#write(backend.closeComplete());
        return;
      case 'copy':
        return;
      default:
        throw new SqlError('08P01', `the message ${message.kind} is out of place`);
    }
  }

  async #parse(name: string, sql: string, types: readonly number[]): Promise<void> {
    if (name !== '' && this.#statements.has(name))
      throw new SqlError('42P05', `prepared statement "${name}" already exists`);
    if (this.#statements.size >= MOST_NAMED) throw new SqlError('53400', 'too many prepared statements');
    const statements = await this.#session.statements(sql);
    if (statements.length > 1)
      throw new SqlError('42601', 'cannot insert multiple commands into a prepared statement');
    const statement = statements[0] ?? null;
    const plan = statement && (await this.#session.plan(statement, types, this.#running.signal));
    this.#statements.set(name, { plan, statement });
  }

  #statement(name: string): { plan: Plan | null } {
    const found = this.#statements.get(name);
    if (!found) throw new SqlError('26000', `prepared statement "${name}" does not exist`);
    return found;
  }

  async #bind(binding: Binding): Promise<void> {
    const { plan } = this.#statement(binding.statement);
    if (binding.portal !== '' && this.#portals.has(binding.portal))
      throw new SqlError('42P03', `cursor "${binding.portal}" already exists`);
    await this.#closePortal(binding.portal);
    if (this.#portals.size >= MOST_NAMED) throw new SqlError('53400', 'too many portals');
    if (plan && this.#session.transaction === 'E' && !plan.ends)
      throw new SqlError(
        '25P02',
        'current transaction is aborted, commands ignored until end of transaction block',
      );
    this.#portals.set(binding.portal, { plan: plan ?? EMPTY, bound: binding, opened: null, count: 0 });
  }

  async #describeStatement(name: string): Promise<void> {
    const { plan } = this.#statement(name);
    const { params, fields } = plan ? await plan.describe() : { params: [], fields: null };
    this.#write(backend.parameterDescription(params));
    this.#write(fields ? backend.rowDescription(fields, []) : backend.noData());
  }

  #portal(name: string): Portal {
    const found = this.#portals.get(name);
    if (!found) throw new SqlError('34000', `portal "${name}" does not exist`);
    return found;
  }

  async #describePortal(name: string): Promise<void> {
    const cursor = this.#portals.has(name) ? undefined : this.#session.cursorFields(name);
    if (cursor) {
      this.#write(backend.rowDescription(cursor, []));
      return;
    }
    const portal = this.#portal(name);
    const { fields } = await portal.plan.describe();
    this.#write(fields ? backend.rowDescription(fields, portal.bound.resultFormats) : backend.noData());
  }

  async #execute(name: string, maxRows: number): Promise<void> {
    const portal = this.#portal(name);
    if (portal.plan === EMPTY) {
      this.#write(backend.emptyQuery());
      return;
    }
    if (!portal.opened) {
      portal.opened = await portal.plan.open(portal.bound, this.#running.signal);
      this.#notices(portal.opened);
    }
    const { count, done } = await this.#rows(portal.opened, maxRows);
    portal.count += count;
    this.#write(done ? backend.commandComplete(portal.opened.tag(portal.count)) : backend.portalSuspended());
  }

  /** Sends up to `most` rows (0 = all), no faster than the client takes them. */
  async #rows(opened: Opened, most: number): Promise<{ count: number; done: boolean }> {
    if (!opened.rows) return { count: 0, done: true };
    const { signal } = this.#running;
    let count = 0;
    let held: Buffer[] = [];
    let size = 0;
    const flush = async (): Promise<void> => {
      const taken = held.length === 0 || this.#socket.write(Buffer.concat(held));
      [held, size] = [[], 0];
      if (!taken && !this.#socket.destroyed) await drained(this.#socket, signal);
    };
    while (most === 0 || count < most) {
      if (signal.aborted || this.#socket.destroyed) throw cancelled();
      const next = await opened.rows.next();
      if (next.done) {
        await flush();
        return { count, done: true };
      }
      const row = backend.dataRow(next.value);
      held.push(row);
      size += row.length;
      count += 1;
      if (size > CHUNK) await flush();
    }
    await flush();
    return { count, done: false };
  }

  #notices(opened: Opened): void {
    for (const text of opened.notices) this.#write(backend.notice(text));
  }

  async #closePortal(name: string): Promise<void> {
    const portal = this.#portals.get(name);
    this.#portals.delete(name);
    await portal?.opened?.rows?.return?.();
  }
  async #closePortals(): Promise<void> {
    for (const name of [...this.#portals.keys()]) await this.#closePortal(name);
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }
}

const EMPTY: Plan = {
  describe: async () => ({ params: [], fields: null }),
  open: async () => ({ fields: null, rows: null, tag: () => '', notices: [] }),
};

const causeOf = (thrown: unknown): string => {
  const cause = thrown instanceof SqlError && thrown.cause !== undefined ? thrown.cause : thrown;
  return cause instanceof Error ? `${cause.message}` : String(cause);
};

function drained(socket: Socket, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    socket.off('drain', done);
    socket.off('close', done);
    signal.removeEventListener('abort', done);
    resolve();
  };
  socket.on('drain', done);
  socket.on('close', done);
  signal.addEventListener('abort', done);
  return promise;
}
