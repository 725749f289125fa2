import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { parse } from 'yaml';
import type { Principal } from '#kernel';

/**
 * What each role may see of the apps that come with the hub, said a second time: read from the YAML as it is
 * written, by rules that share nothing with the engine, and with every row predicate put into SQL by hand.
 */
export const APPS = [
  'commerce',
  'crm',
  'erp',
  'marketing',
  'productivity',
  'projects',
  'support',
  'voice',
] as const;
export type FieldRight = 'full' | 'masked' | 'hidden';

interface Rule {
  readonly role: string | readonly string[];
  readonly can: 'all' | readonly string[];
  readonly where?: string;
  readonly hide?: readonly string[];
  readonly mask?: readonly string[];
  readonly level?: number;
}
interface YamlField {
  readonly type: string;
  readonly entity?: string;
  readonly level?: number;
}
interface YamlEntity {
  readonly titleField?: string;
  readonly searchFields?: readonly string[];
  readonly tenantScoped?: boolean;
  readonly permissions?: readonly Rule[];
  readonly fields: Readonly<Record<string, YamlField>>;
}
interface YamlApp {
  readonly roles?: Readonly<Record<string, { readonly includes?: readonly string[] }>>;
  readonly permissions?: readonly Rule[];
  readonly entities: Readonly<Record<string, YamlEntity>>;
}

export interface Shipped {
  readonly path: string;
  readonly app: string;
  readonly name: string;
  /** Quoted for SQL. */
  readonly table: string;
  /** Names of the fields of the definition, child tables left out. */
  readonly fields: readonly string[];
  readonly titleField: string | undefined;
  readonly searched: boolean;
  readonly parent: Shipped | undefined;
  readonly rules: readonly Rule[];
}

const yamls = new Map<string, YamlApp>(
  APPS.map((app) => [
    app,
    parse(
      readFileSync(new URL(`../../../../operational-apps/${app}/app.yaml`, import.meta.url), 'utf8'),
    ) as YamlApp,
  ]),
);

/** Every entity, owners before the child tables they hold. */
export const SHIPPED: readonly Shipped[] = APPS.flatMap((app) => {
  const { entities, permissions } = yamls.get(app)!;
  const made = new Map<string, Shipped>();
  const make = (name: string): Shipped => {
    const known = made.get(name);
    if (known) return known;
    const own = entities[name]!;
    const owner = Object.entries(entities).find(([, one]) =>
      Object.values(one.fields).some(
        (field) => field.type === 'childTable' && field.entity?.split('.').at(-1) === name,
      ),
    )?.[0];
    const entity: Shipped = {
      path: `${app}.${name}`,
      app,
      name,
      table: `"${app}"."${name}"`,
      fields: Object.entries(own.fields).flatMap(([field, { type }]) =>
        type === 'childTable' ? [] : [field],
      ),
      titleField: own.titleField,
      searched: (own.searchFields ?? []).length > 0,
      parent: owner === undefined ? undefined : make(owner),
      rules: own.permissions ?? permissions ?? [],
    };
    made.set(name, entity);
    return entity;
  };
  return Object.keys(entities).map(make);
});

export const ROLES: readonly string[] = [
  'nobody',
  'admin',
  ...new Set(
    [...yamls.values()].flatMap((app) => [
      ...Object.keys(app.roles ?? {}),
      ...Object.values(app.entities).flatMap((entity) =>
        [...(entity.permissions ?? []), ...(app.permissions ?? [])].flatMap((rule) => rule.role),
      ),
    ]),
  ),
].filter((role) => role !== 'everyone');

export const principalOf = (role: string, tenant: string, user: string): Principal => ({
  tenant,
  user,
  roles: role === 'nobody' ? [] : [role],
  attributes: {},
  scopes: ['read', 'write'],
});

/** A role and all it includes. */
export function rolesWith(role: string): readonly string[] {
  const all = new Set<string>();
  const add = (one: string): void => {
    if (all.has(one)) return;
    all.add(one);
    for (const app of yamls.values()) (app.roles?.[one]?.includes ?? []).forEach(add);
  };
  if (role !== 'nobody') add(role);
  return [...all];
}

/** Every row predicate of a rule to read, in SQL over the table `t`; $2 is the user. */
const PREDICATES: Readonly<Record<string, string>> = {
  "commerce.order: status in ('paid', 'shipped', 'delivered', 'returned')":
    "t.status IN ('paid', 'shipped', 'delivered', 'returned')",
  "crm.lead: status = 'new' or owner.email = $user":
    "t.status = 'new' OR t.owner_id IN (SELECT id FROM crm.team_member WHERE email = $2)",
  'erp.sales_invoice: customer.owner.email = $user': byAccountOwner('customer_id'),
  "productivity.document: status = 'published' or owner.email = $user":
    "t.status = 'published' OR t.owner_id IN (SELECT id FROM crm.team_member WHERE email = $2)",
  'productivity.task: owner.email = $user': byMember('owner_id'),
  'productivity.calendar_event: organiser.email = $user or any(attendee.member.email = $user)': `${byMember('organiser_id')} OR EXISTS (SELECT 1 FROM productivity.attendee a JOIN crm.team_member m ON m.id = a.member_id WHERE a.calendar_event_id = t.id AND m.email = $2)`,
  'productivity.attendee: member.email = $user or organiser.email = $user': `${byMember('member_id')} OR ${byMember('organiser_id')}`,
  'projects.task: assignee.email = $user': byMember('assignee_id'),
  'projects.time_entry: member.email = $user': byMember('member_id'),
  'support.ticket: customer.owner.email = $user': byAccountOwner('customer_id'),
  "support.ticket: category in ('delivery', 'return')": "t.category IN ('delivery', 'return')",
  "support.ticket: category = 'payment'": "t.category = 'payment'",
  "support.reply: direction != 'note'": "t.direction <> 'note'",
  'voice.call: member.email = $user or account.owner.email = $user': `${byMember('member_id')} OR ${byAccountOwner('account_id')}`,
  'voice.recording: call.member.email = $user':
    't.call_id IN (SELECT c.id FROM voice.call c JOIN crm.team_member m ON m.id = c.member_id WHERE m.email = $2)',
};

function byMember(column: string): string {
  return `t.${column} IN (SELECT id FROM crm.team_member WHERE email = $2)`;
}
function byAccountOwner(column: string): string {
  return `t.${column} IN (SELECT a.id FROM crm.account a JOIN crm.team_member m ON m.id = a.owner_id WHERE m.email = $2)`;
}

const topOf = (entity: Shipped): Shipped => (entity.parent ? topOf(entity.parent) : entity);
const applies = (rule: Rule, roles: readonly string[]): boolean =>
  [rule.role].flat().some((one) => one === 'everyone' || roles.includes(one));
const may = (rule: Rule, operation: string): boolean => rule.can === 'all' || rule.can.includes(operation);
const rulesTo = (entity: Shipped, role: string, operation: string): Rule[] =>
  topOf(entity).rules.filter((rule) => applies(rule, rolesWith(role)) && may(rule, operation));

export const mayDo = (role: string, entity: Shipped, operation: 'read' | 'export'): boolean =>
  role === 'admin' || rulesTo(entity, role, operation).length > 0;

/** Predicates that narrow what the role reads of an entity that owns itself; null if it reads all or none. */
export function predicatesOf(role: string, entity: Shipped): readonly string[] | null {
  const rules = rulesTo(entity, role, 'read');
  if (role === 'admin' || rules.length === 0 || rules.some((rule) => rule.where === undefined)) return null;
  return rules.map((rule) => `${topOf(entity).path}: ${rule.where}`);
}

/** Rows the role may see, as their owner reads them, with the tenant as $1 and the user as $2. */
function visibleSql(role: string, entity: Shipped): string {
  if (entity.parent)
    return `SELECT t.id FROM ${entity.table} t WHERE t.tenant_id = $1 AND t."${entity.parent.name}_id" IN (${visibleSql(role, entity.parent)})`;
  const predicates = predicatesOf(role, entity);
  const rules = (predicates ?? ['']).map((text) => {
    if (text === '') return String(mayDo(role, entity, 'read'));
    const sql = PREDICATES[text];
    if (sql === undefined) throw new Error(`Put the predicate into SQL by hand: ${text}`);
    return `(${sql})`;
  });
  return `SELECT t.id FROM ${entity.table} t WHERE t.tenant_id = $1 AND (${rules.join(' OR ')})`;
}

/** Ids of the rows the role may see, ascending. Throws if a predicate has no SQL of its own above. */
export async function visibleIds(
  client: pg.Pool,
  role: string,
  entity: Shipped,
  tenant: string,
  user: string,
): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT v.id::text AS id FROM (${visibleSql(role, entity)}) v WHERE $1::text IS NOT NULL AND $2::text IS NOT NULL ORDER BY v.id`,
    [tenant, user],
  );
  return rows.map(({ id }) => id);
}

/** How much of a field the role is shown of rows it may see. */
export function fieldRight(role: string, entity: Shipped, field: string): FieldRight {
  if (role === 'admin') return 'full';
  const roles = rolesWith(role);
  const own = entity.rules.filter((rule) => applies(rule, roles));
  const reading = (own.length > 0 ? own : topOf(entity).rules.filter((rule) => applies(rule, roles))).filter(
    (rule) => may(rule, 'read'),
  );
  const general = reading.filter((rule) => rule.where === undefined);
  const level = yamls.get(entity.app)!.entities[entity.name]!.fields[field]!.level ?? 0;
  const rights = (general.length > 0 ? general : reading).map((rule): number => {
    if (rule.hide?.includes(field) || level > (rule.level ?? 0)) return 0;
    return rule.mask?.includes(field) ? 1 : 2;
  });
  if (rights.length === 0) return 'hidden';
  const least = general.length > 0 ? Math.max(...rights) : Math.min(...rights);
  return (['hidden', 'masked', 'full'] as const)[least]!;
}
