import { expect, test } from 'vitest';
import { everythingProfile } from '#kernel';
import { demoModel } from '#tests/demo-model';
import { buildModel } from '../generate/index.ts';
import { readModelFiles, SHIPPED_MODEL } from './index.ts';

const demo = await demoModel();
const input = { ...demo, curated: await readModelFiles(SHIPPED_MODEL) };
const everything = everythingProfile(demo.tables);
const { model, losses } = buildModel(input, everything);
const shipped = (one: { meta?: Readonly<Record<string, unknown>> | undefined }): boolean =>
  one.meta?.topic === undefined || one.meta.extends !== undefined;

test('everything the shipped model needs is in the shipped apps', () => {
  expect(losses).toEqual([]);
});

test('every shipped measure says what it is and in which unit', () => {
  const own = input.curated.map(({ content }) => content).join('\n');
  const measures = model.cubes
    .filter(shipped)
    .flatMap((cube) => cube.measures.map((measure) => ({ cube: cube.name, measure })))
    .filter(({ measure }) => own.includes(`- name: ${measure.name}\n`));
  expect(measures.length).toBeGreaterThan(120);
  const mute = measures.filter(({ measure: { title, description, meta, type, format } }) => {
    const unit = meta?.unit ?? meta?.unit_dimension;
    return !title || !description || unit === undefined || (type === 'number' && format === undefined);
  });
  expect(mute.map(({ cube, measure }) => `${cube}.${measure.name}`)).toEqual([]);
});

test('views cover the business areas', () => {
  const areas = new Set(model.views.map(({ meta }) => meta?.area));
  expect([...areas].sort()).toEqual([
    'delivery',
    'finance',
    'inventory',
    'marketing',
    'pipeline',
    'sales',
    'support',
  ]);
});

test('joins only lead from many to one, but for sub-queries, which Cube counts by key', () => {
  const others = model.cubes.flatMap((cube) =>
    cube.joins
      .filter(({ relationship }) => relationship !== 'many_to_one')
      .map(({ name }) => `${cube.name} -> ${name}`),
  );
  expect(others).toEqual(['orders -> refunds']);
});

test('who may not see costs has no margin, stock value or turns, and keeps the rest', () => {
  const hidden = new Set(['business.commerce.variant.cost', 'business.commerce.order_line.unit_cost']);
  const tables = [...everything.tables].map(([topic, access]) => {
    const columns = [...access.columns].filter(([name]) => !hidden.has(`${topic}.${name}`));
    return [topic, { ...access, columns: new Map(columns) }] as const;
  });
  const built = buildModel(input, { ...everything, tables: new Map(tables) }).model;
  const view = (name: string): string[] =>
    (built.views.find((one) => one.name === name)?.cubes ?? []).flatMap(({ includes }) =>
      includes === '*' ? [] : includes.map((one) => (typeof one === 'string' ? one : one.name)),
    );
  expect(view('product_sales')).toContain('goods_revenue');
  expect(view('product_sales')).not.toContain('cost_of_goods');
  expect(view('product_sales')).not.toContain('gross_margin_rate');
  expect(view('inventory')).toContain('pieces');
  expect(view('inventory')).not.toContain('stock_value');
  expect(view('inventory_turnover')).toEqual([]);
});
