import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { HubError, transientError, userError } from '#kernel';
import type { ConnectorConfig } from './render.ts';

const STATE = z.enum(['UNASSIGNED', 'RUNNING', 'PAUSED', 'FAILED', 'STOPPED', 'RESTARTING', 'DESTROYED']);
const part = z.object({ state: STATE, worker_id: z.string().optional(), trace: z.string().optional() });
const status = z.object({ connector: part, tasks: z.array(part.extend({ id: z.number() })) });
export type ConnectorStatus = z.infer<typeof status>;

const root = z.object({ version: z.string() });
const plugins = z.array(z.object({ class: z.string() }));
const validation = z.object({
  // Unknown properties have a value and no definition, some internal ones a definition and no value.
  configs: z.array(
    z.object({ value: z.object({ name: z.string(), errors: z.array(z.string()) }).nullable() }),
  ),
});
const offsets = z.object({
  offsets: z.array(z.object({ offset: z.record(z.string(), z.unknown()).nullable() })),
});
const config = z.record(z.string(), z.string().nullable());
const problem = z.object({ message: z.string() });

/** One Kafka Connect cluster, over its REST interface (Kafka 3.7 or later). */
export interface ConnectClient {
  /** Address without user and password. */
  readonly url: string;
  version(): Promise<string>;
  /** Class names of the connectors that are installed. */
  plugins(): Promise<readonly string[]>;
  /** Problems of a configuration as `property: message`; empty = it is good. Connect itself tries the database. */
  validate(config: ConnectorConfig): Promise<string[]>;
  /** null: there is no such connector. */
  config(name: string): Promise<Readonly<Record<string, string | null>> | null>;
  /** Creates it, stopped: nothing runs before `resume`. Errors: CONNECT_EXISTS (transient). */
  create(name: string, config: ConnectorConfig): Promise<void>;
  update(name: string, config: ConnectorConfig): Promise<void>;
  /** null: there is no such connector. */
  status(name: string): Promise<ConnectorStatus | null>;
  resume(name: string): Promise<void>;
  /** Releases the tasks, and so the slot; offsets can then be deleted. Resolves before that has happened. */
  stop(name: string): Promise<void>;
  /** Restarts the connector and those of its tasks that failed. */
  restartFailed(name: string): Promise<void>;
  /** Committed source offsets. */
  offsets(name: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Forgets where it was; the connector has to be stopped. */
  deleteOffsets(name: string): Promise<void>;
  /** Nothing happens if it is not there. */
  delete(name: string): Promise<void>;
}

export interface ConnectClientOptions {
  readonly url: string;
  /** Basic authentication, if Connect asks for it; may also stand in the URL. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Of one request. Default 20 s: making and validating connectors takes Connect seconds. */
  readonly timeoutMs?: number;
  /** How long a 409 (workers agree on who does what) is asked again. Default 10 s. */
  readonly busyMs?: number;
  readonly signal?: AbortSignal;
}

const BUSY_WAIT_MS = 250;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const MAX_SHOWN = 500;

/**
 * Errors of all calls: CONNECT_UNREACHABLE, CONNECT_BUSY and CONNECT_FAILED (transient), CONNECT_REFUSED
 * (user; what Connect said), CONNECT_ANSWER_INVALID (fatal; something else answers there).
 */
export function createConnectClient(options: ConnectClientOptions): ConnectClient {
  const address = new URL(options.url);
  const user = options.user ?? decodeURIComponent(address.username);
  const password = options.password ?? decodeURIComponent(address.password);
  address.username = '';
  address.password = '';
  const base = address.toString().replace(/\/+$/, '');
  const { timeoutMs = 20_000, busyMs = 10_000 } = options;
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
  ): Promise<{ code: number; text: string }> => {
    const limits = [AbortSignal.timeout(timeoutMs), ...(options.signal ? [options.signal] : [])];
    try {
      const answer = await fetch(`${base}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any(limits),
      });
      return { code: answer.status, text: await bounded(answer, path) };
    } catch (error) {
      if (error instanceof HubError || options.signal?.aborted) throw error;
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = (cause as { code?: string }).code ?? (cause as Error).name;
      throw new HubError('CONNECT_UNREACHABLE', `Kafka Connect does not answer at ${base} (${why}).`, {
        next: 'Check that Connect runs, that connect.url is its address, and that this host may reach it.',
        disposition: 'transient',
        cause: error,
      });
    }
  };

  /** null: 404. */
  const call = async <T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    body?: unknown,
  ): Promise<T | null> => {
    const until = performance.now() + busyMs;
    for (;;) {
      const { code, text } = await once(method, path, body);
      if (isRebalancing(code, text) && performance.now() < until) {
        await sleep(BUSY_WAIT_MS, undefined, options.signal ? { signal: options.signal } : {});
        continue;
      }
      if (code === 404) return null;
      if (code < 200 || code > 299) throw refused(base, code, text, given(body));
      return parse(schema, path, text);
    }
  };
  const must = async <T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> => {
    const answer = await call(method, path, schema, body);
    if (answer === null) throw invalid(path, 'nothing is there');
    return answer;
  };
  const act = async (method: string, path: string, body?: unknown): Promise<void> => {
    await call(method, path, z.unknown(), body);
  };
  const at = (name: string): string => `/connectors/${encodeURIComponent(name)}`;

  return {
    url: base,
    version: async () => (await must('GET', '/', root)).version,
    plugins: async () => (await must('GET', '/connector-plugins', plugins)).map((one) => one.class),
    async validate(wanted) {
      const type = (wanted['connector.class'] ?? '').split('.').at(-1)!;
      const path = `/connector-plugins/${encodeURIComponent(type)}/config/validate`;
      const { configs } = await must('PUT', path, validation, wanted);
      return configs.flatMap(({ value }) =>
        (value?.errors ?? []).map((error) => `${value?.name}: ${redact(error, wanted).slice(0, MAX_SHOWN)}`),
      );
    },
    config: (name) => call('GET', `${at(name)}/config`, config),
    create: (name, wanted) => act('POST', '/connectors', { name, config: wanted, initial_state: 'STOPPED' }),
    update: (name, wanted) => act('PUT', `${at(name)}/config`, wanted),
    status: (name) => call('GET', `${at(name)}/status`, status),
    resume: (name) => act('PUT', `${at(name)}/resume`),
    stop: (name) => act('PUT', `${at(name)}/stop`),
    restartFailed: (name) => act('POST', `${at(name)}/restart?includeTasks=true&onlyFailed=true`),
    async offsets(name) {
      const answer = await call('GET', `${at(name)}/offsets`, offsets);
      return (answer?.offsets ?? []).flatMap(({ offset }) => (offset === null ? [] : [offset]));
    },
    deleteOffsets: (name) => act('DELETE', `${at(name)}/offsets`),
    delete: (name) => act('DELETE', at(name)),
  };
}

async function bounded(answer: Response, path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw invalid(path, 'it is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function given(body: unknown): ConnectorConfig {
  const sent = (body ?? {}) as ConnectorConfig & { config?: ConnectorConfig };
  return sent.config ?? sent;
}

/** Connect quotes what it was given; a password must not get into messages that way. */
function redact(text: string, sent: ConnectorConfig): string {
  const secret = sent['database.password'];
  return secret === undefined || secret === '' ? text : text.replaceAll(secret, '[secret]');
}

function parse<T>(schema: z.ZodType<T>, path: string, text: string): T {
  let json: unknown = null;
  try {
    if (text !== '') json = JSON.parse(text);
  } catch {
    throw invalid(path, 'it is not JSON');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw invalid(path, `${issue.path.join('.')}: ${issue.message}`);
}

/** Changes are refused with 409 while workers rebalance, some reads with 500; a connector that exists is also a 409. */
const isRebalancing = (code: number, text: string): boolean =>
  code === 409
    ? !text.includes('already exists')
    : code === 500 && /rebalance is (expected|in process)/i.test(text);

const invalid = (path: string, why: string): HubError =>
  new HubError('CONNECT_ANSWER_INVALID', `The answer to ${path} is not understood: ${why}.`, {
    next: 'Check that connect.url is the address of Kafka Connect, 3.7 or later.',
  });

function refused(base: string, code: number, text: string, sent: ConnectorConfig): HubError {
  let said = text;
  try {
    const parsed = problem.safeParse(JSON.parse(text));
    if (parsed.success) said = parsed.data.message;
  } catch {
    // not JSON: its text is shown as it is
  }
  said = redact(said, sent).slice(0, MAX_SHOWN);
  if (code === 409) return transientError('CONNECT_BUSY', `Kafka Connect at ${base} is busy: ${said}`);
  if (code === 401 || code === 403) {
    return userError(
      'CONNECT_REFUSED',
      `Kafka Connect at ${base} refuses user or password.`,
      'Set connect.user and connect.password (BAC_CONNECT_USER, BAC_CONNECT_PASSWORD).',
    );
  }
  if (code >= 500)
    return transientError('CONNECT_FAILED', `Kafka Connect at ${base} answered ${code}: ${said}`);
  return userError(
    'CONNECT_REFUSED',
    `Kafka Connect at ${base} answered ${code}: ${said}`,
    'Correct the source, then add it again.',
  );
}

/** First line of a task's stack trace: what people are shown. */
export const firstLine = (trace: string | undefined): string =>
  (trace ?? '').split('\n')[0]!.slice(0, MAX_SHOWN);
