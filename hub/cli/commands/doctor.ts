import { Command } from 'commander';
import { HubError, loadConfig } from '#kernel';
import type { Finding } from '../../doctor/index.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { colourful, print, printJson } from '../output.ts';

export const doctorCommand = (): Command =>
  withHub(
    new Command('doctor')
      .description('check this machine and the hub, and follow one row through every hop')
      .option('--timeout <seconds>', 'how long to follow the row', '30')
      .option('--json', 'print one JSON document'),
  ).action(async (options: HubOptions & { timeout: string; json?: boolean }, command: Command) => {
    const seconds = Number(options.timeout);
    if (!(seconds >= 0.1 && seconds <= 120)) command.error('error: --timeout takes 0.1 to 120 seconds');
    const findings: Finding[] = [];
    const add = (finding: Finding): void => {
      findings.push(finding);
      if (!options.json) print(line(finding));
    };
    let running = true;
    try {
      const hub = connect(options);
      for await (const entry of hub.lines('/api/v1/doctor', { timeoutMs: Math.round(seconds * 1000) })) {
        if (entry.type !== 'result') add(entry as unknown as Finding);
      }
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'HUB_NOT_RUNNING') throw error;
      running = false;
      // It looks at every part of the hub: no other command waits for loading that.
      const { checkEnvironment } = await import('../../doctor/index.ts');
      for (const check of await checkEnvironment(loadConfig(), false)) add(check);
      add({ type: 'check', name: 'hub', ok: false, message: error.message, next: error.next });
    }
    const ok = findings.every((finding) => finding.ok);
    if (!ok) process.exitCode = 1;
    if (options.json) return printJson({ ok, running, findings });
    print(ok ? 'All is well.' : 'Something needs attention; see above.');
  });

function line(finding: Finding): string {
  const skipped = finding.type === 'check' && finding.skipped;
  const mark = skipped ? paint(33, 'skip') : finding.ok ? paint(32, 'ok  ') : paint(31, 'FAIL');
  const text =
    finding.type === 'hop'
      ? `${finding.name.padEnd(38)} ${`+${finding.ms} ms`.padStart(11)} ${`${finding.totalMs} ms`.padStart(11)}${finding.message ? `  ${finding.message}` : ''}`
      : `${finding.name.padEnd(16)} ${finding.message}`;
  return `${mark}  ${text}${finding.next ? `\n      ${finding.next}` : ''}`;
}

const paint = (code: number, text: string): string =>
  colourful() ? `\u001b[${code}m${text}\u001b[0m` : text;
