import { readFileSync } from 'node:fs';
import { HubError, toHubError } from '#kernel';
import { buildCli } from './cli/index.ts';
import { benchCommand, upCommand } from './supervisor/index.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

try {
  await buildCli(version, [upCommand(version), benchCommand()]).parseAsync();
} catch (thrown) {
  const error = toHubError(thrown);
  process.stderr.write(`${error.message}\n${error.next ? `${error.next}\n` : ''}`);
  // A defect deserves its trace; a wrong input does not.
  if (!(thrown instanceof HubError) && process.env.BAC_LOG_LEVEL === 'debug')
    process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
