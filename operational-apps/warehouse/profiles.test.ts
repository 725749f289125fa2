import { describe, expect, test } from 'vitest';
import { type Principal, topicOf, type WarehouseTable } from '#kernel';
import { createWarehouseAccess, describeEntities } from './index.ts';
import { shopApps, shopTables } from './testing/shop.ts';
import { vaultApps, vaultTables } from './testing/vault.ts';

const shop = (rule: string, tables: readonly WarehouseTable[] = shopTables) =>
  createWarehouseAccess({ apps: shopApps(rule), source: 'business', tables });
const principal = (roles: readonly string[], more: Partial<Principal> = {}): Principal => ({
  tenant: 'a',
  user: 'ann@x',
  roles,
  attributes: {},
  scopes: ['read'],
  ...more,
});
const topic = (table: string): string => topicOf({ source: 'business', schema: 'shop', table });

describe('profiles', () => {
  test('are one for the same rights, whoever and of whatever tenant one is', () => {
    const access = shop('owner.email = $user');
    const one = access.profileOf(principal(['boss']));
    expect(access.profileOf(principal(['seller', 'boss'], { tenant: 'b', user: 'bob@x' }))).toBe(one);
    const seller = access.profileOf(principal(['seller']));
    expect(seller.id).toBe(one.id);
    expect(seller.id).not.toBe(access.profileOf(principal(['clerk'])).id);
    expect(shop('owner.email != $user').profileOf(principal(['seller'])).id).not.toBe(seller.id);
    expect(shop('owner.email = $user').profileOf(principal(['seller'])).id).toBe(seller.id);
  });

  test('hold no value of the principal: those are parameters, and only those a rule names', () => {
    const access = shop('t = $attributes.region and owner.email = $user');
    const asker = principal(['seller'], { tenant: "x'y", attributes: { region: '' } });
    const profile = access.profileOf(asker);
    const { filter } = profile.tables.get(topic('deal'))!;
    expect(filter).toContain('{bac_tenant:String}');
    expect(filter).not.toContain("x'y");
    expect(profile.params(asker)).toEqual({
      bac_tenant: "x'y",
      bac_user: 'ann@x',
      bac_attr_region: '=',
    });
    expect(profile.params(principal(['seller']))).toMatchObject({ bac_attr_region: '' });
    expect(Object.keys(access.profileOf(principal(['clerk'])).params(asker))).toEqual(['bac_tenant']);
  });

  test('of no tenant read every captured table, of a tenant only those an app describes', () => {
    const foreign = { ...shopTables[1]!, topic: 'elsewhere.shop.deal', database: 'elsewhere' };
    const undescribed = { ...shopTables[1]!, topic: topic('numbering_series') };
    const access = shop('true', [...shopTables, foreign, undescribed]);
    const all = access.profileOf(principal([], { tenant: null }));
    expect([...all.tables.keys()]).toEqual([
      ...shopTables.map((one) => one.topic),
      foreign.topic,
      undescribed.topic,
    ]);
    expect([...all.tables.values()].every(({ filter }) => filter === null)).toBe(true);
    const admin = access.profileOf(principal(['admin']));
    expect([...admin.tables.keys()].sort()).toEqual(['deal', 'line', 'note', 'part', 'person'].map(topic));
    expect(admin.tables.get(topic('deal'))!.filter).toBe('`tenant_id` = {bac_tenant:String}');
    expect(access.profileOf(principal(['admin'], { scopes: ['write'] })).tables.size).toBe(0);
  });

  test('without a role read what everyone may', () => {
    expect([...shop('true').profileOf(principal([])).tables.keys()].sort()).toEqual(
      ['line', 'note', 'person'].map(topic),
    );
  });

  test('do not reach a table whose rule cannot be said, and tell why', () => {
    const without = shop(
      'owner.email = $user',
      shopTables.filter((one) => one.topic !== topic('person')),
    );
    const profile = without.profileOf(principal(['seller']));
    expect(profile.tables.has(topic('deal'))).toBe(false);
    expect(profile.tables.has(topic('part'))).toBe(false);
    expect(without.unreadable(profile)).toContainEqual({
      entity: 'shop.deal',
      reason: 'Its rule speaks of shop.person, which is not captured.',
    });
    const odd = shop("concat(n, 'x') = '1.50x'");
    expect(odd.unreadable(odd.profileOf(principal(['seller']))).map(({ entity }) => entity)).toEqual([
      'shop.deal',
      'shop.part',
    ]);
  });
});

test('columns are shown, masked or hidden as fields are, and unknown ones are hidden', () => {
  const access = createWarehouseAccess({ apps: vaultApps, source: 'business', tables: vaultTables });
  const columns = (role: string, table: string) =>
    Object.fromEntries(access.profileOf(principal([role])).tables.get(`business.vault.${table}`)!.columns);
  expect(columns('viewer', 'deal')).toEqual({
    id: { mode: 'plain' },
    tenant_id: { mode: 'plain' },
    name: { mode: 'plain' },
    amount: { mode: 'masked', sql: "CAST(NULL, 'Nullable(Decimal(18, 2))')" },
    contact: { mode: 'masked', sql: "'•••'" },
    secret: { mode: 'hidden' },
    grade: { mode: 'hidden' },
    forgotten: { mode: 'hidden' },
  });
  expect(columns('seller', 'deal')).toMatchObject({ amount: { mode: 'plain' }, secret: { mode: 'hidden' } });
  expect(columns('owner', 'deal')).toMatchObject({ secret: { mode: 'plain' }, grade: { mode: 'plain' } });
});

test('entities are described by their columns', () => {
  const [deal] = describeEntities(vaultApps);
  expect(deal).toMatchObject({
    app: 'vault',
    name: 'deal',
    schema: 'vault',
    table: 'deal',
    titleField: 'name',
    description: 'What is sold.',
    states: { column: 'status', names: ['open', 'won'] },
  });
  expect(deal!.fields.find(({ column }) => column === 'amount')).toEqual({
    column: 'amount',
    label: 'Amount',
    type: 'money',
    format: 'currency',
    unit: 'EUR',
  });
  expect(deal!.fields.find(({ column }) => column === 'status')!.options).toEqual([
    { value: 'open', label: 'Open' },
    { value: 'won', label: 'Won' },
  ]);
  expect(deal!.fields.find(({ column }) => column === 'owner_id')!.reference).toBe('vault.person');
  expect(deal!.fields.filter(({ column }) => column.startsWith('place_'))).toHaveLength(5);
});
