import type { LogRecord } from '#kernel';
import { type Place, TableEncoder, TransactionBlock } from '../events/index.ts';
import { Decoder, malformed, type PgoutputMessage, type Relation, type Update } from '../pgoutput/index.ts';
import type { SourceClient } from './source-client.ts';
import { type CapturedTable, precedes, type Route } from './table.ts';
import type { TableBook } from './tables.ts';
import { completed } from './unchanged.ts';
import type { LogWriter } from './writer.ts';

export interface ChangesOptions {
  readonly book: TableBook;
  readonly writer: LogWriter;
  readonly client: SourceClient;
  /** A captured table's change could not be handled; only that table stops. */
  readonly onTableFailed: (table: CapturedTable, error: unknown) => Promise<void>;
}

type Emit = (partition: number, record: LogRecord) => void;

/** Follows the transactions of the stream and turns their changes into events of their tables' topics. */
export class Changes {
  rows = 0;
  transactions = 0;
  readonly #options: ChangesOptions;
  readonly #decoder = new Decoder();
  readonly #routes = new Map<number, Route>();
  readonly #lanes = new Map<CapturedTable, { readonly partitions: number; readonly emit: Emit }>();
  readonly #block = new TransactionBlock();
  /** Commit position of the transaction at hand; 0 = between transactions. */
  #commit = 0;
  #xid = 0;
  #clock = 0;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  get inTransaction(): boolean {
    return this.#commit !== 0;
  }

  /** Wall clock written into the events that follow, ms. */
  tick(now: number): void {
    this.#clock = now;
  }

  /** Handles one message. A promise means: wait for it before the next, it looks something up. */
  apply(buffer: Buffer, start: number, end: number, lsn: number): Promise<void> | null {
    const message = this.#decoder.decode(buffer, start, end);
    switch (message.kind) {
      case 'insert':
      case 'update':
      case 'delete': {
        const route = this.#route(message.oid);
        const encoder = route.encoder;
        if (encoder === null) return this.#unresolved(route, message, start, end, lsn);
        return this.#encode(route, encoder, message, start, end, lsn);
      }
      case 'begin':
        this.#commit = message.finalLsn;
        this.#xid = message.xid;
        this.#block.set(message.committedAt, message.xid);
        for (const route of this.#routes.values()) {
          if (message.finalLsn >= route.until) route.encoder = null;
        }
        return null;
      case 'commit':
        this.#commit = 0;
        this.transactions += 1;
        this.#options.writer.commit({ lsn: message.endLsn, committedAt: message.committedAt });
        return null;
      case 'relation':
        this.#relation(message.relation);
        return null;
      case 'truncate':
        return this.#truncate(message.oids, lsn);
      default:
        return null;
    }
  }

  #route(oid: number): Route {
    const route = this.#routes.get(oid);
    if (!route) throw malformed(`a change of relation ${oid} came before its description`);
    return route;
  }

  #encode(
    route: Route,
    encoder: TableEncoder,
    message: PgoutputMessage,
    start: number,
    end: number,
    lsn: number,
  ): Promise<void> | null {
    const { arena } = this.#options.writer;
    const place = { start, end };
    encoder.tick(this.#clock);
    this.rows += 1;
    if (message.kind === 'insert') encoder.insert(message, place, lsn, this.#block, arena);
    else if (message.kind === 'update') {
      if (encoder.lacksValues(message)) return this.#complete(route, encoder, message, place, lsn);
      encoder.update(message, place, lsn, this.#block, arena);
    } else if (message.kind === 'delete') encoder.delete(message, place, lsn, this.#block, arena);
    return null;
  }

  async #complete(
    route: Route,
    encoder: TableEncoder,
    message: Update,
    place: Place,
    lsn: number,
  ): Promise<void> {
    const { client, writer, onTableFailed } = this.#options;
    const columns = route.relation.columns.map(({ name }) => name);
    try {
      const whole = await completed(client, encoder.schema, columns, message, place, this.#xid);
      encoder.update(whole?.change ?? message, whole?.place ?? place, lsn, this.#block, writer.arena);
    } catch (error) {
      if (route.table === null) throw error;
      await onTableFailed(route.table, error);
    }
  }

  #unresolved(
    route: Route,
    message: PgoutputMessage,
    start: number,
    end: number,
    lsn: number,
  ): Promise<void> | null {
    if (this.#skips(route)) return null;
    return this.#resolve(route, lsn).then(async (encoder) => {
      if (encoder) await this.#encode(route, encoder, message, start, end, lsn);
    });
  }

  /** Without looking anything up: the change is of no interest. */
  #skips({ known, table }: Route): boolean {
    if (!known) return false;
    return table === null || table.muted || precedes(table, this.#commit);
  }

  async #resolve(route: Route, lsn: number): Promise<TableEncoder | null> {
    const { book, writer } = this.#options;
    if (!route.known) {
      route.table = await book.tableFor(route.relation, this.#xid);
      route.table?.routes.add(route);
      route.known = true;
    }
    const { table } = route;
    if (table === null || this.#skips(route)) return null;
    try {
      const schema = await book.resolve(route, table, this.#commit, lsn);
      if (schema === null || schema.keyRule === 'none') return null;
      const { generation, partitions } = table;
      let lanes = this.#lanes.get(table);
      if (lanes?.partitions !== partitions) {
        lanes = { partitions, emit: writer.lanes(table.topic, partitions) };
        this.#lanes.set(table, lanes);
      }
      const { relation } = route;
      const { emit } = lanes;
      route.encoder = new TableEncoder({ schema, relation, generation, partitions, emit });
    } catch (error) {
      await this.#options.onTableFailed(table, error);
    }
    return route.encoder;
  }

  #relation(relation: Relation): void {
    const known = this.#routes.get(relation.oid);
    if (known) {
      known.encoder = null;
      const renamed = known.relation.table !== relation.table || known.relation.schema !== relation.schema;
      known.relation = relation;
      if (renamed) {
        known.table?.routes.delete(known);
        known.known = false;
        known.table = null;
      } else if (known.table === null) known.known = false;
      return;
    }
    const route: Route = {
      oid: relation.oid,
      relation,
      known: false,
      table: null,
      encoder: null,
      until: Number.POSITIVE_INFINITY,
    };
    this.#routes.set(relation.oid, route);
  }

  async #truncate(oids: readonly number[], lsn: number): Promise<void> {
    for (const oid of oids) {
      const route = this.#route(oid);
      const encoder = route.encoder ?? (this.#skips(route) ? null : await this.#resolve(route, lsn));
      if (!encoder) continue;
      encoder.tick(this.#clock);
      this.rows += 1;
      encoder.truncate(lsn, this.#block, this.#options.writer.arena);
    }
  }
}
