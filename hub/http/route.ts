import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import type { z } from 'zod';
import { allows, audit, type Principal, type Scope, toHubError } from '#kernel';
import {
  administers,
  assertNotTenantBound,
  forbidden,
  type Identity,
  unauthorised,
} from '../identity/index.ts';
import { Waiting } from './waiting.ts';

export type Shape = z.ZodObject | undefined;
type Parsed<S extends Shape> = S extends z.ZodObject ? z.output<S> : Record<string, never>;

/** What the audit trail says of a call beyond who, what and when. */
interface Note {
  readonly entity?: string;
  readonly record?: string;
  /** The tenant it concerns; default: the principal's. */
  readonly tenant?: string | null;
  readonly details?: Readonly<Record<string, unknown>>;
}

interface Call<P extends Shape, Q extends Shape, B extends Shape> {
  readonly params: Parsed<P>;
  readonly query: Parsed<Q>;
  readonly body: Parsed<B>;
  /** On a public route: nobody. */
  readonly principal: Principal;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Who waits for the answer. */
  readonly client: Waiting;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** Adds to the entry that the trail gets once the call is done. */
  readonly note: (note: Note) => void;
}

export interface Route<P extends Shape = Shape, Q extends Shape = Shape, B extends Shape = Shape> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With `:name` parameters. */
  readonly path: string;
  readonly summary: string;
  /** Right it needs; `administer`: to see to users, keys and the trail; null: any principal. */
  readonly scope: Scope | 'administer' | null;
  /** Answers before anybody is known, and writes the trail itself. */
  readonly public?: true;
  /** Confines itself to the principal's tenant. Any other route refuses principals that are bound to one. */
  readonly tenantSafe?: true;
  /** Name in the audit trail, e.g. `user.create`; default: method and path. GETs are not in it; false: nor is this. */
  readonly audit?: string | false;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: string;
  readonly contentType?: string;
  /** Resolves to a JSON value, or answers through `reply` and resolves undefined. */
  readonly handle: (call: Call<P, Q, B>) => Promise<unknown>;
}

/** Keeps the types of a route's schemas through to its handler. */
export function route<P extends Shape = undefined, Q extends Shape = undefined, B extends Shape = undefined>(
  definition: Route<P, Q, B>,
): Route {
  return definition as unknown as Route;
}

const NOBODY: Principal = { tenant: null, user: 'nobody', roles: [], attributes: {}, scopes: [] };

/** Registers the routes: principal, scope, schemas, then the handler. Nothing reaches a handler unchecked. */
export function registerRoutes(
  app: FastifyInstance,
  routes: readonly Route[],
  { pool, identity }: { readonly pool: Pool; readonly identity: Identity },
): void {
  for (const entry of routes) {
    app.route({
      method: entry.method,
      url: entry.path,
      handler: async (request, reply) => {
        const principal = entry.public
          ? NOBODY
          : (identity.authenticator.known(request) ?? (await identity.authenticator.principal(request)));
        if (!principal) throw unauthorised('This needs an API key or a session.');
        const call = new HandledCall(entry, request, reply, principal);
        try {
          if (!entry.public) assertMay(principal, entry);
          const result = await entry.handle(call.parse());
          if (writes(entry)) {
            identity.authenticator.forget();
            if (!entry.public) await audit(pool, { ...call.told(), outcome: 'ok' });
          }
          return result === undefined ? reply : result;
        } catch (thrown) {
          await refused(pool, call, thrown);
          throw thrown;
        }
      },
    });
  }
}

function assertMay(principal: Principal, { scope, tenantSafe }: Route): void {
  const may = scope === null || (scope === 'administer' ? administers(principal) : allows(principal, scope));
  if (!may) throw forbidden(scope);
  if (!tenantSafe) assertNotTenantBound(principal);
}

const parse = (schema: Shape, value: unknown): Record<string, never> =>
  schema ? (schema.parse(value ?? {}) as Record<string, never>) : {};

/** What the records engine denies it tells itself, for all surfaces (hub/apps/runtime.ts). */
const DENIALS = ['FORBIDDEN', 'TENANT_BOUND', 'TENANT_DENIED'];

/** Writes are in the trail before they are answered; so is whatever was denied. */
const writes = (entry: Route): boolean => entry.method !== 'GET' && entry.audit !== false;

async function refused(pool: Pool, call: HandledCall, thrown: unknown): Promise<void> {
  const { code } = toHubError(thrown);
  if (call.entry.public || !DENIALS.includes(code)) return;
  // The refusal stands, whether or not it can be written down.
  await audit(pool, { ...call.told(), outcome: 'denied', code }).catch((error: unknown) =>
    call.request.log.error(
      { err: toHubError(error), principal: call.principal.user, code },
      'denial not in the audit trail',
    ),
  );
}

/** One call of a route: what its handler is given, some of it made when it is asked for. */
class HandledCall {
  readonly entry: Route;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly principal: Principal;
  readonly client: Waiting;
  params: Record<string, never> = {};
  query: Record<string, never> = {};
  body: Record<string, never> = {};
  #note: Note = {};

  constructor(entry: Route, request: FastifyRequest, reply: FastifyReply, principal: Principal) {
    this.entry = entry;
    this.request = request;
    this.reply = reply;
    this.principal = principal;
    this.client = new Waiting(reply.raw);
  }

  /** Checks what came against the route's schemas. */
  parse(): this {
    this.params = parse(this.entry.params, this.request.params);
    this.query = parse(this.entry.query, this.request.query);
    this.body = parse(this.entry.body, this.request.body);
    return this;
  }

  get signal(): AbortSignal {
    return this.client.signal;
  }

  get note(): (note: Note) => void {
    return (more) => {
      this.#note = { ...this.#note, ...more };
    };
  }

  /** What the trail says of it. */
  told() {
    const { entry, request, principal } = this;
    return {
      principal,
      surface: 'http',
      action: entry.audit || `${entry.method} ${entry.path}`,
      requestId: request.id,
      address: request.ip,
      ...this.#note,
    };
  }
}
