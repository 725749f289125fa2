import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Systems take ports for the near ends of connections from 32768 (Linux) or 49152 on. */
const [FIRST, LAST] = [20_000, 32_000];

/**
 * A port that was free a moment ago, below the range that outgoing connections use: a server that is killed and
 * started again on its port must not find it taken by some client's own end, nor may a client that keeps trying to
 * reach it be connected to itself.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = await bindable(randomInt(FIRST, LAST), host).catch(() => null); // taken: another one
    if (port !== null) return port;
  }
  return bindable(0, host);
}

/** The port (0 = any), which nobody has. Rejects with what the system says. */
export function bindable(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
