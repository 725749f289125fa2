import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Logger, userError } from '#kernel';

const POM = fileURLToPath(new URL('pom.xml', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/bac-kafka', import.meta.url));
const SETS = ['broker', 'debezium'] as const;
const run = promisify(execFile);

export interface KafkaJars {
  /** Folder with Kafka, Connect and the log back-end: the class path of both. */
  readonly broker: string;
  /** Folder that holds one folder per Connect plugin: `plugin.path`. */
  readonly plugins: string;
}

/**
 * The jars that pom.xml names, fetched by Maven once per content of that file and kept below node_modules/.cache.
 * Several processes may ask at once: each fetches aside, the first to finish wins.
 * Errors: JAVA_MISSING, MAVEN_MISSING, KAFKA_FETCH_FAILED (user).
 */
export async function kafkaJars(log: Logger): Promise<KafkaJars> {
  await checkJava();
  const home = join(CACHE, createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 16));
  const jars = { broker: join(home, 'broker'), plugins: join(home, 'plugins') };
  if (existsSync(home)) return jars;
  log.info('fetching Kafka, Kafka Connect and Debezium (about 80 MB, once)');
  const aside = `${home}.${process.pid}`;
  mkdirSync(aside, { recursive: true });
  try {
    for (const set of SETS)
      await copyDependencies(set, join(aside, set === 'broker' ? set : join('plugins', set)));
    if (!existsSync(home)) renameSync(aside, home);
  } catch (error) {
    // Another process may have finished between the look and the move.
    if (!existsSync(home)) throw error;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return jars;
}

async function copyDependencies(profile: string, into: string): Promise<void> {
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${into}`];
  try {
    await run('mvn', ['-q', '-B', '-f', POM, `-P${profile}`, ...goal], { timeout: 600_000 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw userError(
        'MAVEN_MISSING',
        'Maven fetches Kafka, and `mvn` is not on the PATH.',
        'Install Maven (Debian: `apt-get install maven`; macOS: `brew install maven`) and run the same command again.',
      );
    const said = `${(error as { stdout?: string }).stdout ?? ''}`.trim().split('\n').slice(0, 5).join(' | ');
    throw userError(
      'KAFKA_FETCH_FAILED',
      `Maven could not fetch Kafka: ${said || String(error)}`,
      'Check the connection to Maven Central and run the same command again.',
      error,
    );
  }
}

async function checkJava(): Promise<void> {
  let version: number;
  try {
    const { stderr } = await run('java', ['-version']);
    version = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    version = 0;
  }
  if (version >= 17) return;
  throw userError(
    'JAVA_MISSING',
    version === 0
      ? 'Kafka needs Java, and `java` is not on the PATH.'
      : `Kafka needs Java 17; this is ${version}.`,
    'Install Java 17 or later (Debian: `apt-get install openjdk-17-jre-headless`; macOS: `brew install openjdk@17`).',
  );
}
