import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '#kernel';
import type { Admission } from '../admission.ts';
import { type Engine, type Lease, refusal } from '../engine/index.ts';
import { parseStatement, type Statement } from '../sql/statement.ts';
import { runStatement, SPOOLED_BYTES } from '../statements/index.ts';
import { type Account, authenticate, refuseSettings } from './auth.ts';
import { BodyReader, bodyOf } from './body.ts';
import { killById } from './kill.ts';
import { readMultipart } from './multipart.ts';
import { type RequestParameters, readParameters } from './request.ts';
import { Reply } from './response.ts';
import type { SessionRequest, Sessions } from './sessions.ts';

export interface Front {
  readonly engine: Engine;
  readonly reads: Admission;
  readonly inserts: Admission;
  readonly accounts: readonly Account[];
  readonly sessions: Sessions;
  readonly log: Logger;
  /** Ids of the statements under way, with what ends each. */
  readonly running: Map<string, AbortController>;
}

/** The longest statement text; an insert's data does not count. */
const MAX_SQL_BYTES = 4 * 1024 * 1024;
const MAX_FORM_BYTES = 16 * 1024 * 1024;
const DRAIN_WITHIN_MS = 10_000;
const WHITESPACE = /^\s*$/;

/** One request for a statement, from its first header to its last byte. Never rejects. */
export async function exchange(
  front: Front,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let reply = new Reply(request, response, { queryId: '', ...facts(front) }, false);
  const gone = new AbortController();
  let body: BodyReader | null = null;
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(refusal(394, 'QUERY_WAS_CANCELLED', 'The client went away'));
  });
  try {
    const parameters = readParameters(request);
    const queryId = parameters.queryId ?? randomUUID();
    const compress = parameters.settings.get('enable_http_compression') === '1';
    reply = new Reply(request, response, { queryId, ...facts(front) }, compress);
    const account = authenticate(request, parameters, front.accounts);
    if (front.running.has(queryId)) {
      throw refusal(
        216,
        'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
        `Query with id = ${queryId} is already running`,
      );
    }
    front.running.set(queryId, gone);
    try {
      body = new BodyReader(bodyOf(request));
      await serve(front, { parameters, account, reply, signal: gone.signal, request, body });
    } finally {
      front.running.delete(queryId);
    }
  } catch (error) {
    if (response.closed || response.destroyed) {
      front.log.debug({ err: error }, 'a client went away');
      return;
    }
    reply.fail(gone.signal.aborted ? gone.signal.reason : error);
    await drain(request, body);
  }
}

/** A client that is still sending reads no answer until it is done; it is given some time for that. */
async function drain(request: IncomingMessage, body: BodyReader | null): Promise<void> {
  const timer = setTimeout(() => request.socket.destroySoon(), DRAIN_WITHIN_MS);
  if (body) await body.discard();
  else request.resume();
  clearTimeout(timer);
}

interface Served {
  readonly parameters: RequestParameters;
  readonly account: Account;
  readonly reply: Reply;
  readonly signal: AbortSignal;
  readonly request: IncomingMessage;
  readonly body: BodyReader;
}

async function serve(front: Front, served: Served): Promise<void> {
  const { account, reply, signal, request, body } = served;
  const parameters = await withMultipart(served.parameters, request, body);
  refuseSettings(account, parameters.settings);
  const read = await readStatement(parameters.query, body);
  const statement = killById(read.statement, account, front.running);
  const inserts = statement.kind === 'insert' || statement.kind === 'insert-input';
  const ticket = await (inserts ? front.inserts : front.reads).enter(signal);
  const run = ({ connection, mark }: Lease): Promise<void> =>
    runStatement(
      {
        engine: front.engine,
        connection,
        mark,
        params: parameters.params,
        defaultFormat: parameters.defaultFormat ?? 'TabSeparated',
        reply,
        signal,
        readonly: account.readonly,
      },
      statement,
      { inline: read.inline, body },
    );
  try {
    if (parameters.sessionId === null) await runAlone(front, parameters, account, statement, run);
    else {
      // Whoever has the whole answer may ask the next question: the session is free by then.
      const end = reply.holdEnd();
      await front.sessions.run(sessionOf(parameters, account, parameters.sessionId), run);
      end();
    }
  } finally {
    ticket.release();
  }
}

async function runAlone(
  front: Front,
  parameters: RequestParameters,
  { readonly }: Account,
  statement: Statement,
  run: (lease: Lease) => Promise<void>,
): Promise<void> {
  const lease = await front.engine.lease(parameters.settings, {
    readonly,
    database: parameters.database ?? '',
  });
  let clean = false;
  try {
    await run(lease);
    clean = leavesNothing(statement);
  } finally {
    lease.release(clean);
  }
}

const sessionOf = (parameters: RequestParameters, account: Account, id: string): SessionRequest => ({
  id,
  timeoutSeconds: parameters.sessionTimeout,
  user: account.user,
  readonly: account.readonly,
  settings: parameters.settings,
  database: parameters.database,
});

/** Clients send long parameters as a form. */
async function withMultipart(
  parameters: RequestParameters,
  request: IncomingMessage,
  body: BodyReader,
): Promise<RequestParameters> {
  const type = request.headers['content-type'] ?? '';
  if (!/^multipart\/form-data/i.test(type)) return parameters;
  if (!(await body.hold(MAX_FORM_BYTES + 1))) throw tooLarge();
  const params = new Map(parameters.params);
  let query = parameters.query;
  for (const [name, value] of readMultipart(type, body.held)) {
    if (name === 'query') query += value;
    else if (name.startsWith('param_')) params.set(name.slice('param_'.length), value);
    else throw refusal(48, 'NOT_IMPLEMENTED', `Form field '${name}' is not supported`);
  }
  body.skip(body.held.length);
  return { ...parameters, query, params };
}

/**
 * The statement is the `query` parameter and the body behind it, with a line end in between; for an insert
 * what follows FORMAT or VALUES is data and stays unread.
 */
async function readStatement(
  query: string,
  body: BodyReader,
): Promise<{ statement: Statement; inline: Buffer }> {
  const lead = Buffer.from(query === '' ? '' : `${query}\n`);
  await body.hold(SPOOLED_BYTES);
  for (;;) {
    const text = Buffer.concat([lead, body.held]);
    if (!body.ended && text.length > MAX_SQL_BYTES) throw tooLarge();
    // One character per byte, so that offsets are the data's too.
    const statement = inUtf8(parseStatement(text.toString('latin1')));
    const dataAt = 'dataAt' in statement ? statement.dataAt : text.length;
    if (!body.ended && dataAt >= text.length && !('dataAt' in statement && lead.length >= dataAt)) {
      await body.hold(MAX_SQL_BYTES + 1);
      continue;
    }
    if (!('dataAt' in statement) && text.length > MAX_SQL_BYTES) throw tooLarge();
    const inline = lead.subarray(Math.min(dataAt, lead.length));
    body.skip(Math.max(0, dataAt - lead.length));
    return { statement, inline: WHITESPACE.test(inline.toString('latin1')) ? Buffer.alloc(0) : inline };
  }
}

const tooLarge = (): Error =>
  refusal(229, 'QUERY_IS_TOO_LARGE', `The statement is longer than ${MAX_SQL_BYTES} bytes`);

function inUtf8(statement: Statement): Statement {
  const text = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();
  if (statement.kind === 'insert') return { ...statement, head: text(statement.head) };
  if (statement.kind === 'command') return { ...statement, sql: text(statement.sql) };
  if (statement.kind === 'select') {
    const { sql, at } = statement;
    return { ...statement, sql: text(sql), at: { offset: text(sql.slice(0, at.offset)).length } };
  }
  const { sql, input } = statement;
  return {
    ...statement,
    sql: text(sql),
    input: {
      start: text(sql.slice(0, input.start)).length,
      end: text(sql.slice(0, input.end)).length,
      structure: text(input.structure),
    },
  };
}

/** SET, USE and CREATE TEMPORARY are commands; a SETTINGS clause may outlive its statement. */
function leavesNothing(statement: Statement): boolean {
  if (statement.kind === 'command') return false;
  return !/\bSETTINGS\b/i.test(statement.kind === 'insert' ? statement.head : statement.sql);
}

const facts = ({ engine }: Front): { timezone: string; version: string } => ({
  timezone: engine.timezone,
  version: engine.version,
});
