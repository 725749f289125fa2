import { createHash } from 'node:crypto';
import type { Principal } from '#kernel';
import type { EntityInfo } from './model/catalogue.ts';
import { toText, Unfit } from './model/convert.ts';
import type { Model } from './model/model.ts';
import { problem } from './model/problem.ts';
import { show } from './model/values.ts';
import type { Access } from './read/access.ts';
import { idOrNull } from './read/list.ts';
import type { Identity, Sessions, Statement, WireRow } from './sessions/index.ts';
import type { Attachment, Json, Timeline, TimelineEntry } from './types.ts';
import { notFound } from './write/lock.ts';
import { trailStatements } from './write/trail.ts';
import { Binder, type Change, type Unit } from './write/unit.ts';
import type { Writing } from './write/writing.ts';

const MOST_ENTRIES = 200;
const MOST_TEXT = 20_000;
const MOST_MENTIONS = 50;
const MOST_BYTES = 50 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;
const MENTION = /(?<![\w.@])@([\w.+-]+@[\w-]+(?:\.[\w-]+)+|[a-z][\w.-]{1,60})/gi;

export interface TimelineContext {
  readonly model: Model;
  readonly sessions: Sessions;
  readonly identity: Identity;
  readonly access: Access;
  readonly principal: Principal;
  readonly writing: Writing;
  readonly on: <T>(path: string, operation: string, work: (entity: EntityInfo) => Promise<T>) => Promise<T>;
}

/** What happened to records and what people said about them; see `Timeline`. */
export function createTimeline(context: TimelineContext): Timeline {
  const { sessions, identity, access, writing, on } = context;
  const read = async (statement: Statement): Promise<readonly WireRow[]> =>
    (await sessions.read(identity, statement)).rows;
  const assertCan = (entity: EntityInfo, what: 'comment' | 'attachment'): void => {
    const rights = access.rights(entity);
    if (
      !rights.read ||
      !rights.comment ||
      !(what === 'comment' ? entity.model.comments : entity.model.attachments)
    )
      throw problem('PERMISSION_DENIED', `You may not add a ${what} to ${entity.model.label}.`, undefined, {
        entity: entity.path,
      });
  };
  return {
    list: (path, id, page = {}) =>
      on(path, 'read', async (entity) => {
        const key = seenKey(access, entity, id);
        const first = page.first ?? 50;
        if (!Number.isInteger(first) || first < 1 || first > MOST_ENTRIES)
          throw problem('LIMIT_EXCEEDED', `\`first\` is between 1 and ${MOST_ENTRIES}.`, 'first');
        const binder = new Binder();
        const rules = [
          `a.entity = ${binder.add(path)}`,
          `a.record_id = ${binder.add(key)}`,
          `a.tenant_id = ${binder.add(identity.tenant)}`,
        ];
        if (page.after !== undefined) rules.push(`a.id < ${binder.add(idOrNull(page.after) ?? '0')}::bigint`);
        const [visible, entries] = await sessions.readAll(identity, [
          { text: `SELECT 1 FROM ${entity.table} t WHERE t.id = $1`, values: [key], keep: true },
          binder.statement(
            `SELECT ${ENTRY} FROM bac.activity a WHERE ${rules.join(' AND ')} ORDER BY a.id DESC LIMIT ${first}`,
          ),
        ]);
        if (visible!.rows.length === 0) throw notFound(entity, id);
        return entries!.rows.map((row) => toEntry(context, entity, row));
      }),
    comment: (path, id, text) =>
      on(path, 'comment', async (entity) => {
        assertCan(entity, 'comment');
        const body = checkText(text);
        const mentions = [
          ...new Set([...body.matchAll(MENTION)].map((match) => match[1]!.toLowerCase())),
        ].slice(0, MOST_MENTIONS);
        const key = seenKey(access, entity, id);
        return writing.run(
          { key: undefined, request: null },
          async (unit) => {
            await assertSeen(unit, entity, key, id);
            unit.trail.push({ entity, id: key, kind: 'comment', text: body, mentions });
            for (const statement of trailStatements(unit)) unit.tx.later({ ...statement, elevated: true });
            notifyMentioned(unit, entity, key, mentions, body);
            return [latestEntry(context, entity, key)];
          },
          ([entry]) => entry as TimelineEntry,
        );
      }),
    attach: (path, id, file) =>
      on(path, 'comment', async (entity) => {
        assertCan(entity, 'attachment');
        const key = seenKey(access, entity, id);
        return attach(context, entity, key, id, file);
      }),
    attachments: (path, id) =>
      on(path, 'read', async (entity) => {
        const key = seenKey(access, entity, id);
        const rows = await read({
          text: `SELECT ${ATTACHMENT} FROM bac.attachments a WHERE a.entity = $1 AND a.record_id = $2 AND a.complete ORDER BY a.id`,
          values: [path, key],
          keep: true,
        });
        return rows.map(toAttachment);
      }),
    async open(attachment) {
      const key = idOrNull(attachment) ?? '0';
      const [row] = await read({
        text: `SELECT ${ATTACHMENT}, a.entity FROM bac.attachments a WHERE a.id = $1 AND a.complete`,
        values: [key],
        keep: true,
      });
      if (!row || !mayRead(context, row.at(-1)!)) throw noAttachment(attachment);
      return { info: toAttachment(row), content: pieces(context, key) };
    },
    async detach(attachment) {
      const key = idOrNull(attachment) ?? '0';
      const [row] = await read({
        text: `SELECT ${ATTACHMENT}, a.record_id::text, a.entity FROM bac.attachments a WHERE a.id = $1 AND a.complete`,
        values: [key],
        keep: true,
      });
      const path = row?.at(-1);
      if (!row || !path || !mayRead(context, path)) throw noAttachment(attachment);
      await on(path, 'comment', async (entity) => {
        const rights = access.rights(entity);
        if (!rights.comment || !(rights.update || row[5] === identity.user))
          throw problem('PERMISSION_DENIED', 'Somebody else added this file.', undefined, { entity: path });
        await writing.run(
          { key: undefined, request: null },
          async (unit) => {
            unit.tx.later({
              text: 'DELETE FROM bac.attachments WHERE id = $1',
              values: [key],
              keep: true,
              elevated: true,
            });
            unit.trail.push({
              entity,
              id: row.at(-2)!,
              kind: 'attachment',
              name: row[1]!,
              changes: [{ field: 'attachment', old: row[1]!, new: null }],
            });
            return [];
          },
          () => undefined,
        );
      });
    },
  };
}

function seenKey(access: Access, entity: EntityInfo, id: string): string {
  if (!access.rights(entity).read)
    throw problem('PERMISSION_DENIED', `${entity.model.plural} may not be read.`, undefined, {
      entity: entity.path,
    });
  const key = idOrNull(id);
  if (key === null) throw notFound(entity, id);
  return key;
}

async function assertSeen(unit: Unit, entity: EntityInfo, key: string, id: string): Promise<void> {
  const { rows } = await unit.tx.run({
    text: `SELECT 1 FROM ${entity.table} t WHERE t.id = $1`,
    values: [key],
    keep: true,
  });
  if (rows.length === 0) throw notFound(entity, id);
}

function checkText(text: string): string {
  try {
    const body = toText(text).trim();
    if (body === '' || body.length > MOST_TEXT) throw new Unfit(`a text of 1 to ${MOST_TEXT} characters`);
    return body;
  } catch (error) {
    if (error instanceof Unfit) throw problem('VALUE_INVALID', `A comment must be ${error.message}.`, 'text');
    throw error;
  }
}

/** What the mentioned may read is not known here: the database asks each time they read their notifications. */
function notifyMentioned(
  unit: Unit,
  entity: EntityInfo,
  id: string,
  mentions: readonly string[],
  body: string,
): void {
  for (const user of mentions)
    unit.tx.later({
      text: 'INSERT INTO bac.notifications (tenant_id, user_id, entity, record_id, body, with_record) VALUES ($1, $2, $3, $4, $5, true)',
      values: [unit.identity.tenant, user, entity.path, id, `${unit.identity.user}: ${body.slice(0, 300)}`],
      keep: true,
      elevated: true,
    });
}

function toEntry(context: TimelineContext, entity: EntityInfo, row: WireRow): TimelineEntry {
  const [id, at, actor, kind, name, text, mentions, changes] = row;
  const shown = changes ? visibleChanges(context, entity, JSON.parse(changes) as Change[]) : undefined;
  return {
    id: id!,
    at: show('dateTime', at) as string,
    actor: actor!,
    kind: kind as TimelineEntry['kind'],
    ...(name ? { name } : {}),
    ...(text ? { text } : {}),
    ...(mentions ? { mentions: JSON.parse(mentions) as string[] } : {}),
    ...(shown ? { changes: shown } : {}),
  };
}

/** Without the fields the reader may not see, those of child tables included. */
function visibleChanges(context: TimelineContext, entity: EntityInfo, changes: readonly Change[]): Change[] {
  return changes.flatMap((change) => {
    const [name, row, ...rest] = change.field.split('.') as [string, ...string[]];
    const right = context.access.rights(entity).fields[name];
    if (name === 'attachment') return [change];
    if (right === undefined || right === 'hidden' || right === 'masked') return [];
    if (row === undefined) return [change];
    const child = context.model.catalogue.entities.get(entity.fields.get(name)?.entities[0] ?? '');
    if (!child) return [];
    if (rest.length > 0) {
      const inner = visibleChanges(context, child, [{ ...change, field: rest.join('.') }]);
      return inner.length > 0 ? [change] : [];
    }
    return [
      { ...change, old: visibleRow(context, child, change.old), new: visibleRow(context, child, change.new) },
    ];
  });
}

function visibleRow(context: TimelineContext, child: EntityInfo, row: Json): Json {
  if (row === null || typeof row !== 'object' || Array.isArray(row)) return row;
  const fields = context.access.rights(child).fields;
  return Object.fromEntries(
    Object.entries(row).filter(
      ([name]) => name === 'id' || fields[name] === 'readonly' || fields[name] === 'write',
    ),
  );
}

function latestEntry(context: TimelineContext, entity: EntityInfo, key: string) {
  return {
    statement: {
      text: `SELECT ${ENTRY} FROM bac.activity a WHERE a.tenant_id = $1 AND a.entity = $2 AND a.record_id = $3 AND a.actor = $4 ORDER BY a.id DESC LIMIT 1`,
      values: [context.identity.tenant, entity.path, key, context.identity.user],
      keep: true,
    },
    read: (rows: readonly WireRow[]): TimelineEntry => toEntry(context, entity, rows[0]!),
  };
}

const ENTRY = 'a.id::text, a.at::text, a.actor, a.kind, a.name, a.body, to_json(a.mentions), a.changes';
const ATTACHMENT = 'a.id::text, a.name, a.type, a.bytes::text, a.sha256, a.added_by, a.added_at::text';

const toAttachment = ([id, name, type, bytes, sha256, addedBy, addedAt]: WireRow): Attachment => ({
  id: id!,
  name: name!,
  type: type!,
  bytes: Number(bytes),
  sha256: sha256!,
  addedBy: addedBy!,
  addedAt: show('dateTime', addedAt) as string,
});

const noAttachment = (id: string): Error =>
  problem('RECORD_NOT_FOUND', `There is no attachment ${id.slice(0, 40)} that you may see.`);

function mayRead(context: TimelineContext, path: string): boolean {
  const entity = context.model.catalogue.entities.get(path);
  return entity !== undefined && context.access.rights(entity).read;
}

/**
 * Pieces go into the database as they come, each in a transaction of its own; the file is there once all
 * of them are. What is broken off is deleted.
 */
async function attach(
  context: TimelineContext,
  entity: EntityInfo,
  key: string,
  id: string,
  file: Parameters<Timeline['attach']>[2],
): Promise<Attachment> {
  const { writing, identity } = context;
  const name = file.name.replace(/[\p{Cc}/\\]/gu, '_').slice(0, 255);
  if (name.trim() === '') throw problem('VALUE_INVALID', 'The file needs a name.', 'name');
  const type = /^[\w.+-]+\/[\w.+-]+$/.test(file.type) ? file.type.slice(0, 127) : 'application/octet-stream';
  const once = { key: undefined, request: null };
  const attachment = await writing.run(
    once,
    async (unit) => {
      await assertSeen(unit, entity, key, id);
      const { rows } = await unit.tx.run({
        text: `INSERT INTO bac.attachments (tenant_id, entity, record_id, name, type, bytes, sha256, added_by) VALUES ($1, $2, $3, $4, $5, 0, '', $6) RETURNING id::text`,
        values: [identity.tenant, entity.path, key, name, type, identity.user],
        elevated: true,
      });
      const own = rows[0]![0]!;
      return [{ statement: { text: `SELECT $1::text`, values: [own] }, read: () => own }];
    },
    ([own]) => own as string,
  );
  try {
    const { bytes, sha256 } = await storePieces(context, attachment, file.content);
    return await writing.run(
      once,
      async (unit) => {
        unit.tx.later({
          text: 'UPDATE bac.attachments SET bytes = $2, sha256 = $3, complete = true WHERE id = $1',
          values: [attachment, String(bytes), sha256],
          elevated: true,
        });
        unit.trail.push({ entity, id: key, kind: 'attachment', name });
        return [
          {
            statement: {
              text: `SELECT ${ATTACHMENT} FROM bac.attachments a WHERE a.id = $1`,
              values: [attachment],
            },
            read: (rows) => toAttachment(rows[0]!),
          },
        ];
      },
      ([info]) => info as Attachment,
    );
  } catch (error) {
    await context.sessions.alone(identity, {
      text: 'DELETE FROM bac.attachments WHERE id = $1',
      values: [attachment],
    });
    throw error;
  }
}

async function storePieces(
  context: TimelineContext,
  attachment: string,
  content: AsyncIterable<Buffer>,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  let piece = 0;
  let held: Buffer[] = [];
  let size = 0;
  const store = async (): Promise<void> => {
    await context.sessions.alone(context.identity, {
      text: 'INSERT INTO bac.attachment_pieces (attachment_id, piece, tenant_id, content) VALUES ($1, $2, $3, $4)',
      values: [attachment, String(piece), context.identity.tenant, Buffer.concat(held)],
      keep: true,
    });
    piece += 1;
    held = [];
    size = 0;
  };
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES)
      throw problem('LIMIT_EXCEEDED', `A file has at most ${MOST_BYTES / 1024 / 1024} MB.`, 'content');
    hash.update(chunk);
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + PIECE_BYTES - size);
      held.push(part);
      size += part.length;
      at += part.length;
      if (size === PIECE_BYTES) await store();
    }
  }
  if (size > 0) await store();
  return { bytes, sha256: hash.digest('hex') };
}

async function* pieces(context: TimelineContext, attachment: string): AsyncGenerator<Buffer> {
  for (let piece = 0; ; piece += 1) {
    const { rows } = await context.sessions.read(context.identity, {
      text: "SELECT encode(content, 'base64') FROM bac.attachment_pieces WHERE attachment_id = $1 AND piece = $2",
      values: [attachment, String(piece)],
      keep: true,
    });
    const content = rows[0]?.[0];
    if (content === undefined || content === null) return;
    yield Buffer.from(content, 'base64');
  }
}
