import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, HubError, type Logger, transientError, userError } from '#kernel';
import {
  type ConnectClient,
  type ConnectorStatus,
  createConnectClient,
  firstLine,
} from './connect-client.ts';
import {
  type ConnectorConfig,
  type ConnectorSource,
  connectorNameOf,
  renderConnector,
  sameConfig,
} from './render.ts';

/** How long a stopped connector's tasks may take to let go. */
const RELEASE_MS = 60_000;
const RELEASE_POLL_MS = 200;
/** Between restarts of what failed. */
const RESTART_FIRST_MS = 1000;
const RESTART_LAST_MS = 60_000;
/** A connector that ran this long was healthy: back-off begins anew. */
const HEALTHY_MS = 60_000;
/** A rebalance takes about this long; a task without a worker for longer is told. */
const UNASSIGNED_MS = 10_000;

/** The connector of one source: brings it into the state that is wanted and looks after it. */
export class Connector {
  readonly name: string;
  readonly client: ConnectClient;
  readonly #logger: Logger;
  #forget = false;
  #wait = RESTART_FIRST_MS;
  #restartAt = 0;
  #runningSince: number | null = null;
  #idleSince: number | null = null;

  constructor(client: ConnectClient, source: string, logger: Logger) {
    this.client = client;
    this.name = connectorNameOf(source);
    this.#logger = logger.child({ connector: this.name });
  }

  /** Connect answers and has the class. Errors: CONNECT_UNREACHABLE ..., CONNECTOR_MISSING (user). */
  reach(config: ConnectorConfig): Promise<void> {
    return assertInstalled(this.client, config);
  }

  /** Nobody reads the slot any more, and where reading had come is forgotten: another slot is to be read. */
  async release(): Promise<void> {
    this.#forget = true;
    if ((await this.client.config(this.name)) === null) return;
    await this.stop();
    await this.client.deleteOffsets(this.name);
  }

  /** Stops the tasks and waits until they have ended: what they read is in the log, and nothing follows. */
  async stop(): Promise<void> {
    const until = performance.now() + RELEASE_MS;
    if ((await this.client.config(this.name)) === null) return;
    for (let asked = false; ; ) {
      const status = await this.client.status(this.name);
      if (status?.connector.state === 'STOPPED' && status.tasks.length === 0) return;
      if (!asked) await this.client.stop(this.name);
      asked = true;
      if (performance.now() > until) {
        throw transientError('CONNECT_BUSY', `Connector ${this.name} does not stop.`);
      }
      await sleep(RELEASE_POLL_MS);
    }
  }

  /** It is there, with this configuration, and runs. Errors: CONNECTOR_INVALID (user) naming the properties. */
  async ensure(config: ConnectorConfig): Promise<void> {
    const present = await this.client.config(this.name);
    if (present === null || !sameConfig(present, config)) {
      const problems = await this.client.validate(config);
      if (problems.length > 0) throw invalid(problems);
    }
    if (present === null) {
      await this.client.create(this.name, config);
      this.#logger.info('connector made');
    } else if (!sameConfig(present, config)) {
      await this.client.update(this.name, config);
      this.#logger.info('connector configured');
    }
    // A connector of this name may have left offsets behind, of another slot.
    if (present === null && this.#forget) await this.client.deleteOffsets(this.name);
    this.#forget = false;
    await this.client.resume(this.name);
  }

  /** Removes connector and offsets. Idempotent. */
  async remove(): Promise<void> {
    if ((await this.client.config(this.name)) === null) return;
    await this.release();
    await this.client.delete(this.name);
  }

  /** A connector just made has no status for a moment. */
  async #status(): Promise<ConnectorStatus> {
    const status = await this.client.status(this.name);
    if (status !== null) return status;
    if ((await this.client.config(this.name)) === null) {
      throw transientError('CONNECTOR_GONE', `Connector ${this.name} is not there any more.`);
    }
    return { connector: { state: 'UNASSIGNED' }, tasks: [] };
  }

  /**
   * Looks how it is and mends what it can: restarts what failed, with growing pauses; resumes what somebody
   * paused. Gives what is wrong, null = it runs. Errors: CONNECTOR_GONE (transient), and Connect's own.
   */
  async watch(): Promise<HubError | null> {
    const status = await this.#status();
    const now = performance.now();
    const failed = [status.connector, ...status.tasks].find(({ state }) => state === 'FAILED');
    if (failed) {
      this.#runningSince = null;
      if (now >= this.#restartAt) {
        this.#logger.warn(
          { trace: firstLine(failed.trace), pauseMs: this.#wait },
          'connector failed, restarting',
        );
        await this.client.restartFailed(this.name);
        this.#restartAt = now + this.#wait;
        this.#wait = Math.min(RESTART_LAST_MS, this.#wait * 2);
      }
      return new HubError('CONNECTOR_FAILED', `Connector ${this.name} failed: ${causeOf(failed.trace)}`, {
        next: "Mend the cause; it is restarted by itself. Connect's log has the whole trace.",
        disposition: 'transient',
      });
    }
    const { state } = status.connector;
    if (state === 'STOPPED' || state === 'PAUSED') await this.client.resume(this.name);
    if (runs(status)) {
      this.#idleSince = null;
      this.#runningSince ??= now;
      if (now - this.#runningSince > HEALTHY_MS) this.#wait = RESTART_FIRST_MS;
      return null;
    }
    this.#idleSince ??= now;
    this.#runningSince = null;
    if (now - this.#idleSince < UNASSIGNED_MS) return null;
    return new HubError('CONNECTOR_NOT_RUNNING', `No worker of Kafka Connect runs ${this.name} (${state}).`, {
      next: 'Nothing if workers are being restarted; else start one.',
      disposition: 'transient',
    });
  }
}

const runs = ({ connector, tasks }: ConnectorStatus): boolean =>
  connector.state === 'RUNNING' && tasks.length > 0 && tasks.every(({ state }) => state === 'RUNNING');

/** The last cause says most; the first line is usually Connect's own. */
function causeOf(trace: string | undefined): string {
  const causes = (trace ?? '').split('\n').filter((line) => line.startsWith('Caused by: '));
  return firstLine(causes.at(-1)?.slice('Caused by: '.length) ?? trace);
}

const invalid = (problems: readonly string[]): HubError =>
  userError(
    'CONNECTOR_INVALID',
    `Kafka Connect refuses the configuration: ${problems.join('; ')}`,
    'Correct the source (its URL as Connect sees it, or a connector property), then add it again.',
  );

/** Connect has the connector and finds nothing wrong with the configuration; it tries the database itself. */
export async function checkConnector(client: ConnectClient, source: ConnectorSource): Promise<void> {
  const config = renderConnector(source);
  await assertInstalled(client, config);
  const problems = await client.validate(config);
  if (problems.length > 0) throw invalid(problems);
}

async function assertInstalled(client: ConnectClient, config: ConnectorConfig): Promise<void> {
  const wanted = config['connector.class'] ?? '';
  const installed = await client.plugins();
  if (installed.includes(wanted)) return;
  throw userError(
    'CONNECTOR_MISSING',
    `Kafka Connect at ${client.url} has no connector ${wanted}.`,
    `Install it into Connect's plugin.path. Installed: ${installed.join(', ') || 'none'}.`,
  );
}

/** Connect as configured. Errors: CONNECT_NOT_CONFIGURED (user). */
export function connectClientOf(connect: Config['connect'] | undefined, signal?: AbortSignal): ConnectClient {
  if (connect?.url !== undefined) {
    const { url, user, password } = connect;
    return createConnectClient({ url, user, password, ...(signal ? { signal } : {}) });
  }
  throw userError(
    'CONNECT_NOT_CONFIGURED',
    'A source that Debezium reads needs Kafka Connect.',
    'Set connect.url (BAC_CONNECT_URL) to its address, or leave --engine out.',
  );
}
