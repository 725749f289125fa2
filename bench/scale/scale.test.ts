import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inputTable, planTable, scaleDocument, usageTable } from './index.ts';
import { LOADS, type Load } from './inputs.ts';
import { type Plan, plan, saturation } from './model.ts';

const load: fc.Arbitrary<Load> = fc.record({
  name: fc.constant('any'),
  changesPerSecond: fc.double({ min: 1, max: 5e6, noNaN: true }),
  rowBytes: fc.integer({ min: 30, max: 5000 }),
  tables: fc.integer({ min: 1, max: 2000 }),
  largestShare: fc.double({ min: 0.01, max: 1, noNaN: true }),
  storedBytes: fc.double({ min: 0, max: 1e14, noNaN: true }),
  retentionHours: fc.integer({ min: 1, max: 200 }),
  logReplicas: fc.integer({ min: 1, max: 3 }),
  warehouseReplicas: fc.integer({ min: 1, max: 3 }),
  engineVcpu: fc.constantFrom(4, 8, 16, 32),
});

/** What there must be more of, never less, when there is more to do. */
const GROWING = [
  ...[
    'sources',
    'slots',
    'slotsOfLargest',
    'captures',
    'brokers',
    'partitionsOfLargest',
    'partitions',
    'sinks',
  ],
  ...['shards', 'servers', 'logDisk', 'warehouseDisk', 'network', 'mergedRowsPerSecond', 'vcpus'],
] as const;
const amounts = (of: Plan): [string, number][] => [
  ...GROWING.map((name): [string, number] => [name, Number(of[name as keyof Plan])]),
  ...Object.entries(of.cost),
];

test('no resource is used beyond what is stated for it', () => {
  fc.assert(
    fc.property(load, (given) => {
      const made = plan(given);
      for (const { resource, used, target, limit } of made.usage) {
        expect([resource, used <= target * (1 + 1e-9)]).toEqual([resource, true]);
        expect([resource, limit >= given.changesPerSecond * (1 - 1e-9)]).toEqual([resource, true]);
      }
      for (const [name, value] of amounts(made))
        expect([name, Number.isFinite(value), value >= 0]).toEqual([name, true, true]);
      expect(made.insertRows * made.insertsPerSecond * made.shards).toBeCloseTo(given.changesPerSecond, 3);
      expect(made.restSeconds).toBeGreaterThan(0);
    }),
    { numRuns: 2000 },
  );
});

test.each(['changesPerSecond', 'rowBytes', 'storedBytes', 'tables'] as const)(
  'more of %s never takes fewer servers, less disk or less money',
  (what) => {
    fc.assert(
      fc.property(load, fc.double({ min: 1, max: 50, noNaN: true }), (given, times) => {
        const more = plan({
          ...given,
          [what]: what === 'tables' ? Math.ceil(given[what] * times) : given[what] * times,
        });
        const less = plan(given);
        for (const [index, [name, value]] of amounts(less).entries()) {
          expect([name, amounts(more)[index]![1] >= value * (1 - 1e-9)]).toEqual([name, true]);
        }
      }),
      { numRuns: 2000 },
    );
  },
);

test('what saturates first does so: a little more of the same load takes more of it', () => {
  for (const given of LOADS) {
    const now = plan(given);
    const [first] = saturation(now);
    const grown = plan({ ...given, changesPerSecond: first!.limit * 1.001 });
    expect(amounts(grown)).not.toEqual(amounts(now));
    const still = plan({ ...given, changesPerSecond: first!.limit * 0.999 });
    const counts = ({ sources, captures, brokers, sinks, shards }: Plan) => [
      sources,
      captures,
      brokers,
      sinks,
      shards,
    ];
    expect(counts(still)).toEqual(counts(now));
    expect(counts(grown).concat(grown.slots)).not.toEqual(counts(now).concat(now.slots));
  }
});

test('docs/scale.md has the tables that the simulator prints', () => {
  const page = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8');
  for (const table of [planTable(), usageTable(), inputTable()]) expect(page).toContain(table);
  expect(JSON.parse(JSON.stringify(scaleDocument()))).toMatchObject({
    benchmark: 'scale',
    plans: { length: LOADS.length },
  });
});
