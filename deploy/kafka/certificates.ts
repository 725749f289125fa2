import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificates {
  /** PEM: certificate and key of the broker in one file, as Kafka reads them. */
  readonly keystore: string;
  /** PEM: whom the broker trusts. */
  readonly truststore: string;
  /** What clients need: the certificate to trust, and a pair of their own. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Self-signed certificates for loopback, made by openssl, good for 30 days. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const file = (name: string): string => join(dir, name);
  for (const name of ['broker', 'client'])
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', `/CN=${name}`],
      ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)],
    ]);
  writeFileSync(
    file('broker.pem'),
    readFileSync(file('broker.key'), 'utf8') + readFileSync(file('broker.crt'), 'utf8'),
    { mode: 0o600 },
  );
  return {
    keystore: file('broker.pem'),
    truststore: file('client.crt'),
    caFile: file('broker.crt'),
    certFile: file('client.crt'),
    keyFile: file('client.key'),
  };
}
