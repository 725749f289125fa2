import type { EntityModel } from '../definitions/index.ts';

/** GraphQL names made from definitions: `crm.sales_deal` is type `CrmSalesDeal`, field `crmSalesDeal`. */
export interface EntityNames {
  readonly type: string;
  readonly one: string;
  readonly many: string;
}

const pascal = (name: string): string =>
  name
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

const camel = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** English plural of a snake_case name's last word. */
export function plural(name: string): string {
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  if (/(s|x|z|ch|sh)$/.test(name)) return `${name}es`;
  return `${name}s`;
}

export const pathOf = (entity: Pick<EntityModel, 'app' | 'name'>): string => `${entity.app}.${entity.name}`;

export function namesOf(entity: Pick<EntityModel, 'app' | 'name'>): EntityNames {
  const type = pascal(entity.app) + pascal(entity.name);
  return { type, one: camel(type), many: camel(pascal(entity.app) + pascal(plural(entity.name))) };
}

/** `give_discount` of `CommerceOrder` -> `commerceOrderGiveDiscount`. */
export const actionName = (entity: EntityModel, action: string): string =>
  namesOf(entity).one + pascal(action);

export const inputName = (entity: EntityModel, operation: string): string =>
  `${namesOf(entity).type}${pascal(operation)}Input`;
