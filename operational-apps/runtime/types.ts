import type { Principal } from '#kernel';
import type { App, EntityModel } from '../definitions/index.ts';

/**
 * The records engine's face. GraphQL, REST, import, the web app, agents and automations all go through it;
 * none of them has SQL of its own. Every call acts for one principal inside one tenant and is held to the
 * policy twice: here, by what the definitions permit, and in the database, by row-level security.
 *
 * Values as JSON: integers and ids beyond 2^53, decimals and money are strings in plain digits; ids always
 * are. Dates `YYYY-MM-DD`, instants ISO 8601 in UTC, multiSelect a list, address an object of its parts,
 * reference the id, anyReference `{entity, id}`, childTable a list of objects with their own `id`.
 *
 * Errors (HubError, disposition `user` unless said otherwise; `details.path` names the field as
 * `lines.2.quantity`): ENTITY_UNKNOWN, FIELD_UNKNOWN, VALUE_INVALID, VALUE_REQUIRED, VALUE_TAKEN (unique),
 * REFERENCE_UNKNOWN, RECORD_NOT_FOUND (also what may not be read), PERMISSION_DENIED, FIELD_DENIED,
 * FIELD_IMMUTABLE, RECORD_SUBMITTED, VERSION_STALE, TRANSITION_UNKNOWN, TRANSITION_REFUSED, ACTION_UNKNOWN,
 * ACTION_REFUSED, RULE_BROKEN (a check), FILTER_INVALID, SORT_INVALID, CURSOR_INVALID, LIMIT_EXCEEDED,
 * IDEMPOTENCY_MISMATCH, IDEMPOTENCY_BUSY, RECORD_IN_USE (still referred to), TENANT_REQUIRED,
 * EFFECT_NO_MATCH (an effect has nothing to change), AUTOMATION_LOOP (automations set off one another without
 * end); transient: BUSY (the queue is full, or others hold the records), TOO_SLOW (given up by the database).
 */
export interface AppsRuntime {
  /** The definitions in force. Replaced as a whole by `use`. */
  readonly apps: readonly App[];
  /** Grows by one with each `use`; schemas built from `apps` are kept by it. */
  readonly revision: number;
  entity(path: string): EntityModel;
  /** Puts other definitions in force, after their plan has been carried out. */
  use(apps: readonly App[]): void;
  /** Records as this principal sees them. `surface` goes into the trail. TENANT_REQUIRED without a tenant. */
  as(principal: Principal, call: Call): Records;
  close(): Promise<void>;
}

export interface Call {
  readonly surface: 'graphql' | 'rest' | 'import' | 'web' | 'mcp' | 'automation' | 'demo';
  readonly requestId?: string;
  /** Who waits for the answer; absent: somebody does. */
  readonly client?: Client | undefined;
}

/**
 * Whoever waits for an answer: an AbortSignal in short, since one of those and its listener cost a read more than its
 * checks do.
 */
export interface Client {
  /** Nobody waits any more. */
  readonly gone: boolean;
  /** Calls `then` if nobody waits any more from now on. Returns how to stop listening. */
  onGone(then: () => void): () => void;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Values = Readonly<Record<string, Json>>;

/** A record: its fields as the principal may see them, hidden ones left out. */
export interface RecordRow {
  readonly id: string;
  readonly version: number;
  readonly [field: string]: Json;
}

/** `{field: {eq: 1}}`, `{and: [...]}`, `{or: [...]}`, `{not: {...}}`; through references `{owner: {email: {eq: 'a@b'}}}`. */
export interface Filter {
  readonly and?: readonly Filter[];
  readonly or?: readonly Filter[];
  readonly not?: Filter;
  readonly [field: string]: Condition | Filter | readonly Filter[] | undefined;
}

export interface Condition {
  readonly eq?: Json;
  readonly ne?: Json;
  readonly in?: readonly Json[];
  readonly lt?: Json;
  readonly lte?: Json;
  readonly gt?: Json;
  readonly gte?: Json;
  readonly isNull?: boolean;
  /** Case-insensitive; the whole text is looked through. */
  readonly contains?: string;
  readonly startsWith?: string;
  /** multiSelect: has all, has any. */
  readonly all?: readonly Json[];
  readonly any?: readonly Json[];
}

/** Fields wanted of a record and, through references and child tables, of what it points to. */
export interface Selection {
  readonly [field: string]: true | Selection;
}

export interface ListQuery {
  readonly filter?: Filter;
  /** `name`, `-created_at`; at most three, `id` is added to make the order total. */
  readonly sort?: readonly string[];
  /** Rows wanted, 1 to 500; default 50. */
  readonly first?: number;
  /** `cursor` of the row after which (or, with `backward`, before which) the page begins. */
  readonly after?: string;
  readonly backward?: boolean;
  /** Text looked for in the entity's search fields. */
  readonly search?: string;
  readonly select?: Selection;
  /** Count all rows too, up to 10,000 (then `totalIsMore`). */
  readonly count?: boolean;
}

export interface Page {
  readonly rows: readonly { readonly cursor: string; readonly record: RecordRow }[];
  readonly hasMore: boolean;
  readonly total?: number;
  readonly totalIsMore?: boolean;
}

export interface AggregateQuery {
  readonly filter?: Filter;
  /** Fields, dates as `placed_at:month`. */
  readonly by?: readonly string[];
  /** `count`, `sum:total`, `avg:total`, `min:total`, `max:total`. */
  readonly measures: readonly string[];
  readonly limit?: number;
}

export interface WriteOptions {
  /** The version the writer has seen: VERSION_STALE (with `details.current`) if it is another by now. */
  readonly version?: number;
  /** The same key with the same request gives the first answer again, for 24 hours. */
  readonly idempotencyKey?: string;
  readonly select?: Selection;
}

export type BulkOperation =
  | { readonly op: 'create'; readonly entity: string; readonly values: Values }
  | {
      readonly op: 'update';
      readonly entity: string;
      readonly id: string;
      readonly values: Values;
      readonly version?: number;
    }
  | { readonly op: 'delete'; readonly entity: string; readonly id: string; readonly version?: number }
  | {
      readonly op: 'transition';
      readonly entity: string;
      readonly id: string;
      readonly name: string;
      readonly input?: Values;
      readonly version?: number;
    };

export interface Rights {
  readonly read: boolean;
  readonly create: boolean;
  readonly update: boolean;
  readonly delete: boolean;
  readonly export: boolean;
  readonly import: boolean;
  readonly comment: boolean;
  readonly fields: Readonly<Record<string, 'hidden' | 'masked' | 'readonly' | 'write'>>;
  readonly transitions: readonly string[];
  readonly actions: readonly string[];
}

export interface Records {
  readonly principal: Principal;
  /** The tenant these records are read and written in. */
  readonly tenant: string;
  /** What the principal may do with an entity (rows apart). Decided without the database. */
  rights(entity: string): Rights;
  get(entity: string, id: string, select?: Selection): Promise<RecordRow | null>;
  /** In the order of `ids`; null for what is not there or may not be seen. One query. */
  getMany(entity: string, ids: readonly string[], select?: Selection): Promise<readonly (RecordRow | null)[]>;
  /** Rows of `entity` whose reference (or parent) `field` is one of `ids`, by id; at most `first` of each. One query. */
  related(
    entity: string,
    field: string,
    ids: readonly string[],
    query?: Pick<ListQuery, 'first' | 'sort' | 'filter' | 'select'>,
  ): Promise<ReadonlyMap<string, Page>>;
  list(entity: string, query?: ListQuery): Promise<Page>;
  /** All rows that match, in steady memory; needs the right to export. */
  stream(
    entity: string,
    query?: Pick<ListQuery, 'filter' | 'sort' | 'search' | 'select'>,
  ): AsyncIterable<readonly RecordRow[]>;
  aggregate(entity: string, query: AggregateQuery): Promise<readonly Values[]>;
  /** Over all entities the principal may read, best first. */
  search(
    text: string,
    options?: { readonly entities?: readonly string[]; readonly limit?: number },
  ): Promise<readonly { readonly entity: string; readonly id: string; readonly title: string }[]>;
  create(entity: string, values: Values, options?: Omit<WriteOptions, 'version'>): Promise<RecordRow>;
  update(entity: string, id: string, values: Values, options?: WriteOptions): Promise<RecordRow>;
  delete(
    entity: string,
    id: string,
    options?: Pick<WriteOptions, 'version' | 'idempotencyKey'>,
  ): Promise<void>;
  transition(
    entity: string,
    id: string,
    name: string,
    input?: Values,
    options?: WriteOptions,
  ): Promise<RecordRow>;
  act(entity: string, id: string, action: string, input?: Values, options?: WriteOptions): Promise<RecordRow>;
  /** A new draft with the values of a cancelled document. */
  amend(entity: string, id: string, options?: Omit<WriteOptions, 'version'>): Promise<RecordRow>;
  /** All or nothing, in order, at most 500. */
  bulk(
    operations: readonly BulkOperation[],
    /** `dryRun`: everything is tried and answered, and nothing stays. */
    options?: Pick<WriteOptions, 'idempotencyKey'> & { readonly dryRun?: boolean },
  ): Promise<readonly (RecordRow | null)[]>;
  readonly timeline: Timeline;
  readonly savedFilters: SavedFilters;
  readonly notifications: Notifications;
}

/** Lists of records that users keep under a name, for themselves or for everybody of the tenant. */
export interface SavedFilters {
  /**
   * One's own, by name, then what others share. A filter is checked against the reader's rights each time:
   * another's that names what the reader may not see is left out, one's own comes empty with its `problem`.
   */
  list(entity: string): Promise<readonly SavedFilter[]>;
  /** Takes the place of one's own of that name. Checked like a list: FIELD_DENIED, FILTER_INVALID, ... */
  save(entity: string, filter: NewSavedFilter): Promise<SavedFilter>;
  /** RECORD_NOT_FOUND for what is not one's own. */
  delete(id: string): Promise<void>;
}

export interface NewSavedFilter {
  /** 1 to 100 characters. */
  readonly name: string;
  readonly filter?: Filter | null;
  /** As in a list: `name`, `-created_at`. */
  readonly sort?: readonly string[];
  /** Fields or paths (`owner.email`) to be shown, in order; empty: all. */
  readonly columns?: readonly string[];
  /** For everybody of the tenant who may see the fields it names; default false. */
  readonly shared?: boolean;
}

export interface SavedFilter extends Required<NewSavedFilter> {
  readonly id: string;
  readonly entity: string;
  /** The user who saved it. */
  readonly owner: string;
  readonly own: boolean;
  readonly filter: Filter | null;
  readonly updatedAt: string;
  /** Why it cannot be used any more; null: it can. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

/**
 * What effects and mentions tell a user or the user's roles. Of a comment's mention only those learn who may
 * read the record, and only while they may; what a definition sends goes to whom the definition names.
 */
export interface Notifications {
  /** Newest first; `after` is `next` of the page before. `first` is 1 to 100, 50 if absent. */
  list(page?: { readonly first?: number; readonly after?: string }): Promise<NotificationPage>;
  /** Up to and with this id. Never takes back what was read. Answers what is left. */
  markRead(upTo: string): Promise<Pick<NotificationPage, 'unread' | 'unreadIsMore'>>;
}

export interface Notification {
  readonly id: string;
  readonly at: string;
  /** The record it is about. */
  readonly entity: string;
  readonly record: string;
  readonly text: string;
  /** The role it was sent to; null: to the user. */
  readonly role: string | null;
  readonly read: boolean;
}

export interface NotificationPage {
  readonly notifications: readonly Notification[];
  readonly next: string | null;
  /** Of all, up to 100 (then `unreadIsMore`). */
  readonly unread: number;
  readonly unreadIsMore: boolean;
}

export interface TimelineEntry {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  readonly kind: 'created' | 'updated' | 'deleted' | 'transition' | 'action' | 'comment' | 'attachment';
  readonly name?: string;
  readonly text?: string;
  readonly mentions?: readonly string[];
  /** Old and new values; fields the reader may not see are left out. */
  readonly changes?: readonly { readonly field: string; readonly old: Json; readonly new: Json }[];
}

export interface Timeline {
  /** Newest first. */
  list(
    entity: string,
    id: string,
    page?: { readonly first?: number; readonly after?: string },
  ): Promise<readonly TimelineEntry[]>;
  /** `@user@company.example` in the text notifies that user, if they may read the record. */
  comment(entity: string, id: string, text: string): Promise<TimelineEntry>;
  attach(
    entity: string,
    id: string,
    file: { readonly name: string; readonly type: string; readonly content: AsyncIterable<Buffer> },
  ): Promise<Attachment>;
  attachments(entity: string, id: string): Promise<readonly Attachment[]>;
  open(attachment: string): Promise<{ readonly info: Attachment; readonly content: AsyncIterable<Buffer> }>;
  detach(attachment: string): Promise<void>;
}

export interface Attachment {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly addedBy: string;
  readonly addedAt: string;
}
