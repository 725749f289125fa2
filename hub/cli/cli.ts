import { Command, CommanderError } from 'commander';
import { appCommand } from './commands/app.ts';
import { auditCommand } from './commands/audit.ts';
import { configCommand } from './commands/config.ts';
import { connectCommand } from './commands/connect.ts';
import { deadLettersCommand } from './commands/deadletters.ts';
import { doctorCommand } from './commands/doctor.ts';
import { keysCommand } from './commands/keys.ts';
import { modelCommand } from './commands/model.ts';
import { queryCommand } from './commands/query.ts';
import { sqlCommand } from './commands/sql.ts';
import { statusCommand } from './commands/status.ts';
import { tenantsCommand } from './commands/tenants.ts';
import { usersCommand } from './commands/users.ts';
import { verifyCommand } from './commands/verify.ts';
import { errorText, note } from './output.ts';

/** The program `bac`: the commands that talk to a running hub, and `extra` ones (up, bench ...). */
export function buildCli(version: string, extra: readonly Command[] = []): Command {
  const program = new Command('bac')
    .description('BAC Hub: operational tables stream into ClickHouse, exact and fresh.')
    .version(version, '-V, --version')
    .showHelpAfterError('Run with --help to see what it takes.')
    .showSuggestionAfterError(true)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false });
  const own = [
    statusCommand(),
    connectCommand(),
    appCommand(),
    verifyCommand(),
    deadLettersCommand(),
    sqlCommand(),
    queryCommand(),
    modelCommand(),
    doctorCommand(),
    configCommand(),
    tenantsCommand(),
    usersCommand(),
    keysCommand(),
    auditCommand(),
  ];
  for (const command of [...extra, ...own]) program.addCommand(command);
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showSuggestionAfterError(true);
  for (const child of command.commands) throwInsteadOfExit(child);
}

/**
 * Runs the program and resolves to its exit code: 0 done, 1 failed (reason and next step on standard
 * error), 2 wrong usage.
 */
export async function runCli(
  program: Command,
  argv: readonly string[] = process.argv.slice(2),
): Promise<number> {
  process.stdout.on('error', (error: { code?: string }) => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    note(errorText(thrown));
    return 1;
  }
}
