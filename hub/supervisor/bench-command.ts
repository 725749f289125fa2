import { Command, Option } from 'commander';
import { HubError } from '#kernel';
import type { BenchFlags } from '../../bench/index.ts';

/** `bac bench NAME`: runs one benchmark on engines of its own in a temporary folder. */
export function benchCommand(): Command {
  const names = ['cdc', 'snapshot', 'freshness', 'transaction', 'api', 'semantic', 'rollups'] as const;
  return new Command('bench')
    .description('measure this machine: cdc, snapshot, freshness, transaction, api, semantic, rollups')
    .argument('<name>', names.join(', '))
    .option('--runs <n>', 'repeat and report the median', Number)
    .addOption(
      new Option('--log <kind>', 'cdc: measure Kafka beside the embedded log').choices(['embedded', 'kafka']),
    )
    .addOption(
      new Option('--engine <engine>', 'cdc: measure Debezium on Kafka beside the native reader').choices([
        'native',
        'debezium',
      ]),
    )
    .option('--changes <n>', 'cdc: row changes; default 1000000', Number)
    .option(
      '--parts <list>',
      'api: reads, mixed, lists; semantic: uncached, dashboard, cached, freshness; comma separated; default all',
      (text) => text.split(','),
    )
    .option(
      '--rows <n>',
      'api: rows of the large table, default 1000000; semantic: of the fact, default 10000000',
      Number,
    )
    .option('--orders <n>', 'api: orders of the demo business; default 20000', Number)
    .option(
      '--rate <n>',
      'api: mixed requests a second, default 500; semantic: known questions a second, default 2000',
      Number,
    )
    .option('--seconds <n>', 'api, semantic: how long; default 30 and 10', Number)
    .option('--json', 'print one JSON document (always the case; accepted for symmetry)')
    .action(async (name: string, flags: BenchFlags) => {
      const { BENCHMARKS } = await import('../../bench/index.ts');
      const benchmark = BENCHMARKS[name as (typeof names)[number]];
      if (!benchmark)
        throw new HubError('BENCHMARK_UNKNOWN', `There is no benchmark "${name}".`, {
          next: `Choose one of: ${names.join(', ')}.`,
        });
      process.stderr.write('Measuring; this takes minutes and both cores ...\n');
      process.stdout.write(`${JSON.stringify(await benchmark(flags), null, 2)}\n`);
    });
}
