import { Command, Option } from 'commander';
import { HubError } from '#kernel';

/** `bac bench NAME`: runs one benchmark on engines of its own in a temporary folder. */
export function benchCommand(): Command {
  const names = ['cdc', 'snapshot', 'freshness', 'transaction'] as const;
  return new Command('bench')
    .description(
      'measure this machine: cdc, snapshot, freshness, transaction; or reckon an installation: scale',
    )
    .argument('<name>', [...names, 'scale'].join(', '))
    .option('--runs <n>', 'repeat and report the median', Number)
    .addOption(
      new Option('--log <kind>', 'cdc: measure Kafka beside the embedded log').choices(['embedded', 'kafka']),
    )
    .option('--json', 'print one JSON document (always the case but for scale, which prints its tables)')
    .action(async (name: string, flags: { runs?: number; log?: 'embedded' | 'kafka'; json?: boolean }) => {
      if (name === 'scale') return printScale(flags.json === true);
      const { BENCHMARKS } = await import('../../bench/index.ts');
      const benchmark = BENCHMARKS[name as (typeof names)[number]];
      if (!benchmark)
        throw new HubError('BENCHMARK_UNKNOWN', `There is no benchmark "${name}".`, {
          next: `Choose one of: ${[...names, 'scale'].join(', ')}.`,
        });
      process.stderr.write('Measuring; this takes minutes and both cores ...\n');
      process.stdout.write(`${JSON.stringify(await benchmark(flags.runs, flags.log), null, 2)}\n`);
    });
}

/** Measures nothing: what docs/scale.md shows, from the figures in bench/scale/inputs.ts. */
async function printScale(json: boolean): Promise<void> {
  const { planTable, scaleDocument, usageTable } = await import('../../bench/scale/index.ts');
  const text = json ? JSON.stringify(scaleDocument(), null, 2) : `${planTable()}\n\n${usageTable()}`;
  process.stdout.write(`${text}\n`);
}
