import { expect, test } from 'vitest';
import { everythingProfile } from '#kernel';
import { buildModel } from '../generate/index.ts';
import { proposalYaml, propose } from './advise.ts';
import { bucketUnit } from './buckets.ts';
import { QuestionLog, type QuestionShape } from './questions.ts';
import { CUSTOMERS, MODEL, ORDERS } from './testing/world.ts';

const tables = [ORDERS, CUSTOMERS];
const { model } = buildModel({ tables, entities: [], curated: [MODEL] }, everythingProfile(tables));
const asked = (question: Partial<QuestionShape>, perDay: number, rowsRead = 1_000_000) => ({
  question: { measures: ['sales.revenue'], dimensions: [], times: [], ...question },
  perDay,
  rowsRead,
});

test('proposes what would have answered the questions that read most, with the tenant, and nothing else', () => {
  const found = propose(model, [
    asked({ dimensions: ['sales.status'], times: [['sales.placed_at', 'month']] }, 30),
    asked({ measures: ['sales.count'], times: [['sales.placed_at', 'hour']] }, 10),
    asked({ dimensions: ['sales.note'] }, 1, 10),
    // Does not add up, is not the cube's own, or is a time.
    asked({ measures: ['sales.average'] }, 500),
    asked({ dimensions: ['shop_customers.region'] }, 500),
    asked({ dimensions: ['sales.placed_at'] }, 500),
    asked({ measures: ['shop_customers.count'] }, 500),
  ]);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ questionsPerDay: 41, rowsReadPerDay: 40_000_010 });
  expect(proposalYaml(found[0]!)).toBe(`cubes:
  - name: sales
    pre_aggregations:
      - name: placed_at_by_hour
        measures:
          - count
          - revenue
        dimensions:
          - note
          - status
          - tenant_id
        time_dimension: placed_at
        granularity: hour
`);
});

test('averages are proposed by their own name, also once a roll-up holds what they are made of', () => {
  const measures = (names: string[]) => propose(model, [asked({ measures: names }, 1)])[0]!.measures;
  expect(measures(['shop_orders.amount_avg'])).toEqual(['amount_avg']);
  expect(measures(['sales.typical__sum', 'sales.typical__values', 'sales.count'])).toEqual([
    'count',
    'typical',
  ]);
});

test('a proposal is a model file, for generated cubes, too', () => {
  const one = propose(model, [
    asked({ measures: ['shop_orders.count'], times: [['shop_orders.placed_at', 'day']] }, 1),
  ]);
  const content = proposalYaml(one[0]!);
  const built = buildModel(
    { tables, entities: [], curated: [MODEL, { fileName: 'x.yaml', content }] },
    everythingProfile(tables),
  );
  expect(built.losses).toEqual([]);
  expect(built.model.cubes.find(({ name }) => name === 'shop_orders')!.pre_aggregations).toMatchObject([
    { name: 'placed_at_by_day', measures: ['count'], dimensions: ['tenant_id'] },
  ]);
});

test('questions are counted by shape, and those beyond a number of shapes are not', async () => {
  const written: unknown[] = [];
  const log = new QuestionLog(async (counts) => void written.push(...counts));
  const shape = (name: string): QuestionShape => ({ measures: [name], dimensions: [], times: [] });
  log.note(shape('a'), 10, 1);
  log.note(shape('a'), 20, 2);
  for (let index = 0; index < 600; index += 1) log.note(shape(`b${index}`), 1, 1);
  await log.flush();
  expect(written).toHaveLength(500);
  expect(written[0]).toMatchObject({ asked: 2, rowsRead: 30, milliseconds: 3 });
});

test('buckets are at least hours, and as coarse as the partition', () => {
  expect(bucketUnit('minute', undefined)).toBe('hour');
  expect(bucketUnit('day', undefined)).toBe('day');
  expect(bucketUnit('day', 'month')).toBe('month');
  expect(() => bucketUnit('month', 'day')).toThrow('finer');
  expect(() => bucketUnit('week', 'month')).toThrow('do not fit');
  expect(() => bucketUnit('decade', undefined)).toThrow('no granularity');
});
