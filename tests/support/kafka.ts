import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaCluster, type KafkaOptions, startKafka } from '#deploy/kafka';
import { silentLogger } from '#kernel';

export interface TestKafka extends KafkaCluster, AsyncDisposable {
  readonly dir: string;
}

/** Brokers of its own in a temporary folder on free ports; disposing stops and removes them. */
export async function testKafka(options: Partial<KafkaOptions> = {}): Promise<TestKafka> {
  const dir = mkdtempSync(join(tmpdir(), 'bac-test-kafka-'));
  const remove = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    const cluster = await startKafka({ brokers: 1, log: silentLogger(), ...options, dir });
    return {
      ...cluster,
      dir,
      async [Symbol.asyncDispose]() {
        await cluster.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
