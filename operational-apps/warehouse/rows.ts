import { chIdent, chLiteral, chTable, type WarehouseTable } from '#kernel';
import {
  type Apps,
  type EntityModel,
  NotInWarehouse,
  type OwnRow,
  scopeFor,
  truthSql,
  typedExpression,
  type WarehouseScope,
} from '../definitions/index.ts';
import { POWERFUL } from '../runtime/model/policy.ts';

/** Parameters whose values are the principal's; see `parametersOf`. */
const TENANT = '{bac_tenant:String}';
const USER = "nullIf({bac_user:String}, '')";
const attribute = (name: string): string => `{bac_attr_${name}:String}`;
/** An attribute that is there begins with this: one that is not is NULL, one that is empty is a text. */
export const GIVEN = '=';

export interface RowRules {
  /**
   * What must hold of a row of the entity's table for these roles to read it, its columns bare; null if they
   * read none of them, or if a table the rule looks at is not in the warehouse.
   */
  filterOf(entity: EntityModel): string | null;
}

/** Row rules of some roles, those included by others among them, over the tables that are in the warehouse. */
export function createRowRules(
  apps: Apps,
  roles: readonly string[],
  tableOf: (entity: EntityModel) => WarehouseTable | undefined,
): RowRules {
  const powerful = POWERFUL.some((role) => roles.includes(role));
  let aliases = 0;
  const scope: WarehouseScope = {
    rows(entity) {
      const table = tableOf(entity);
      if (!table) throw new NotInWarehouse(`${entity.app}.${entity.name}, which is not captured`);
      return {
        table: chTable(table.database, table.table),
        rule: (own) => `${own.column('_deleted')} = 0 AND ${ruleOf(own) ?? 'false'}`,
      };
    },
    variables: {
      tenant: () => TENANT,
      user: () => USER,
      roles: () => `[${roles.map(chLiteral).join(', ')}]`,
      attributes: (member) =>
        `if(startsWith(${attribute(member!)}, '${GIVEN}'), substring(${attribute(member!)}, 2), NULL)`,
    },
    clock: {
      now: "toDateTime64({bac_now:String}, 6, 'UTC')",
      today: 'toDate32({bac_today:String})',
    },
    alias() {
      aliases += 1;
      return `r${aliases}`;
    },
  };

  function ruleOf(own: OwnRow): string | null {
    const { entity } = own;
    const tenant = entity.tenantScoped ? `${own.column('tenant_id')} = ${TENANT}` : `${TENANT} != ''`;
    if (powerful) return tenant;
    const rule = entity.owner ? asParent(own) : ruled(own);
    if (rule === null) return null;
    return rule === '' ? tenant : `${tenant} AND ${rule}`;
  }

  /** Empty if a rule holds for all rows. */
  function ruled(own: OwnRow): string | null {
    const { entity } = own;
    const rules = entity.permissions.filter(
      (rule) =>
        rule.can.includes('read') && rule.roles.some((role) => role === 'everyone' || roles.includes(role)),
    );
    if (rules.length === 0) return null;
    const predicates = new Set(rules.map((rule) => rule.where));
    if (predicates.has(undefined)) return '';
    const place = scopeFor(apps, entity, 'where');
    const parts = [...predicates].map((text) => truthSql(typedExpression(text!, place), own, scope));
    return `(${parts.join(' OR ')})`;
  }

  /** Rows of a child table are read as their parent is. */
  function asParent(own: OwnRow): string {
    const parent = parentOf(apps, own.entity);
    const alias = scope.alias();
    const { table, rule } = scope.rows(parent);
    const there = { entity: parent, column: (name: string): string => `${alias}.${chIdent(name)}` };
    return `ifNull(${own.column(`${parent.name}_id`)} GLOBAL IN (SELECT ${alias}.\`id\` FROM ${table} AS ${alias} FINAL WHERE ${rule(there)}), false)`;
  }

  return { filterOf: (entity) => ruleOf({ entity, column: chIdent }) };
}

export const parentOf = (apps: Apps, entity: EntityModel): EntityModel =>
  apps.get(entity.app)!.entities.find((one) => one.name === entity.owner!.entity)!;
