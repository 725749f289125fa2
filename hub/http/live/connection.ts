import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import { allows, type Principal, userError } from '#kernel';
import type { CubeLayer } from '#semantic';
import { forbidden, type Identity, unauthorised } from '../../identity/index.ts';
import { cubeFailure } from '../cube-format.ts';
import type { RequestLimits } from '../request-limits.ts';
import { endWithIdentity } from '../streams.ts';
import { type MessageId, parseMessage, type Question } from './messages.ts';

export interface LiveContext {
  readonly semantic: CubeLayer;
  readonly identity: Identity;
  readonly limits: RequestLimits;
}

/** Questions of one connection that are followed, and that wait for their answer, at once. */
const MOST_FOLLOWED = 100;
const MOST_ASKED = 20;
const PING_MS = 30_000;
/** Whoever has not said who he is by then keeps nobody else from a place. */
const HANDSHAKE_MS = 10_000;
/** What waits for a client that does not read; beyond it the connection is broken off. */
const MOST_UNREAD = 64 * 1024 * 1024;
/** Close codes of RFC 6455, section 7.4.1. */
const POLICY = 1008;

/** One websocket: who it speaks for, and the questions that it follows. */
export class LiveConnection {
  readonly #socket: WebSocket;
  readonly #request: FastifyRequest;
  readonly #context: LiveContext;
  /** As whom the last handshake was made. */
  #principal: Principal | null = null;
  #handshakes: Promise<void> = Promise.resolve();
  readonly #followed = new Map<MessageId, { readonly text: string; readonly end: AbortController }>();
  readonly #over = new AbortController();
  #asked = 0;
  #answers = true;
  /** Ends with the last answer on its way: one at a time, however many are followed. */
  #telling: Promise<void> = Promise.resolve();
  #unwatch: () => void = () => undefined;

  constructor(socket: WebSocket, request: FastifyRequest, context: LiveContext) {
    this.#socket = socket;
    this.#request = request;
    this.#context = context;
    const ping = setInterval(() => this.#ping(), PING_MS);
    const late = setTimeout(() => {
      if (!this.#principal) socket.close(POLICY, 'Nobody has said who asks.');
    }, HANDSHAKE_MS);
    socket.on('pong', () => {
      this.#answers = true;
    });
    socket.on('message', (data) => void this.#take(data.toString()));
    socket.on('close', () => {
      clearInterval(ping);
      clearTimeout(late);
      this.#over.abort();
      this.#letGo();
    });
  }

  /** Never rejects: whatever goes wrong is told to the client. */
  async #take(text: string): Promise<void> {
    let id: MessageId | undefined;
    try {
      const message = read(text);
      if (message.kind === 'authorization') {
        this.#count();
        this.#handshakes = this.#handshakes.then(() => this.#handshake(message.token));
        return;
      }
      // A question may be on its heels.
      await this.#handshakes;
      if (message.kind === 'unsubscribe') {
        this.#followed.get(message.id)?.end.abort();
        this.#followed.delete(message.id);
        return;
      }
      id = message.question.messageId;
      this.#count();
      await this.#answer(message.question);
      await this.#send({ messageProcessedId: id });
    } catch (thrown) {
      this.#fail(id, thrown);
    }
  }

  /** A message counts as a request: what an answer costs does not depend on how it was asked for. */
  #count(): void {
    this.#context.limits.count(this.#request, this.#principal);
  }

  async #handshake(token: string | undefined): Promise<void> {
    const { authenticator } = this.#context.identity;
    try {
      const request = token === undefined ? this.#request : authenticator.bearing(this.#request, token);
      const principal = await authenticator.principal(request);
      if (!principal) throw unauthorised('This needs an API key or a session.');
      if (!allows(principal, 'read')) throw forbidden('read');
      const tenant = await this.#context.identity.tenantOf(request, principal);
      // The client may have gone meanwhile; nothing must begin for it that nobody ends.
      if (this.#over.signal.aborted) return;
      // What is followed was asked by whoever spoke before, and ends with him.
      this.#letGo();
      this.#principal = { ...principal, tenant };
      this.#unwatch = endWithIdentity(
        this.#request.log,
        () => authenticator.stillGood(request),
        () => this.#socket.close(POLICY, 'The session, key or user has ended or has other rights.'),
      );
      await this.#send({ handshake: true });
    } catch (thrown) {
      this.#principal = null;
      this.#fail(undefined, thrown);
      this.#socket.close(POLICY, 'Not authorised.');
    }
  }

  #letGo(): void {
    this.#unwatch();
    for (const { end } of this.#followed.values()) end.abort();
    this.#followed.clear();
  }

  async #answer(question: Question): Promise<void> {
    if (this.#over.signal.aborted) return;
    const principal = this.#principal;
    if (!principal)
      throw unauthorised('The first message has to say who asks: {"authorization": "<API key>"}.');
    if (question.method === 'subscribe') {
      this.#follow(principal, question);
      return;
    }
    if (this.#asked >= MOST_ASKED)
      throw tooMany(`${MOST_ASKED} questions of this connection are being answered.`);
    this.#asked += 1;
    try {
      const { status, body } = await this.#once(principal, question);
      await this.#tell(question, status, body);
    } finally {
      this.#asked -= 1;
    }
  }

  #once(principal: Principal, { method, params }: Question) {
    const { rest } = this.#context.semantic;
    const { query = {}, ...options } = params;
    if (method === 'sql') return rest.sql(principal, query);
    if (method === 'dry-run') return rest.dryRun(principal, query);
    if (method === 'meta') return rest.meta(principal);
    return rest.load(principal, { query, ...options }, this.#over.signal);
  }

  /** Cube's client says all its questions again every minute: one that is followed already goes on as it is. */
  #follow(principal: Principal, question: Question): void {
    const { messageId: id, params } = question;
    const text = JSON.stringify(params);
    const before = this.#followed.get(id);
    if (before?.text === text) return;
    before?.end.abort();
    if (!before && this.#followed.size >= MOST_FOLLOWED)
      throw tooMany(`${MOST_FOLLOWED} questions of this connection are followed already.`);
    const end = new AbortController();
    this.#followed.set(id, { text, end });
    const { query = {}, ...options } = params;
    this.#context.semantic.rest
      .live(
        principal,
        { query, ...options },
        ({ status, body }) => this.#tell(question, status, body, end.signal),
        end.signal,
      )
      .catch((thrown: unknown) => {
        if (end.signal.aborted) return;
        this.#followed.delete(id);
        this.#fail(id, thrown);
      });
  }

  /** `body` is JSON already; nothing is told of a question that was given up before its turn. */
  #tell(
    { messageId, requestId }: Question,
    status: number,
    body: Buffer,
    givenUp?: AbortSignal,
  ): Promise<void> {
    const head = JSON.stringify({ messageId, ...(requestId === undefined ? {} : { requestId }), status });
    this.#telling = this.#telling.then(() =>
      givenUp?.aborted ? undefined : this.#sendText(`${head.slice(0, -1)},"message":${body}}`),
    );
    return this.#telling;
  }

  #fail(messageId: MessageId | undefined, thrown: unknown): void {
    const { status, body } = cubeFailure(thrown, this.#request.log);
    void this.#send({ ...(messageId === undefined ? {} : { messageId }), message: body, status });
  }

  #send(message: object): Promise<void> {
    return this.#sendText(JSON.stringify(message));
  }

  /** Resolves once it is written to the network, or the connection has ended. */
  #sendText(text: string): Promise<void> {
    if (this.#socket.bufferedAmount > MOST_UNREAD) this.#socket.terminate();
    return new Promise((resolve) => this.#socket.send(text, () => resolve()));
  }

  /** A client that has gone without a word is told from one that only listens. */
  #ping(): void {
    if (!this.#answers) this.#socket.terminate();
    this.#answers = false;
    this.#socket.ping();
  }
}

function read(text: string): ReturnType<typeof parseMessage> {
  try {
    return parseMessage(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw userError(
      'MESSAGE_INVALID',
      `The message is no JSON: ${thrown.message}.`,
      'See docs/semantic-layer.md.',
    );
  }
}

const tooMany = (message: string): Error =>
  userError('TOO_MANY_QUESTIONS', message, 'Wait for answers, or open another connection.');
