import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { migrateState, silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { type TestLog, testLog } from '#tests/log';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { type AppFile, parseApps } from '../definitions/index.ts';
import type { ApplyOrder } from './fixtures/apply-process.ts';
import { type AppRegistry, createAppRegistry } from './registry.ts';
import { starterApp } from './starter.ts';
import { watchApps } from './watch.ts';

let server: TestPostgres;
let pool: pg.Pool;
let log: TestLog;
const captured: string[] = [];
let registry: AppRegistry;

const create = (): AppRegistry =>
  createAppRegistry({
    pool,
    log: log.log,
    logger: silentLogger(),
    source: 'business',
    capture: async (schemas) => {
      captured.push(...schemas);
    },
    leaseMs: 1000,
  });

beforeAll(async () => {
  server = await testPostgres();
  pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => {});
  await migrateState(pool);
  log = await testLog();
});
afterAll(async () => {
  await pool?.end();
  await log?.stop();
  await server?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await pool.query('DROP SCHEMA IF EXISTS shop CASCADE');
  await pool.query('DROP SCHEMA IF EXISTS depot CASCADE');
  await pool.query('TRUNCATE bac.app_versions, bac.leases');
  captured.length = 0;
  registry = create();
});

const by = { by: 'tester' };
const shop = (fields: string, more = ''): AppFile => ({
  file: 'shop/app.yaml',
  content: `app: { name: shop, label: Shop }
permissions:
  - { role: everyone, can: [read] }
entities:
  item:
    titleField: name
${more}    fields:
      name: { type: text, required: true }
${fields.replace(/^(?=.)/gm, '      ')}
`,
});
const depot = (fields = ''): AppFile => ({
  file: 'depot/app.yaml',
  content: `app: { name: depot, label: Depot }
permissions:
  - { role: everyone, can: all }
entities:
  shelf:
    titleField: code
    fields:
      code: { type: text, required: true }
${fields.replace(/^(?=.)/gm, '      ')}
`,
});
const columns = async (table: string): Promise<string[]> =>
  (
    await pool.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY 1`,
      [table],
    )
  ).rows.map(({ name }) => name);
const inForce = async (): Promise<Record<string, number>> =>
  Object.fromEntries((await registry.inForce()).versions.map(({ app, version }) => [app, version]));
/** Somebody waits for a lock on the table. */
const waiting = async (): Promise<boolean> =>
  (await pool.query("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'shop.item'::regclass"))
    .rowCount !== 0;
const addItem = (name: string): Promise<unknown> =>
  pool.query("INSERT INTO shop.item (tenant_id, name) VALUES ('t', $1)", [name]);

function applyElsewhere(
  order: Omit<ApplyOrder, 'url' | 'logDir'>,
): Promise<{ code: number | null; out: string }> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('fixtures/apply-process.ts', import.meta.url))],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  child.stdin.end(JSON.stringify({ ...order, url: server.url, logDir: log.dir }));
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out }));
  });
}

describe('a plan', () => {
  test('of a new app says what it makes, in the database, the stream and the warehouse, and who may what', async () => {
    const plan = await registry.plan([shop('price: { type: money, currency: EUR }')]);
    expect(plan.apps).toEqual([{ app: 'shop', label: 'Shop', from: null, to: 1, same: false }]);
    expect(plan.steps.length).toBeGreaterThan(1);
    expect(new Set(plan.steps.map(({ kind }) => kind))).toEqual(new Set(['additive']));
    expect(plan.stream).toMatchObject([{ table: 'shop.item', change: 'begins' }]);
    expect(plan.warehouse).toMatchObject([
      { table: 'business.shop_item', change: 'begins', text: 'is made' },
    ]);
    expect(plan.policies).toEqual(['from now on: shop.item: everyone may read']);
    expect(plan.losses).toEqual([]);
    expect(await columns('shop.item')).toEqual([]);
    expect(await registry.inForce()).toMatchObject({ apps: [], versions: [] });
  });

  test('of a change names new versions, new snapshots, and what is lost and would not come back', async () => {
    await registry.apply([shop('a: { type: text }\nb: { type: integer }\nc: { type: date }')], by);
    await addItem('one');
    const plan = await registry.plan([
      shop(
        'a2: { type: text, renamedFrom: a }\nb: { type: decimal, precision: 30, scale: 2 }\nd: { type: json }',
      ),
    ]);
    expect(plan.stream.map(({ change, text, onlyConfirmed }) => [change, text, onlyConfirmed])).toEqual([
      ['columns', 'goes on with a new schema version: a becomes a2, new d jsonb', false],
      ['anew', 'starts a new snapshot: b changes from bigint to numeric(30,2)', false],
      ['columns', 'goes on with a new schema version, without c', true],
    ]);
    expect(plan.warehouse.at(-1)).toMatchObject({ table: 'business.shop_item', text: 'loses c' });
    expect(plan.losses).toMatchObject([{ step: 'shop.item.c is no longer defined' }]);
    expect(plan.losses[0]!.rollback).toContain('empty');
    expect(plan.policies).toEqual([]);
    const dropped = await registry.plan([
      { ...shop(''), content: shop('').content.replace('  item:', '  other:') },
    ]);
    expect(dropped.stream).toMatchObject([
      { table: 'shop.other', change: 'begins' },
      { table: 'shop.item', change: 'stops', onlyConfirmed: true },
    ]);
  });

  test('names everything wrong with its place, also where another app no longer fits', async () => {
    await registry.apply([shop('')], by);
    await registry.apply([depot('item: { type: reference, entity: shop.item }')], by);
    const renamed = { ...shop(''), content: shop('').content.replace('  item:', '  goods:') };
    await expect(registry.plan([renamed])).rejects.toMatchObject({
      code: 'APP_INVALID',
      disposition: 'user',
      message: expect.stringMatching(
        /^depot\/app\.yaml \(version 1\):\d+:\d+: entities\.shelf\.fields\.item/,
      ),
    });
    for (const [content, message] of [
      ['app: {name: shop', /^x\.yaml:1:\d+: /],
      ['', /^x\.yaml:1:1: /],
      [shop('a: { type: tekst }').content, /x\.yaml:\d+:\d+: .*did you mean `text`/],
    ] as const)
      await expect(registry.apply([{ file: 'x.yaml', content }], by)).rejects.toMatchObject({
        code: 'APP_INVALID',
        message: expect.stringMatching(message),
      });
    expect(await inForce()).toEqual({ shop: 1, depot: 1 });
  });
});

describe('an apply', () => {
  test('puts the definitions in force everywhere within a second, and again does nothing', async () => {
    const seen: string[] = [];
    await using stack = new AsyncDisposableStack();
    const watch = await watchApps({
      pool,
      log: log.log,
      logger: silentLogger(),
      onChange: ({ apps, revision }) => {
        seen.push(`${revision}: ${apps.flatMap((app) => app.entities.map(({ name }) => name)).join()}`);
      },
    });
    stack.defer(() => watch.stop());
    expect(watch.first.apps).toEqual([]);
    const steps: number[] = [];
    const result = await registry.apply([shop('')], {
      ...by,
      onProgress: (progress) => {
        if (progress.type === 'step') steps.push(progress.step);
      },
    });
    expect(result).toMatchObject({
      ok: true,
      changed: true,
      apps: [{ app: 'shop', version: 1 }],
      skipped: [],
    });
    expect(steps).toEqual(Array.from({ length: result.done }, (_, index) => index + 1));
    await eventually(async () => (seen.length > 0 ? true : undefined), 1000);
    expect(seen).toEqual([`${watch.revision()}: item`]);
    expect(captured).toEqual(['shop']);
    await addItem('one');
    expect(await registry.apply([shop('')], by)).toMatchObject({ changed: false, done: 0, apps: [] });
    expect(await inForce()).toEqual({ shop: 1 });
    expect((await registry.versions('shop'))[0]).toMatchObject({ state: 'applied', appliedBy: 'tester' });
  });

  test('loses nothing without confirmation, and only after the new definitions are in force', async () => {
    await registry.apply([shop('gone: { type: text, required: true, default: x }')], by);
    await addItem('one');
    const kept = await registry.apply([shop('')], by);
    expect(kept.skipped.map(({ description }) => description)).toEqual([
      'shop.item.gone is no longer defined',
    ]);
    expect(await columns('shop.item')).toContain('gone');
    await addItem('two');
    const order: string[] = [];
    await registry.apply([shop('more: { type: text }')], {
      ...by,
      confirmDestructive: true,
      onProgress: (progress) => {
        if (progress.type === 'step') order.push(progress.kind);
        if (progress.type === 'stage') order.push(progress.stage);
      },
    });
    expect(order.at(-1)).toBe('destructive');
    expect(order.indexOf('in force')).toBeLessThan(order.indexOf('destructive'));
    expect(await columns('shop.item')).not.toContain('gone');
  });

  test('leaves alone what is left of other apps', async () => {
    await registry.apply([shop('gone: { type: text }')], by);
    await registry.apply([shop('')], by);
    const result = await registry.apply([depot()], { ...by, confirmDestructive: true });
    expect(result.skipped).toEqual([]);
    expect(await columns('shop.item')).toContain('gone');
  });

  test('of a plan that was shown is refused when there would be another one by now', async () => {
    const plan = await registry.plan([shop('')]);
    await registry.apply([depot()], by);
    await registry.apply([shop('other: { type: text }')], by);
    await expect(registry.apply([shop('')], { ...by, plan: plan.id })).rejects.toMatchObject({
      code: 'PLAN_CHANGED',
    });
    const again = await registry.plan([shop('')]);
    expect(await registry.apply([shop('')], { ...by, plan: again.id })).toMatchObject({ changed: true });
  });

  test('that fails at a step leaves the definition before it in force, and can be rolled back', async () => {
    await registry.apply([shop('code: { type: text }')], by);
    await pool.query("INSERT INTO shop.item (tenant_id, name, code) VALUES ('t', 'a', 'x'), ('t', 'b', 'x')");
    const unique = shop('code: { type: text, unique: true }\nextra: { type: text }');
    await expect(registry.apply([unique], by)).rejects.toMatchObject({ code: 'PLAN_STEP_FAILED' });
    expect(await inForce()).toEqual({ shop: 1 });
    expect((await registry.versions('shop'))[0]).toMatchObject({ state: 'failed', version: 2 });
    expect((await registry.versions('shop'))[0]!.message).toMatch(/shop\.item/);
    await pool.query('UPDATE shop.item SET code = name');
    expect(await registry.apply([unique], by)).toMatchObject({ apps: [{ app: 'shop', version: 3 }] });
    await expect(
      registry.apply([shop('code: { type: text, unique: true }\nmust: { type: text, required: true }')], by),
    ).rejects.toMatchObject({ code: 'PLAN_IMPOSSIBLE' });
    expect(await inForce()).toEqual({ shop: 3 });
  });

  test('goes on beside readers and writers, and past a transaction that holds a lock', async () => {
    await registry.apply([shop('a: { type: text, unique: true }')], by);
    let written = 0;
    const failures: unknown[] = [];
    const stop = new AbortController();
    const writers = [1, 2].map(async (writer) => {
      while (!stop.signal.aborted) {
        await addItem(`${writer}-${written}`).then(
          () => {
            written += 1;
          },
          (error: unknown) => failures.push(error),
        );
      }
    });
    const holder = await pool.connect();
    await holder.query("BEGIN; INSERT INTO shop.item (tenant_id, name) VALUES ('t', 'held')");
    const applied = registry.apply(
      [shop('a: { type: text, indexed: true }\nb: { type: text, default: x }')],
      by,
    );
    // Longer than a lock is waited for: writers come through in between.
    for (let round = 0; round < 3; round += 1) {
      await eventually(async () => ((await waiting()) ? true : undefined), 5000);
      const before = written;
      await eventually(async () => (written > before ? true : undefined), 5000);
    }
    await holder.query('COMMIT');
    holder.release();
    expect(await applied).toMatchObject({ changed: true });
    stop.abort();
    await Promise.all(writers);
    expect(failures).toEqual([]);
    expect(
      (await registry.plan([shop('a: { type: text, indexed: true }\nb: { type: text, default: x }')])).steps,
    ).toEqual([]);
  });

  test('several at once from several processes: each is carried out, one after the other', async () => {
    const files = ['a', 'b', 'c', 'd'].map((name) => shop(`${name}: { type: text }`));
    const elsewhere = files.slice(2).map((file) => applyElsewhere({ files: [file] }));
    const here = files
      .slice(0, 2)
      .map((file, index) => (index === 0 ? registry : create()).apply([file], by));
    await Promise.all(here);
    expect((await Promise.all(elsewhere)).map(({ code }) => code)).toEqual([0, 0]);
    const versions = await registry.versions('shop');
    expect(versions.map(({ version, state }) => [version, state])).toEqual([
      [4, 'applied'],
      [3, 'applied'],
      [2, 'applied'],
      [1, 'applied'],
    ]);
    const [{ apps }, names] = [await registry.inForce(), await columns('shop.item')];
    expect(names).toEqual(expect.arrayContaining(apps[0]!.entities[0]!.fields.map(({ name }) => name)));
  });
});

describe('a crash', () => {
  test('at any step is gone on with by the next apply, of whichever app', async () => {
    const first = shop('a: { type: text }\nb: { type: integer }');
    const second = shop(
      'a2: { type: text, renamedFrom: a, required: true, default: x }\nb: { type: text }\nc: { type: text, unique: true }',
    );
    await registry.apply([first], by);
    await addItem('one');
    const { steps } = await registry.plan([second]);
    expect(steps.length).toBeGreaterThan(4);
    for (let killAt = 1; killAt <= steps.length; killAt += 1) {
      await applyElsewhere({ files: [second], killAt });
      const [newest] = await registry.versions('shop');
      expect(newest).toMatchObject({ state: 'applying' });
      const before = await registry.inForce();
      expect(before.versions.find(({ app }) => app === 'shop')!.yaml).toBe(first.content);
      const told: string[] = [];
      await registry.apply([depot(`n${killAt}: { type: text }`)], {
        ...by,
        onProgress: (progress) => {
          if (progress.type === 'resumed') told.push(progress.message);
        },
      });
      expect(told).toEqual([`going on with shop version ${newest!.version}, which was interrupted`]);
      const after = await registry.inForce();
      expect(after.versions.find(({ app }) => app === 'shop')).toMatchObject({
        version: newest!.version,
        yaml: second.content,
      });
      expect((await registry.plan([second])).steps).toEqual([]);
      // As it was, for the next round.
      await pool.query('DROP SCHEMA shop CASCADE');
      await registry.apply([first], by);
      await addItem('one');
    }
    // A process for each step of the plan.
  }, 300_000);

  test('of a new app, settled when the hub starts again', async () => {
    await applyElsewhere({ files: [shop('')], killAt: 2 });
    expect(await inForce()).toEqual({});
    await create().settle();
    expect(await inForce()).toEqual({ shop: 1 });
    await addItem('one');
  });

  test('of what can no longer be gone on with: marked, and in nobody’s way', async () => {
    await registry.apply([shop('a: { type: text }')], by);
    await applyElsewhere({ files: [shop('a: { type: text, unique: true }\nb: { type: text }')], killAt: 2 });
    await pool.query("INSERT INTO shop.item (tenant_id, name, a) VALUES ('t', 'a', 'x'), ('t', 'b', 'x')");
    expect(await registry.apply([depot()], by)).toMatchObject({ changed: true });
    expect((await registry.versions('shop'))[0]).toMatchObject({ version: 2, state: 'failed' });
    expect(await inForce()).toEqual({ depot: 1, shop: 1 });
    expect(await registry.rollback('shop', by)).toMatchObject({ apps: [{ app: 'shop', version: 3 }] });
    expect((await registry.versions('shop')).map(({ state }) => state)).toEqual([
      'applied',
      'rolled_back',
      'applied',
    ]);
  });
});

describe('a rollback', () => {
  test('brings the definition before the last apply back, again and again', async () => {
    const texts = ['a', 'b', 'c'].map((name) => shop(`${name}: { type: text }`));
    for (const file of texts) await registry.apply([file], by);
    const current = async () => (await registry.inForce()).versions[0]!;
    const plan = await registry.planRollback('shop');
    expect(plan.apps).toMatchObject([{ app: 'shop', from: 3, to: 4 }]);
    expect(plan.losses.map(({ step }) => step)).toContain('shop.item.c is no longer defined');
    await registry.rollback('shop', { ...by, plan: plan.id });
    expect(await current()).toMatchObject({ version: 4, yaml: texts[1]!.content, restores: 2 });
    expect(await columns('shop.item')).toContain('c');
    await registry.rollback('shop', { ...by, confirmDestructive: true });
    expect(await current()).toMatchObject({ version: 5, yaml: texts[0]!.content });
    expect(await columns('shop.item')).not.toContain('c');
    await expect(registry.rollback('shop', by)).rejects.toMatchObject({ code: 'ROLLBACK_NOTHING' });
    await registry.apply([texts[2]!], by);
    await registry.rollback('shop', by);
    expect(await current()).toMatchObject({ yaml: texts[0]!.content });
    await expect(registry.rollback('shopp', by)).rejects.toMatchObject({
      code: 'APP_NOT_FOUND',
      next: 'Did you mean "shop"?',
    });
  });
});

describe('the definitions in force', () => {
  test('shipped ones are renewed with the hub, unless somebody has put another one in their place', async () => {
    await registry.settle([shop(''), depot()]);
    expect(await inForce()).toEqual({ depot: 1, shop: 1 });
    await registry.settle([shop(''), depot()]);
    expect(await inForce()).toEqual({ depot: 1, shop: 1 });
    await registry.settle([shop('a: { type: text }'), depot()]);
    expect(await inForce()).toEqual({ depot: 1, shop: 2 });
    expect(await columns('shop.item')).toContain('a');
    await registry.apply([shop('mine: { type: text }')], by);
    await registry.settle([shop('theirs: { type: text }'), depot('b: { type: text }')]);
    expect(await inForce()).toEqual({ depot: 2, shop: 3 });
    expect(await columns('shop.item')).not.toContain('theirs');
  });

  test('one that is not valid any more is named and does not take the others with it', async () => {
    await registry.apply([shop(''), depot('item: { type: reference, entity: shop.item }')], by);
    await pool.query(
      "UPDATE bac.app_versions SET yaml = replace(yaml, 'type: text', 'type: tekst') WHERE app = 'shop'",
    );
    const broken = await registry.inForce();
    expect(broken.apps).toEqual([]);
    expect([...broken.invalid.keys()].sort()).toEqual(['depot', 'shop']);
    await registry.apply([shop('a: { type: text }')], by);
    const { apps, invalid } = await registry.inForce();
    expect(apps.map(({ name }) => name)).toEqual(['depot', 'shop']);
    expect(invalid.size).toBe(0);
  });

  test('the starter definition is valid and can be applied', async () => {
    const content = starterApp('shop');
    expect(parseApps([{ file: 'shop.yaml', content }])).toHaveLength(1);
    expect(await registry.apply([{ file: 'shop.yaml', content }], by)).toMatchObject({ changed: true });
    expect(() => starterApp('Shop!')).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  });
});
