import { createServer } from 'node:net';
import { userError } from '#kernel';

/**
 * The port to use: `wanted` if free. A taken port that nobody chose moves to a free one (0 = let the
 * system pick); a taken port that somebody chose is an error.
 */
export async function claimPort(
  what: string,
  wanted: number,
  chosen: boolean,
  variable: string,
  host = '127.0.0.1',
): Promise<{ port: number; moved: boolean }> {
  if (wanted === 0) return { port: await free(0, host), moved: false };
  try {
    return { port: await free(wanted, host), moved: false };
  } catch (cause) {
    if (!chosen) return { port: await free(0, host), moved: true };
    throw userError(
      'PORT_TAKEN',
      `Port ${wanted}, meant for ${what}, is taken.`,
      `Stop what uses it, or set ${variable} to another port (0 = any free one).`,
      cause,
    );
  }
}

function free(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
