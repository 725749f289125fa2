import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts';
import type { AppStatus, SourceStatus, Status, TableStatus } from './types.ts';

export interface TextOptions {
  readonly colour: boolean;
}

const COLOURS: Readonly<Record<string, number>> = { good: 32, warn: 33, bad: 31, dim: 2, bold: 1 };

const STATE_COLOUR: Readonly<Record<string, string>> = {
  streaming: 'good',
  up: 'good',
  ok: 'good',
  applied: 'good',
  'in force': 'good',
  applying: 'warn',
  interrupted: 'warn',
  snapshotting: 'warn',
  pending: 'warn',
  building: 'warn',
  refused: 'warn',
  paused: 'warn',
  warn: 'warn',
  silent: 'warn',
  failed: 'bad',
  alarm: 'bad',
  down: 'bad',
};

/** The status document for a terminal: aligned columns, a line for every error with its next step. */
export function statusText(status: Status, { colour }: TextOptions): string {
  const paint = (name: string | undefined, text: string): string =>
    colour && name && COLOURS[name] !== undefined ? `\u001b[${COLOURS[name]}m${text}\u001b[0m` : text;
  const { totals, hub } = status;
  const lines = [
    `${paint('bold', 'BAC Hub')} ${hub.version}  up ${formatDuration(hub.uptimeMs)}`,
    ...Object.entries(status.addresses).map(([name, address]) => `  ${name.padEnd(11)} ${address}`),
    '',
    `${formatCount(totals.tables)} tables of ${formatCount(totals.sources)} sources   ${formatRate(totals.rowsPerSecond)} rows/s   freshness ${formatDuration(totals.freshnessP50Ms)} median, ${formatDuration(totals.freshnessMaxMs)} worst   ${formatCount(totals.deadLetters)} dead letters`,
  ];
  const now = Date.parse(status.at);
  for (const source of status.sources) lines.push('', ...sourceLines(source, now, paint));
  if (status.sources.length === 0) {
    lines.push(
      '',
      'No sources yet. Add one: bac connect add NAME --url postgres://user:password@host/database',
    );
  }
  if (status.apps.length > 0) lines.push('', ...appLines(status.apps, now, paint));
  if (status.rollups.length > 0) lines.push('', ...rollupLines(status.rollups, paint));
  if (status.model.length > 0) lines.push('', ...modelLines(status.model, now, paint));
  lines.push('');
  const parts = [
    [
      'log',
      status.log.error,
      `${status.log.kind === 'kafka' ? 'Kafka, ' : ''}${formatCount(status.log.topics)} topics, ${formatBytes(status.log.bytes)}`,
    ],
    [
      'warehouse',
      status.warehouse.error,
      `ClickHouse ${status.warehouse.version ?? '?'}, ${formatBytes(status.warehouse.bytes)}`,
    ],
  ] as const;
  for (const [name, error, text] of parts) {
    lines.push(`${name.padEnd(10)} ${error ? paint('bad', `${error.code}: ${error.message}`) : text}`);
    if (error?.next) lines.push(`${' '.repeat(10)} ${error.next}`);
  }
  const roles = status.roles.map((role) => [
    role.role,
    role.state,
    role.pid === null ? '' : `pid ${role.pid}`,
    formatBytes(role.rssBytes),
    role.cpuPercent === null ? '' : `${Math.round(role.cpuPercent)} % cpu`,
    `${formatDuration(role.ageMs)} ago`,
  ]);
  lines.push(
    ...columns(roles, [], (text, column, row) => (column === 1 ? paint(STATE_COLOUR[row[1]!], text) : text)),
  );
  return `${lines.join('\n')}\n`;
}

/** Those that are ready in one line; each other one with what it is at or why it is not kept. */
function rollupLines(rollups: Status['rollups'], paint: Paint): string[] {
  const ready = rollups.filter(({ state }) => state === 'ready' || state === 'refreshing');
  return [
    `rollups    ${formatCount(ready.length)} of ${formatCount(rollups.length)} ready`,
    ...rollups
      .filter((one) => !ready.includes(one))
      .map(
        ({ name, state, error }) =>
          `  ${name}   ${paint(STATE_COLOUR[state], state)}${error ? `   ${error}` : ''}`,
      ),
  ];
}

/** Where the model's own folder is and since when it counts; what is wrong in it with file, line and next step. */
function modelLines(model: Status['model'], now: number, paint: Paint): string[] {
  return model.flatMap(({ folder, state, files, since, problems }) => {
    const age = since === null ? '' : ` for ${formatDuration(Math.max(0, now - Date.parse(since)))}`;
    const before =
      since === null ? ', only the product’s own files count' : `, what was in force${age} stays`;
    const what =
      folder === null
        ? `${paint('bad', 'does not compile')} as it should be now; the model before it, if any, answers`
        : state === 'refused'
          ? `${paint('bad', 'refused')}${before}   ${folder}`
          : `${paint(STATE_COLOUR[state], state)}${age}   ${formatCount(files)} files   ${folder}`;
    return [
      `model      ${what}`,
      ...problems.flatMap(({ message, next }) => [
        ...message.split('\n').map((line) => `    ${line}`),
        `    ${next}`,
      ]),
    ];
  });
}

type Paint = (name: string | undefined, text: string) => string;

function sourceLines(source: SourceStatus, now: number, paint: Paint): string[] {
  const lag = source.lagBytes === null ? 'slot lag –' : `slot lag ${formatBytes(source.lagBytes)}`;
  const lines = [
    `${paint('bold', source.name)}  ${paint(STATE_COLOUR[source.state], source.state)}  ${source.url}${source.engine === 'debezium' ? '  by Debezium' : ''}  ${paint(STATE_COLOUR[source.lagAlarm], lag)}`,
  ];
  if (source.error) lines.push(...problem(source.error, paint));
  const head = ['table', 'state', 'rows', 'fresh', 'waiting', 'rows/s', 'dead', 'verified'];
  const rows = source.tables.map((table) => tableCells(table, now));
  const right = [2, 3, 4, 5, 6, 7];
  lines.push(
    ...columns([head, ...rows], right, (text, column, row) => {
      if (row === head) return paint('dim', text);
      if (column === 1) return paint(STATE_COLOUR[row[1]!.split(' ')[0]!], text);
      if (column === 7) return paint(VERIFIED_COLOUR[row[7]!.split(' ')[0]!], text);
      return column === 6 && row[6] !== '0' ? paint('bad', text) : text;
    }),
  );
  for (const table of source.tables) {
    if (table.error) lines.push(`  ${table.schema}.${table.table}:`, ...problem(table.error, paint));
  }
  return lines;
}

function appLines(apps: readonly AppStatus[], now: number, paint: Paint): string[] {
  const head = ['app', 'version', 'entities', 'state', 'applied', 'by'];
  const rows = apps.map((app) => [
    app.name,
    app.version === null ? '–' : String(app.version),
    String(app.entities),
    app.state,
    app.appliedAt === null ? '–' : `${formatDuration(Math.max(0, now - Date.parse(app.appliedAt)))} ago`,
    app.appliedBy,
  ]);
  const lines = columns([head, ...rows], [1, 2], (text, column, row) => {
    if (row === head) return paint('dim', text);
    return column === 3 ? paint(STATE_COLOUR[row[3]!], text) : text;
  });
  const remarks = apps.flatMap(({ name, message }) => (message === null ? [] : [`    ${name}: ${message}`]));
  return [paint('bold', 'apps'), ...lines, ...remarks];
}

const problem = (error: { code: string; message: string; next?: string }, paint: Paint): string[] => [
  `    ${paint('bad', error.code)} ${error.message}`,
  ...(error.next ? [`    ${error.next}`] : []),
];

const VERIFIED_COLOUR: Readonly<Record<string, string>> = {
  ok: 'good',
  repaired: 'warn',
  skipped: 'warn',
  different: 'bad',
  failed: 'bad',
};

/** What the last comparison found, and how long ago. */
function verifiedText({ verification }: TableStatus, now: number): string {
  if (verification === null) return '–';
  const { state, at, differences, repaired } = verification;
  const count = state === 'repaired' ? repaired : state === 'different' ? differences - repaired : null;
  const found = count === null ? state : `${state} ${formatCount(count)}`;
  return `${found}, ${formatDuration(Math.max(0, now - Date.parse(at)))} ago`;
}

const tableCells = (table: TableStatus, now: number): string[] => [
  `${table.schema}.${table.table}`,
  table.snapshotProgress === null
    ? table.state
    : `${table.state} ${Math.floor(table.snapshotProgress * 100)} %`,
  `${table.rowsKind === 'approximate' ? '~' : ''}${formatCount(table.rows)}`,
  formatDuration(table.freshnessMs),
  formatCount(table.lagEvents),
  formatRate(table.rowsPerSecond),
  formatCount(table.deadLetters),
  verifiedText(table, now),
];

/** Rows as padded lines, indented by two; `right` lists the columns aligned right. */
export function columns(
  rows: readonly string[][],
  right: readonly number[] = [],
  paint: (text: string, column: number, row: string[]) => string = (text) => text,
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows.map((row) =>
    `  ${row
      .map((cell, index) => {
        const width = widths[index]!;
        return paint(right.includes(index) ? cell.padStart(width) : cell.padEnd(width), index, row);
      })
      .join('  ')}`.trimEnd(),
  );
}
