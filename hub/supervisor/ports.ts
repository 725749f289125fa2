import { bindable, freePort, userError } from '#kernel';

/**
 * The port to use: `wanted` if free (0 = any). A taken port that nobody chose moves to a free one; a taken port that
 * somebody chose is an error.
 */
export async function claimPort(
  what: string,
  wanted: number,
  chosen: boolean,
  variable: string,
  host = '127.0.0.1',
): Promise<{ port: number; moved: boolean }> {
  if (wanted === 0) return { port: await freePort(host), moved: false };
  try {
    return { port: await bindable(wanted, host), moved: false };
  } catch (cause) {
    if (!chosen) return { port: await freePort(host), moved: true };
    throw userError(
      'PORT_TAKEN',
      `Port ${wanted}, meant for ${what}, is taken.`,
      `Stop what uses it, or set ${variable} to another port (0 = any free one).`,
      cause,
    );
  }
}
