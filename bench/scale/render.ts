import { INPUTS, LOADS, TARGETS } from './inputs.ts';
import { type Plan, plan, saturation } from './model.ts';

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const money = (value: number): string => `$${count(value)}`;
const bytes = (value: number): string =>
  value >= 1e12 ? `${(value / 1e12).toFixed(1)} TB` : `${count(value / 1e9)} GB`;
const short = (value: number): string => (value < 10 ? value.toFixed(1) : count(value));

const ROWS: readonly (readonly [string, (plan: Plan) => string])[] = [
  ['changes/s', ({ load }) => count(load.changesPerSecond)],
  ['tables at the source', ({ load }) => bytes(load.storedBytes)],
  ['busy tables', ({ load }) => count(load.tables)],
  ['source servers', ({ sources }) => count(sources)],
  [
    'slots (of the busiest table)',
    ({ slots, slotsOfLargest }) => `${count(slots)} (${count(slotsOfLargest)})`,
  ],
  ['capture processes', ({ captures }) => count(captures)],
  ['log', ({ brokers, embeddedLog }) => (embeddedLog ? 'embedded' : `Kafka, ${count(brokers)} brokers`)],
  ['partitions a table', ({ partitionsOfLargest }) => count(partitionsOfLargest)],
  ['sinks', ({ sinks }) => count(sinks)],
  [
    'ClickHouse shards × replicas',
    ({ shards, load }) => `${count(shards)} × ${count(load.warehouseReplicas)}`,
  ],
  ['inserts/s into a shard', ({ insertsPerSecond }) => short(insertsPerSecond)],
  ['rows an insert', ({ insertRows }) => count(insertRows)],
  ['rest of a busy table', ({ restSeconds }) => `${restSeconds.toFixed(1)} s`],
  ['rows merged/s, all servers', ({ mergedRowsPerSecond }) => count(mergedRowsPerSecond)],
  ['network, all links', ({ network }) => `${short((network * 8) / 1e9)} Gbit/s`],
  ['log on disk', ({ logDisk }) => bytes(logDisk)],
  ['warehouse on disk', ({ warehouseDisk }) => bytes(warehouseDisk)],
  ['first copy of all tables', ({ snapshotHours }) => `${short(snapshotHours)} h`],
  ['vCPU (without the source)', ({ vcpus }) => count(vcpus)],
  ['compute a month', ({ cost }) => money(cost.compute)],
  ['disk a month', ({ cost }) => money(cost.disk)],
  ['traffic between zones a month', ({ cost }) => money(cost.network)],
  ['**all a month**', ({ cost }) => `**${money(cost.total)}**`],
  ...[0, 1, 2].map((turn): readonly [string, (plan: Plan) => string] => [
    ['saturates first', 'then', 'then'][turn]!,
    (of) => {
      const { resource, limit } = saturation(of)[turn]!;
      return `${resource}, at ${count(limit / 1000)}k/s`;
    },
  ]),
];

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** The plans of all loads, a column each, as Markdown. */
export function planTable(): string {
  const plans = LOADS.map(plan);
  return table(
    ['', ...plans.map(({ load }) => load.name)],
    ROWS.map(([name, cell]) => [name, ...plans.map(cell)]),
  );
}

/** What each plan's resources are used to at its load. */
export function usageTable(): string {
  const plans = LOADS.map(plan);
  const percent = (value: number): string => `${Math.round(value * 100)} %`;
  const names = [...new Set(plans.flatMap(({ usage }) => usage.map(({ resource }) => resource)))];
  const rows = names.map((name) => {
    const found = plans.map(({ usage }) => usage.find(({ resource }) => resource === name));
    const target = found.find((usage) => usage !== undefined)!.target;
    return [name, percent(target), ...found.map((usage) => (usage === undefined ? '' : percent(usage.used)))];
  });
  return table(['used', 'at most', ...plans.map(({ load }) => load.name)], rows);
}

/** Every figure the model is fed with. */
export function inputTable(): string {
  const rows = Object.values(INPUTS).map(({ value, unit, kind, how }) => [
    `${value.toLocaleString('en-US')} ${unit}`.trim(),
    kind === 'guess' ? '**guess**' : kind,
    how,
  ]);
  const names = Object.keys(INPUTS);
  return table(
    ['input', 'value', '', 'from'],
    rows.map((cells, index) => [`\`${names[index]}\``, ...cells]),
  );
}

/** The document of `bac bench scale --json`. */
export const scaleDocument = (): object => ({
  benchmark: 'scale',
  inputs: INPUTS,
  targets: TARGETS,
  plans: LOADS.map(plan).map((one) => ({ ...one, saturatesFirst: saturation(one)[0] })),
});
