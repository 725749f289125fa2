import { expect, test } from 'vitest';
import { createWarehouseAccess } from '#apps';
import type { Principal } from '#kernel';
import { demoModel } from '#tests/demo-model';
import { buildModel, type Model } from '../generate/index.ts';
import { prune } from '../generate/prune.ts';
import { readModelFiles, SHIPPED_MODEL } from './index.ts';

const demo = await demoModel();
const input = { ...demo, curated: await readModelFiles(SHIPPED_MODEL) };
const access = createWarehouseAccess({ apps: demo.apps, source: 'business', tables: demo.tables });

const modelOf = (...roles: string[]): Model => {
  const principal: Principal = { tenant: 'aurora', user: 'ann', roles, attributes: {}, scopes: ['read'] };
  return buildModel(input, access.profileOf(principal)).model;
};
const has = ({ cubes }: Model, name: string): boolean => {
  const [cube, member] = name.split('.');
  const found = cubes.find((one) => one.name === cube);
  return [...(found?.measures ?? []), ...(found?.dimensions ?? [])].some((one) => one.name === member);
};

test.each([
  [
    'sales',
    ['orders.net_revenue', 'opportunities.win_rate'],
    ['order_lines.gross_margin', 'opportunities.pipeline_coverage', 'sales_team.monthly_quota'],
  ],
  [
    'support',
    ['tickets.first_response_minutes', 'customers.active'],
    ['order_lines.cost_of_goods', 'shipments.shipping_cost'],
  ],
  ['marketing', ['orders.order_count', 'mailings.open_rate'], ['ledger.profit', 'stock.stock_value']],
  ['warehouse', ['stock.pieces', 'shipments.delivered'], ['shipments.shipping_cost', 'campaigns.spend']],
  ['finance', ['ledger.profit', 'invoices.receivables', 'order_lines.gross_margin'], ['mailings.open_rate']],
  ['manager', ['ledger.profit', 'order_lines.gross_margin', 'stock_turns.inventory_turns'], []],
])('what %s sees of the shipped measures, and what not', (role, seen, unseen) => {
  const model = modelOf(role);
  expect(seen.filter((name) => !has(model, name))).toEqual([]);
  expect(unseen.filter((name) => has(model, name))).toEqual([]);
  // Nothing that is left refers to what was taken away.
  expect(prune(model).losses).toEqual([]);
});

test('nobody without a role that reads them sees cubes of the apps', () => {
  expect(modelOf('nobody').cubes.filter(({ name }) => name.startsWith('erp_ledger'))).toEqual([]);
});
