import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createLogger, HubError } from '#kernel';
import { startKafka } from './cluster.ts';

/** `npm run kafka [-- --brokers 3] [--no-connect]`: brokers and Connect in the foreground until Ctrl-C. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      brokers: { type: 'string', default: '1' },
      connect: { type: 'boolean', default: true },
      port: { type: 'string', default: '9092' },
      'connect-port': { type: 'string', default: '8083' },
    },
  });
  const brokers = values.brokers === '3' ? 3 : 1;
  const dir = fileURLToPath(new URL(`../../.bac/kafka/${brokers}`, import.meta.url));
  const ports = { client: Number(values.port), connect: Number(values['connect-port']) };
  const log = createLogger({ role: 'kafka', level: process.env.BAC_LOG_LEVEL ?? 'info' });
  const cluster = await startKafka({ dir, brokers, connect: values.connect, ports, log });
  console.log(`Kafka: ${cluster.bootstrap.join(',')}`);
  if (cluster.connectUrl) console.log(`Kafka Connect: ${cluster.connectUrl}`);
  console.log(`Use it: BAC_KAFKA_BROKERS=${cluster.bootstrap.join(',')} npm start`);
  console.log('Ctrl-C stops everything; the data stays in .bac/kafka.');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => void cluster.stop().then(() => process.exit(0)));
  await new Promise(() => setInterval(() => {}, 1 << 30));
}

main().catch((error: unknown) => {
  console.error(error instanceof HubError ? `${error.message}\n${error.next ?? ''}` : error);
  process.exit(1);
});
