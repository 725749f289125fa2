import { flushCompileCache } from 'node:module';
import { HubError, toHubError } from '#kernel';
// Not by its index: most roles never need what the HTTP server stands on.
import { readiness } from '../http/health.ts';
import { openContext, type Role, type RoleContext } from './context.ts';
import type { FromRole, ToRole } from './messages.ts';
import type { RoleName, RoleSettings } from './settings.ts';
import { reportStats } from './stats.ts';

/**
 * Entry of a role's process. Waits for its settings on the IPC channel, runs until SIGTERM or until
 * the channel closes (the supervisor died), then finishes what is under way. A role loads only its own
 * code: that of the api is three times all the rest.
 */
const ROLES: Readonly<Record<RoleName, () => Promise<(context: RoleContext) => Promise<Role>>>> = {
  capture: async () => (await import('./capture.ts')).runCapture,
  sink: async () => (await import('./sink.ts')).runSink,
  api: async () => (await import('./api.ts')).runApi,
  worker: async () => (await import('./worker.ts')).runWorker,
};

async function main(name: RoleName, settings: RoleSettings): Promise<void> {
  const stopping = Promise.withResolvers<string>();
  process.once('SIGTERM', () => stopping.resolve('SIGTERM'));
  process.once('SIGINT', () => {}); // the terminal's Ctrl-C reaches the whole group; the supervisor decides
  process.once('disconnect', () => stopping.resolve('supervisor gone'));
  const run = await ROLES[name]();
  const context = await openContext(name, settings);
  const role = await run(context);
  const reporting = reportStats(context, name, role);
  answerProbes(context);
  say({ type: 'ready', facts: role.facts ?? {} });
  // Node writes it at a proper end, which a role may not come to.
  flushCompileCache();
  const reason = await Promise.race([stopping.promise, reporting.lost]);
  context.logger.info({ reason }, 'stopping');
  await reporting.stop();
  await role.stop();
  await context.close();
  process.exit(0);
}

function say(message: FromRole, then: () => void = () => {}): void {
  if (process.connected) process.send?.(message, then);
  else then();
}

function answerProbes(context: RoleContext): void {
  process.on('message', (message: ToRole) => {
    if (message.type !== 'probe') return;
    readiness(context)
      .then((result) => say({ type: 'probed', id: message.id, readiness: result }))
      .catch((error: unknown) => context.logger.warn({ err: toHubError(error) }, 'probe failed'));
  });
}

const name = process.argv[2];
if (name === undefined || !(name in ROLES)) throw new HubError('ROLE_UNKNOWN', `There is no role ${name}.`);
process.once('message', (message: ToRole) => {
  if (message.type !== 'start') throw new HubError('ROLE_PROTOCOL', 'A role is told to start first.');
  main(name as RoleName, message.settings).catch((thrown: unknown) => {
    const error = toHubError(thrown);
    process.stderr.write(
      `${JSON.stringify({ level: 60, role: name, error: error.toJSON(), stack: error.stack })}\n`,
    );
    say({ type: 'failed', error: error.toJSON() }, () => process.exit(1));
  });
});
