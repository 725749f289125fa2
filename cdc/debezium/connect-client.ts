import { z } from 'zod';
import { HubError, transientError, userError } from '#kernel';
import type { ConnectorConfig } from './render.ts';

const TASK_STATE = z.enum([
  'UNASSIGNED',
  'RUNNING',
  'PAUSED',
  'FAILED',
  'STOPPED',
  'RESTARTING',
  'DESTROYED',
]);
export type ConnectState = z.infer<typeof TASK_STATE>;

const status = z.object({
  name: z.string(),
  connector: z.object({ state: TASK_STATE, worker_id: z.string(), trace: z.string().optional() }),
  tasks: z.array(
    z.object({ id: z.number(), state: TASK_STATE, worker_id: z.string(), trace: z.string().optional() }),
  ),
});
export type ConnectorStatus = z.infer<typeof status>;

const plugins = z.array(z.object({ class: z.string(), version: z.string().nullish() }));
const root = z.object({ version: z.string(), kafka_cluster_id: z.string().nullish() });
const validation = z.object({
  error_count: z.number(),
  configs: z.array(z.object({ value: z.object({ name: z.string(), errors: z.array(z.string()) }) })),
});
const offsets = z.object({
  offsets: z.array(
    z.object({
      partition: z.record(z.string(), z.unknown()),
      offset: z.record(z.string(), z.unknown()).nullable(),
    }),
  ),
});
const config = z.record(z.string(), z.string().nullable());
const problem = z.object({ error_code: z.number(), message: z.string() });

/** One Kafka Connect cluster, over its REST interface. */
export interface ConnectClient {
  readonly url: string;
  /** Version of Connect. Errors: CONNECT_UNREACHABLE. */
  version(): Promise<string>;
  /** Class names of the connectors installed, with their versions. */
  plugins(): Promise<ReadonlyMap<string, string>>;
  /** Problems of a configuration as `property: message`; empty = it is good. Connect itself tries the database. */
  validate(config: ConnectorConfig): Promise<string[]>;
  /** Null: there is no such connector. */
  config(name: string): Promise<Readonly<Record<string, string | null>> | null>;
  /** Creates or updates; idempotent. */
  put(name: string, config: ConnectorConfig): Promise<void>;
  status(name: string): Promise<ConnectorStatus | null>;
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  /** Releases the tasks (and so the slot); offsets can then be altered. */
  stop(name: string): Promise<void>;
  /** Restarts the connector and those of its tasks that failed. */
  restartFailed(name: string): Promise<void>;
  offsets(name: string): Promise<z.infer<typeof offsets>['offsets']>;
  /** Forgets where it was; the connector must be stopped. */
  deleteOffsets(name: string): Promise<void>;
  /** Nothing happens if it is not there. */
  delete(name: string): Promise<void>;
}

export interface ConnectClientOptions {
  readonly url: string;
  /** Basic authentication, if Connect asks for it. */
  readonly user?: string;
  readonly password?: string;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 20_000;
/** While workers agree on who does what, Connect answers 409: ask again. */
const BUSY_ATTEMPTS = 20;
const BUSY_WAIT_MS = 500;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * Errors of all calls: CONNECT_UNREACHABLE and CONNECT_BUSY (transient), CONNECT_REFUSED (user; what
 * Connect said), CONNECT_ANSWER_INVALID (fatal; something else answers there).
 */
export function createConnectClient(options: ConnectClientOptions): ConnectClient {
  const address = new URL(options.url);
  const user = options.user ?? decodeURIComponent(address.username);
  const password = options.password ?? decodeURIComponent(address.password);
  address.username = '';
  address.password = '';
  const base = address.toString().replace(/\/$/, '');
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const headers = {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(user === ''
      ? {}
      : { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }),
  };

  const once = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; text: string }> => {
    try {
      const answer = await fetch(`${base}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await answer.text();
      if (text.length > MAX_ANSWER_BYTES) throw invalid(path, 'it is too long');
      return { status: answer.status, text };
    } catch (error) {
      if (error instanceof HubError) throw error;
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = (cause as { code?: string }).code ?? (cause as Error).name;
      throw new HubError('CONNECT_UNREACHABLE', `Kafka Connect does not answer at ${base} (${why}).`, {
        next: 'Check the address (--connect-url), that Connect runs, and that this host may reach it.',
        disposition: 'transient',
        cause: error,
      });
    }
  };

  const call = async <T>(
    method: string,
    path: string,
    schema: z.ZodType<T> | null,
    body?: unknown,
  ): Promise<T | null> => {
    for (let attempt = 1; ; attempt += 1) {
      const { status: code, text } = await once(method, path, body);
      if (code === 409 && attempt < BUSY_ATTEMPTS) {
        await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT_MS));
        continue;
      }
      if (code === 404) return null;
      if (code < 200 || code > 299) throw refused(base, code, text);
      if (schema === null) return null;
      return parse(schema, path, text);
    }
  };
  const must = async <T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> => {
    const answer = await call(method, path, schema, body);
    if (answer === null) throw invalid(path, 'nothing is there');
    return answer;
  };
  const at = (name: string): string => `/connectors/${encodeURIComponent(name)}`;

  return {
    url: base,
    version: async () => (await must('GET', '/', root)).version,
    plugins: async () =>
      new Map(
        (await must('GET', '/connector-plugins', plugins)).map((one) => [one.class, one.version ?? '']),
      ),
    async validate(given) {
      const type = given['connector.class'] ?? '';
      const path = `/connector-plugins/${encodeURIComponent(type.split('.').at(-1)!)}/config/validate`;
      const answer = await must('PUT', path, validation, given);
      return answer.configs.flatMap(({ value }) =>
        value.errors.map((error) => `${value.name}: ${redact(error, given)}`),
      );
    },
    config: (name) => call('GET', `${at(name)}/config`, config),
    put: async (name, given) => void (await call('PUT', `${at(name)}/config`, null, given)),
    status: (name) => call('GET', `${at(name)}/status`, status),
    pause: async (name) => void (await call('PUT', `${at(name)}/pause`, null)),
    resume: async (name) => void (await call('PUT', `${at(name)}/resume`, null)),
    stop: async (name) => void (await call('PUT', `${at(name)}/stop`, null)),
    restartFailed: async (name) =>
      void (await call('POST', `${at(name)}/restart?includeTasks=true&onlyFailed=true`, null)),
    offsets: async (name) => (await call('GET', `${at(name)}/offsets`, offsets))?.offsets ?? [],
    deleteOffsets: async (name) => void (await call('DELETE', `${at(name)}/offsets`, null)),
    delete: async (name) => void (await call('DELETE', at(name), null)),
  };
}

/** Connect quotes what it was given; a password must not get into messages that way. */
function redact(text: string, given: ConnectorConfig): string {
  const secret = given['database.password'];
  return secret === undefined || secret === '' || secret.startsWith('${')
    ? text
    : text.replaceAll(secret, '[secret]');
}

function parse<T>(schema: z.ZodType<T>, path: string, text: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid(path, 'it is not JSON');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw invalid(path, `${issue.path.join('.')}: ${issue.message}`);
}

const invalid = (path: string, why: string): HubError =>
  new HubError('CONNECT_ANSWER_INVALID', `Connect's answer to ${path} is not understood: ${why}.`, {
    next: 'Check that the address is that of Kafka Connect 3.6 or later.',
  });

function refused(base: string, code: number, text: string): HubError {
  let said = text.slice(0, 500);
  try {
    const parsed = problem.safeParse(JSON.parse(text));
    if (parsed.success) said = parsed.data.message;
  } catch {
    // not JSON: its text is shown as it is
  }
  if (code === 409) return transientError('CONNECT_BUSY', `Connect at ${base} is rebalancing: ${said}`);
  if (code === 401 || code === 403) {
    return userError(
      'CONNECT_REFUSED',
      `Connect at ${base} wants user and password.`,
      'Put them into --connect-url: http://user:password@host:8083.',
    );
  }
  if (code >= 500) return transientError('CONNECT_FAILED', `Connect at ${base} answered ${code}: ${said}`);
  return userError(
    'CONNECT_REFUSED',
    `Connect at ${base} answered ${code}: ${said}`,
    'Correct the source and try again.',
  );
}

/** First line of a task's stack trace: what people are shown. */
export const firstLine = (trace: string | undefined): string => (trace ?? '').split('\n')[0]!.slice(0, 500);
