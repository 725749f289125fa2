import { readFileSync } from 'node:fs';
import { buildCli, runCli } from './cli/index.ts';
import { benchCommand, upCommand } from './supervisor/index.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

process.exitCode = await runCli(buildCli(version, [upCommand(version), benchCommand()]));
