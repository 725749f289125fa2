import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface ProcessId {
  readonly pid: number;
  readonly started: string;
}

/**
 * When a process started, in the system's own terms (never compared with a clock), or null when there is
 * no such process. A killed process that its parent has not collected yet counts as gone.
 */
export function startOf(pid: number): string | null {
  if (process.platform === 'linux') return linuxStart(pid);
  if (process.platform === 'win32') return exists(pid) ? 'alive' : null;
  if (!exists(pid)) return null;
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return null; // ps exits 1 when the process has just gone
  }
}

let boot: string | undefined;

function linuxStart(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  // The name in field 2 may hold blanks and parentheses; fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? null : `${boot}:${fields[19]}`;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export const thisProcess = (): ProcessId => ({ pid: process.pid, started: startOf(process.pid) ?? '' });

export const isAlive = (id: ProcessId): boolean => startOf(id.pid) === id.started;
