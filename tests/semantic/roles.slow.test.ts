import { afterAll, expect, test, vi } from 'vitest';
import { createWarehouseAccess } from '#apps';
import { createWarehouse } from '#clickhouse';
import { type Principal, silentLogger } from '#kernel';
import { Bell, createCubeLayer, generateModel, readModelFiles, SHIPPED_MODEL } from '#semantic';
import { demoModel } from '#tests/demo-model';

vi.setConfig({ testTimeout: 300_000 });

const demo = await demoModel();
const input = { ...demo, curated: await readModelFiles(SHIPPED_MODEL) };
const access = createWarehouseAccess({ apps: demo.apps, source: 'business', tables: demo.tables });
// Models are compiled and described; nothing is asked of the warehouse.
const warehouse = createWarehouse({
  url: 'http://127.0.0.1:1',
  user: 'x',
  password: 'x',
  log: silentLogger(),
});
const layer = createCubeLayer({
  warehouse,
  logger: silentLogger(),
  clock: {
    tablesIn: () => [],
    stamp: () => 1,
    freshness: () => ({ completeUpTo: null }),
    current: () => Promise.resolve(),
    moved: (signal) => new Bell().next(signal),
  },
  profileOf: (principal) => Promise.resolve(access.profileOf(principal)),
  models: (profile) => Promise.resolve(generateModel(input, profile)),
});
afterAll(async () => {
  await layer.close();
  await warehouse.close();
});

const roles = [
  'sales',
  'support',
  'marketing',
  'finance',
  'warehouse',
  'merchandiser',
  'projects',
  'hr',
  'manager',
  'nobody',
];

test.each(roles)('what is left of the model for %s compiles', async (role) => {
  const principal: Principal = {
    tenant: 'aurora',
    user: 'ann',
    roles: [role],
    attributes: {},
    scopes: ['read'],
  };
  const { cubes } = await layer.meta(principal);
  expect(cubes.length).toBeGreaterThan(0);
  for (const cube of cubes)
    expect(cube.dimensions.length + cube.measures.length, cube.name).toBeGreaterThan(0);
});
