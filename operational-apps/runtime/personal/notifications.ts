import { allows, type Principal } from '#kernel';
import { problem } from '../model/problem.ts';
import { arrayParam, show } from '../model/values.ts';
import type { Access } from '../read/access.ts';
import { idOrNull } from '../read/list.ts';
import type { Identity, Sessions, Statement, WireRow } from '../sessions/index.ts';
import type { Notification, Notifications } from '../types.ts';
import { Binder } from '../write/unit.ts';

const MOST_ROWS = 100;
const MOST_UNREAD = 100;
const SHOWN = 'n.id::text, n.created_at::text, n.entity, n.record_id::text, n.body, n.role';

export interface NotificationsContext {
  readonly sessions: Sessions;
  readonly identity: Identity;
  readonly access: Access;
  readonly principal: Principal;
}

/** What a user is told; see `Notifications`. */
export function createNotifications(context: NotificationsContext): Notifications {
  const { sessions, identity, access, principal } = context;
  const assertReads = (): void => {
    if (!allows(principal, 'read'))
      throw problem('PERMISSION_DENIED', 'Notifications are read with the right to read.');
  };
  const seen = (binder: Binder): string =>
    `COALESCE((SELECT up_to FROM bac.notifications_seen WHERE tenant_id = ${binder.add(identity.tenant)} AND user_id = ${binder.add(identity.user)}), 0)`;
  const unread = (): Statement => {
    const binder = new Binder();
    const mine = source(binder, identity, access, `n.id > ${seen(binder)}`, MOST_UNREAD + 1);
    return binder.statement(`SELECT count(*) FROM (SELECT 1 ${mine}) counted`);
  };
  const counted = (rows: readonly WireRow[]) => {
    const count = Number(rows[0]![0]);
    return { unread: Math.min(count, MOST_UNREAD), unreadIsMore: count > MOST_UNREAD };
  };
  return {
    async list(page = {}) {
      assertReads();
      const first = page.first ?? 50;
      if (!Number.isInteger(first) || first < 1 || first > MOST_ROWS)
        throw problem('LIMIT_EXCEEDED', `\`first\` is between 1 and ${MOST_ROWS}.`, 'first');
      const binder = new Binder();
      const before = page.after === undefined ? 'true' : `n.id < ${binder.add(cursorOf(page.after))}::bigint`;
      const mine = source(binder, identity, access, before, first + 1);
      const [found, count] = await sessions.readAll(identity, [
        binder.statement(`SELECT ${SHOWN}, (n.id <= ${seen(binder)})::text ${mine}`),
        unread(),
      ]);
      const notifications = found!.rows.slice(0, first).map(toNotification);
      return {
        notifications,
        next: found!.rows.length > first ? notifications.at(-1)!.id : null,
        ...counted(count!.rows),
      };
    },
    async markRead(upTo) {
      assertReads();
      const binder = new Binder();
      // The newest one told so far at most: what is still to come is unread.
      const last = source(binder, identity, access, `n.id <= ${binder.add(cursorOf(upTo))}::bigint`, 1);
      const [tenant, user] = [binder.add(identity.tenant), binder.add(identity.user)];
      return sessions.write(identity, async (tx) => {
        const [, count] = await tx.runAll([
          binder.statement(`INSERT INTO bac.notifications_seen AS s (tenant_id, user_id, up_to)
            SELECT ${tenant}::text, ${user}::text, n.id ${last}
            ON CONFLICT (tenant_id, user_id) DO UPDATE SET up_to = GREATEST(s.up_to, excluded.up_to)`),
          unread(),
        ]);
        return counted(count!.rows);
      });
    },
  };
}

/**
 * FROM and ORDER BY of the newest `limit` notifications `n` that are for the user or one of the user's roles
 * and fulfil `rule`: one range of an index for the user and one for each role.
 */
function source(
  binder: Binder,
  identity: Identity,
  { catalogue, rights }: Access,
  rule: string,
  limit: number,
): string {
  const readable = [...catalogue.entities.values()].filter((entity) => rights(entity).read);
  const [tenant, user, roles, entities] = [
    binder.add(identity.tenant),
    binder.add(identity.user),
    binder.add(arrayParam(identity.roles)),
    binder.add(arrayParam(readable.map((entity) => entity.path))),
  ];
  const rules = `${rule} AND (NOT n.with_record OR n.entity = ANY (${entities}::text[]))`;
  const end = `ORDER BY n.id DESC LIMIT ${limit}`;
  return `FROM (
    (SELECT n.* FROM bac.notifications n WHERE n.tenant_id = ${tenant} AND n.user_id = ${user} AND ${rules} ${end})
    UNION ALL
    (SELECT one.* FROM unnest(${roles}::text[]) AS r (role) CROSS JOIN LATERAL (
      SELECT n.* FROM bac.notifications n WHERE n.tenant_id = ${tenant} AND n.role = r.role
        AND n.user_id IS DISTINCT FROM ${user} AND ${rules} ${end}) one)
  ) n ${end}`;
}

function cursorOf(text: string): string {
  const id = idOrNull(text);
  if (id === null) throw problem('CURSOR_INVALID', 'That is not the id of a notification.');
  return id;
}

const toNotification = ([id, at, entity, record, text, role, read]: WireRow): Notification => ({
  id: id!,
  at: show('dateTime', at) as string,
  entity: entity!,
  record: record!,
  text: text!,
  role: role ?? null,
  read: read === 'true',
});
