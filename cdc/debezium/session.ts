import {
  type Appended,
  CONTROL_TOPIC,
  controlBatch,
  type HubError,
  type LogPosition,
  tableKey,
  toHubError,
  topicOf,
  transientError,
} from '#kernel';
import { type SinkAsks, sinkAsks } from '../capture/control.ts';
import { Ground, type SessionOptions, unbroken } from '../capture/ground.ts';
import type { CaptureOptions, SourceRow } from '../capture/types.ts';
import { dropSlot, ensureSlot, type SlotStatus, slotStatus } from '../slots/index.ts';
import { completeRows } from './complete.ts';
import { Connector, connectClientOf } from './connector.ts';
import { debeziumSchema } from './options.ts';
import { Progress } from './progress.ts';
import { refusal } from './refusal.ts';
import { type ConnectorConfig, renderConnector } from './render.ts';

const WATCH_MS = 1000;
const RESCAN_MS = 5000;
const RETRY_FAILED_MS = 60_000;
/** From here on a slot can be marked for standbys, which tells the hub's slot from one that Debezium made. */
const MARKED_FROM = 170_000;

/**
 * One unbroken attendance of a source that Debezium reads: the connector is kept running in Kafka Connect,
 * and everything that its events do not say is seen to here: publication and slot, which tables there are,
 * their shapes and generations, their snapshots, and how far the log is complete. Resolves when `signal`
 * says stop (the connector goes on); rejects with what broke it.
 */
export const attendDebezium = (options: SessionOptions): Promise<void> =>
  unbroken(options.signal, (stack, signal, fail) => new Attendance(options, stack, signal, fail).run());

/** The connector of a source, or null if the hub reads it by itself. */
export function connectorOf(
  { connect, logger }: Pick<CaptureOptions, 'connect' | 'logger'>,
  source: Pick<SourceRow, 'name' | 'options'>,
): Connector | null {
  if (source.options.engine !== 'debezium') return null;
  return new Connector(connectClientOf(connect), source.name, logger);
}

type Offset = Readonly<Record<string, unknown>>;

class Attendance {
  readonly #options: SessionOptions;
  readonly #stack: AsyncDisposableStack;
  readonly #signal: AbortSignal;
  readonly #ground: Ground;
  readonly #connector: Connector;
  readonly #config: ConnectorConfig;
  readonly #snapshotByDebezium: boolean;
  /** Topics whose present generation Debezium itself lays down, through the log. */
  readonly #through = new Set<string>();
  #fresh = false;
  #marks = false;
  #slotSeen = false;
  /** Every row of Debezium's own snapshot is in the log. */
  #whole: boolean;
  #progress!: Progress;

  constructor(
    options: SessionOptions,
    stack: AsyncDisposableStack,
    signal: AbortSignal,
    fail: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#stack = stack;
    this.#signal = signal;
    const { source, capture, logger } = options;
    const settings = debeziumSchema.parse(source.options.debezium ?? {});
    this.#snapshotByDebezium = settings.snapshot === 'debezium';
    this.#whole = !this.#snapshotByDebezium;
    this.#connector = new Connector(connectClientOf(capture.connect, signal), source.name, logger);
    this.#config = renderConnector({
      name: source.name,
      kind: source.kind,
      url: source.url,
      options: settings,
      partitions: capture.partitions,
      retentionMs: capture.retentionMs,
    });
    this.#ground = new Ground(options, stack, signal, fail, {
      from: (topic) => this.#from(topic),
      snapshot: (schema, generation) => this.#emptyTable(schema, generation),
      beforeSlot: () => this.#beforeSlot(),
      makeSlot: () => this.#makeSlot(),
      isWhole: async (status) => this.#isOurs(status) && !(await this.#isAhead(status)),
      refuses: refusal,
    });
  }

  async run(): Promise<void> {
    const { capture, meter, source } = this.#options;
    const ground = this.#ground;
    meter.state('connecting');
    await this.#connector.reach(this.#config);
    await ground.connect();
    this.#marks = await this.#canMark();
    await ground.open();
    this.#fresh = false;
    await this.#answer();
    await this.#connector.ensure(this.#config);
    this.#progress = new Progress({
      log: capture.log,
      source: source.name,
      meter,
      moment: () => ground.client.moment(),
      nudge: () => this.#nudge(),
    });
    this.#state(null);
    ground.every(Progress.EVERY_MS, () => this.#tellProgress());
    ground.every(WATCH_MS, () => this.#watch());
    ground.every(capture.rescanMs ?? RESCAN_MS, () => this.#maintain());
    await new Promise<void>((resolve) => ground.onEnd(async () => resolve()));
  }

  #state(problem: HubError | null): void {
    const { meter } = this.#options;
    if (problem) meter.state(problem.code === 'CONNECTOR_FAILED' ? 'failed' : 'connecting', problem);
    else meter.state(this.#whole && !this.#ground.snapshots.busy ? 'streaming' : 'snapshotting');
  }

  async #watch(): Promise<void> {
    try {
      const problem = await this.#connector.watch();
      this.#whole ||= await this.#snapshotEnded();
      this.#state(problem);
    } catch (thrown) {
      const error = toHubError(thrown);
      if (this.#signal.aborted || error.code === 'CONNECTOR_GONE') throw thrown;
      // Connect may be away for a while; what it has written goes on being sunk.
      this.#state(error);
    }
  }

  /**
   * Debezium marks the offsets of its snapshot's rows; Connect commits the first one without the mark, a
   * heartbeat's if nothing changes, after the broker has every row before it. The slot's position says
   * nothing of that: it is where the snapshot began.
   */
  async #snapshotEnded(): Promise<boolean> {
    const offset = await this.#offset();
    return Boolean(offset && !offset.snapshot);
  }

  async #tellProgress(): Promise<void> {
    if (!this.#whole) return;
    const offset = await this.#offset();
    if (offset === undefined) return;
    if (this.#ground.client.profile.currentPosition !== null) {
      await this.#progress.committed(committedLsn(offset) ?? 0);
    } else if (offset) await this.#progress.committedAt(Number(offset.lsn ?? 0), Number(offset.ts_usec ?? 0));
  }

  /** Connect's committed offset, null = none; undefined while Connect is away, which #watch tells. */
  async #offset(): Promise<Offset | null | undefined> {
    try {
      const [offset] = await this.#connector.client.offsets(this.#connector.name);
      return offset ?? null;
    } catch (thrown) {
      if (toHubError(thrown).disposition !== 'transient') throw thrown;
      return undefined;
    }
  }

  /** Infinity: never again in this session. */
  async #nudge(): Promise<number> {
    const position = await this.#ground.client.nudge();
    if (position !== null) return position;
    this.#options.logger.warn(
      'the user may not call pg_logical_emit_message: freshness moves on with changes of captured tables only',
    );
    return Number.POSITIVE_INFINITY;
  }

  async #maintain(): Promise<void> {
    await this.#assertSlot(await this.#slotStatus());
    await this.#ground.maintain(0);
    for (const topic of await this.#progress.cutTopics()) {
      const table = [...this.#ground.book.tables].find((one) => one.topic === topic);
      if (!table || table.muted) continue;
      this.#options.logger.error({ topic }, 'the topic was deleted or cut; its table begins anew');
      const { capture } = this.#options;
      const { partitions, retentionMs, retentionBytes } = capture;
      await capture.log.ensureTopic(topic, { partitions, retentionMs, retentionBytes });
      await this.#ground.book.begin(table);
    }
  }

  #slotStatus(): Promise<SlotStatus> {
    const { client, slot } = this.#ground;
    return client.use((connection) => slotStatus(connection, slot, client.profile));
  }

  /** Debezium makes a slot that is missing by itself, and says nothing of what went by in between. */
  async #assertSlot(status: SlotStatus): Promise<void> {
    this.#slotSeen ||= status.exists;
    const missing = !status.exists && this.#slotSeen;
    const { slot } = this.#ground;
    if (missing || status.walStatus === 'lost' || (status.exists && !this.#isOurs(status))) {
      throw transientError('SLOT_LOST', `Replication slot ${slot} is gone: all tables begin anew.`);
    }
    if (await this.#isAhead(status)) {
      throw transientError(
        'SLOT_AHEAD',
        `Replication slot ${slot} was moved past changes that are not in the log: all tables begin anew.`,
      );
    }
  }

  /**
   * Whether somebody moved the slot past what Connect has committed. Debezium confirms committed offsets only,
   * so one that is read after the slot is never behind it. Debezium itself goes on as if nothing were missing,
   * or, once the server has removed what the offset needs, fails for good.
   */
  async #isAhead({ confirmedLsn }: SlotStatus): Promise<boolean> {
    if (confirmedLsn === null || !this.#ground.client.profile.byteLsn) return false;
    const offset = await this.#offset();
    if (!offset || offset.snapshot) return false;
    const committed = committedLsn(offset);
    return committed !== null && confirmedLsn > committed;
  }

  #isOurs(status: SlotStatus): boolean {
    return !this.#marks || this.#snapshotByDebezium || status.failover !== false;
  }

  async #canMark(): Promise<boolean> {
    const { client } = this.#ground;
    if (!client.profile.byteLsn) return false;
    const { rows } = await client.use((connection) =>
      connection.query<{ version: number }>("SELECT current_setting('server_version_num')::int4 AS version"),
    );
    return rows[0]!.version >= MARKED_FROM;
  }

  async #beforeSlot(): Promise<void> {
    await this.#connector.release();
    this.#fresh = true;
    const { client, slot } = this.#ground;
    // Debezium's own snapshot is whole only with a slot that it makes with it.
    if (this.#snapshotByDebezium) await client.use((connection) => dropSlot(connection, slot));
  }

  async #makeSlot(): Promise<number> {
    if (this.#snapshotByDebezium) return 0;
    const { client, slot } = this.#ground;
    const made = await client.use((connection) =>
      ensureSlot(connection, slot, client.profile, { failover: this.#marks }),
    );
    return made.consistentPoint;
  }

  async #from(topic: string): Promise<LogPosition> {
    if (this.#fresh && this.#snapshotByDebezium) this.#through.add(topic);
    else this.#through.delete(topic);
    const info = (await this.#options.capture.log.topics(topic)).find((one) => one.topic === topic);
    const offsets = Object.fromEntries((info?.extents ?? []).map(({ end }, partition) => [partition, end]));
    return { offsets, lsn: this.#ground.slotBegan };
  }

  /** A table whose rows come through the log is live, and empty, from the start. */
  async #emptyTable(
    schema: Parameters<CaptureOptions['target']['begin']>[0],
    generation: number,
  ): Promise<boolean> {
    if (!this.#through.has(topicOf(schema))) return false;
    const { target, registry } = this.#options.capture;
    await target.begin(schema, generation, false);
    await target.finish(schema, generation);
    await registry.updateTable(schema, { state: 'streaming', error: null });
    return true;
  }

  /** Sinks that cannot go on with an event by themselves ask. */
  async #answer(): Promise<void> {
    const { capture, source, logger } = this.#options;
    const consumer = capture.log.consume({
      group: null,
      topics: [CONTROL_TOPIC],
      from: 'end',
      onBatch: async ({ records }) => {
        const asked = records
          .flatMap((record) => sinkAsks(record) ?? [])
          .filter((one) => one.source === source.name);
        if (asked.some(({ type }) => type === 'look')) await this.#ground.book.rescan(RETRY_FAILED_MS, 0);
        for (const one of asked) await this.#answerOne(one);
      },
      onError: (err) =>
        logger.warn({ err }, 'a sink’s question could not be answered, it will be asked again'),
    });
    this.#stack.defer(() => consumer.stop());
    await consumer.ready;
    this.#signal.throwIfAborted();
  }

  async #answerOne(asked: SinkAsks): Promise<void> {
    const { capture, logger } = this.#options;
    const { book, client } = this.#ground;
    const { source, schema, table: name, ask } = asked;
    const table = book.table(tableKey({ schema, table: name }));
    let end = 0;
    if (table && asked.type === 'complete') {
      const rows = await completeRows(client, table, asked.partition, asked.rows);
      // Not in one call: the rows have to be there when the answer is read.
      if (rows) [{ end }] = (await capture.log.append([rows])) as [Appended];
    } else if (table && asked.type === 'look') {
      const { columns } = asked;
      const known = (column: string): boolean =>
        table.versions.some((version) => version.columns.some((one) => one.name === column));
      if (!columns.every(known)) {
        logger.warn(
          { table: table.topic, columns },
          'events have columns that came and went; table begins anew',
        );
        await book.begin(table);
      }
    }
    await capture.log.append([controlBatch({ type: 'looked', source, schema, table: name, ask, end })]);
  }
}

/** The LSN that Debezium confirms to the slot for an offset. */
function committedLsn(offset: Offset | null): number | null {
  const lsn = offset?.lsn_commit ?? offset?.lsn_proc;
  return lsn === undefined || lsn === null ? null : Number(lsn);
}
