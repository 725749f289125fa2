// Runs on Node 20 and later with nothing installed: installs what is missing, then hands over to Node 24.
// Usage: bootstrap.mjs <bac arguments>   or   bootstrap.mjs npm:<script>
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const RUNTIME_MAJOR = 24;

function fail(what, next) {
  process.stderr.write(`${what}\n${next}\n`);
  process.exit(1);
}

function digest(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

function upToDate(stamp, value) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === value;
}

function writeStamp(stamp, value) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, value);
}

function npm(args) {
  const windows = process.platform === 'win32';
  return spawnSync(windows ? 'npm.cmd' : 'npm', args, { cwd: root, stdio: ['ignore', 2, 2], shell: windows });
}

/** True if every package of the lock file that fits this platform is in node_modules in its version. */
function installed() {
  const read = (file) => JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
  const hidden = join(modules, '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const present = read(hidden);
  return Object.entries(read(join(root, 'package-lock.json'))).every(
    ([path, entry]) =>
      path === '' || entry.optional || entry.peer || present[path]?.version === entry.version,
  );
}

function install() {
  if (installed()) return;
  process.stderr.write('Installing packages (about 350 MB to fetch the first time) ...\n');
  const started = Date.now();
  const done = npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  if (done.status !== 0) {
    fail(
      'The packages could not be installed.',
      'Check the connection to the npm registry and the free disk space (2 GB), then run the same command again.',
    );
  }
  process.stderr.write(`Packages installed in ${Math.round((Date.now() - started) / 1000)} s.\n`);
}

/** Node that runs the product: this one if it is new enough, else the one installed as a package. */
function runtime() {
  if (Number(process.versions.node.split('.')[0]) >= RUNTIME_MAJOR) return process.execPath;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const packaged = join(
    modules,
    `node-${platform}-${process.arch}`,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (existsSync(packaged)) return packaged;
  return fail(
    `This is Node ${process.versions.node}; BAC Hub runs on Node ${RUNTIME_MAJOR}, and no package of it exists for ${process.platform}-${process.arch}.`,
    `Install Node ${RUNTIME_MAJOR} or later and run the same command again.`,
  );
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => !file.includes(`${join('web', 'dist')}`))
    .sort();
}

function buildWeb(node) {
  const web = join(root, 'dashboards', 'web');
  const stamp = join(web, 'dist', '.built');
  const source = digest(filesBelow(web));
  if (upToDate(stamp, source) && statSync(join(web, 'dist', 'index.html')).isFile()) return;
  const vite = join(modules, 'vite', 'bin', 'vite.js');
  const done = spawnSync(node, [vite, 'build', '--logLevel', 'error'], { cwd: web, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) fail('The web application could not be built.', 'The lines above say why.');
  writeStamp(stamp, source);
}

/** A benchmark's load shares the machine with what it measures: its own collections must not take the cores. */
const flagsOf = ([command]) => [
  '--disable-warning=ExperimentalWarning',
  ...(command === 'bench'
    ? ['--min-semi-space-size=64', '--max-semi-space-size=64', '--v8-pool-size=1', '--no-memory-reducer']
    : []),
];

export function bootstrap(args) {
  if (Number(process.versions.node.split('.')[0]) < 20)
    fail(`Node ${process.versions.node} is too old.`, 'Install Node 20 or later.');
  install();
  const node = runtime();
  const script = args[0]?.startsWith('npm:') ? args[0].slice(4) : null;
  if (script !== null || args[0] === 'up') buildWeb(node);
  const env = {
    ...process.env,
    PATH: `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`,
    // What Node has compiled is kept: half of a command's time, and of each role's start, is compiling.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(modules, '.cache', 'node'),
  };
  const child =
    script === null
      ? spawn(node, [...flagsOf(args), join(root, 'hub', 'main.ts'), ...args], {
          stdio: 'inherit',
          env,
        })
      : spawn(
          process.platform === 'win32' ? 'npm.cmd' : 'npm',
          ['run', '--silent', script, '--', ...args.slice(1)],
          { stdio: 'inherit', env, cwd: root, shell: process.platform === 'win32' },
        );
  // The terminal signals the whole group; the child decides when it is done, we only wait for it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  child.on('error', (error) =>
    fail(
      `${node} could not be started: ${error.message}`,
      'Remove node_modules and run the same command again.',
    ),
  );
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) bootstrap(process.argv.slice(2));
