import { Command, InvalidArgumentError } from 'commander';
import { loadConfigWithOrigin } from '#kernel';
import type { RoleName } from '../roles/index.ts';
import { loggingReporter, type Reporter, terminalReporter } from './reporter.ts';

const ROLES: readonly RoleName[] = ['capture', 'sink', 'api', 'worker'];

/** `bac up`: runs the hub in the foreground until Ctrl-C or SIGTERM. */
export function upCommand(version: string): Command {
  return new Command('up')
    .description('start the hub on this machine and keep it running (Ctrl-C stops it)')
    .option('--no-demo', 'without the demo business')
    .option('--roles <list>', `only these roles: ${ROLES.join(', ')}`, parseRoles)
    .option('--config <file>', 'configuration file (default: bac.yaml if it is there)')
    .action(async (flags: { demo: boolean; roles?: RoleName[]; config?: string }) => {
      const { config, chosen } = loadConfigWithOrigin(
        flags.config === undefined ? {} : { file: flags.config },
      );
      const roles = flags.roles ?? ROLES;
      let reporter: Reporter = terminalReporter(process.stdout);
      const ended = Promise.withResolvers<void>();
      const starting = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => {
          starting.abort(new DOMException('stopped while starting', 'AbortError'));
          ended.resolve();
        });
      }
      // Loaded here: the other commands start without the engines.
      const { up } = await import('./up.ts');
      const hub = await up({
        config,
        chosen,
        version,
        roles,
        // The demo lives in the operational database and is kept alive by the worker.
        demo: flags.demo && config.demo.enabled && roles.includes('worker'),
        reporter: (logger) => {
          reporter = config.logTo === 'stdout' ? loggingReporter(logger) : terminalReporter(process.stdout);
          reporter.line(`BAC Hub ${version}   state in ${config.stateDir}`);
          return reporter;
        },
        signal: starting.signal,
      }).catch((error: unknown) => {
        if (starting.signal.aborted) return null;
        throw error;
      });
      if (!hub) return;
      reporter.line('');
      if (hub.addresses.http) reporter.line(`  Open ${hub.addresses.http}`);
      else reporter.line(`  Running: ${roles.join(', ')}`);
      if (config.logTo === 'file')
        reporter.line('  Look with ./bac status, ask with ./bac sql "SELECT ...", stop with Ctrl-C.');
      await ended.promise;
      reporter.line('Stopping ...');
      await hub.stop();
    });
}

function parseRoles(text: string): RoleName[] {
  const names = text.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !ROLES.includes(name as RoleName));
  if (wrong !== undefined)
    throw new InvalidArgumentError(`There is no role "${wrong}". Roles: ${ROLES.join(', ')}.`);
  return [...new Set(names as RoleName[])];
}
