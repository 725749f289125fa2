import pg from 'pg';
import { pgIdent, pgLiteral } from '#kernel';

interface ReplicationClient {
  readonly connection: {
    readonly stream: import('node:net').Socket;
    query(text: string): void;
    once(event: string, listener: () => void): void;
  };
}

/**
 * The physical limit: reads what a slot holds over the wire and decodes nothing but frame lengths.
 * Nothing is acknowledged, so the slot keeps its content. Ends when a change at or past `until`
 * has been seen. Returns seconds and the number of WAL messages and bytes.
 */
export async function drainSlot(
  url: string,
  slot: string,
  publication: string,
  until: bigint,
): Promise<{ seconds: number; messages: number; bytes: number }> {
  const client = new pg.Client({ connectionString: url, replication: 'database' } as pg.ClientConfig);
  client.on('error', () => {}); // we cut the connection ourselves
  await client.connect();
  const { connection } = client as unknown as ReplicationClient;
  const { stream } = connection;
  const started = performance.now();
  const done = Promise.withResolvers<void>();
  let messages = 0;
  let bytes = 0;
  let rest: Buffer = Buffer.alloc(0);
  connection.once('copyBothResponse', () => {});
  stream.removeAllListeners('data');
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (data.length - at >= 5) {
      const length = data.readUInt32BE(at + 1) + 1;
      if (data.length - at < length) break;
      // 'd' CopyData: 'w' XLogData with walStart, or 'k' keep-alive with walEnd
      if (data[at] === 0x64) {
        if (data[at + 5] === 0x77) messages += 1;
        if (data.readBigUInt64BE(at + 6) >= until) done.resolve();
      } else if (data[at] === 0x45) done.reject(new Error(data.toString('utf8', at, at + length)));
      at += length;
    }
    data = data.subarray(at);
    rest = data;
  });
  connection.query(
    `START_REPLICATION SLOT ${pgIdent(slot)} LOGICAL 0/0 (proto_version '1', publication_names ${pgLiteral(publication)})`,
  );
  await done.promise;
  const seconds = (performance.now() - started) / 1000;
  stream.destroy();
  return { seconds, messages, bytes };
}
