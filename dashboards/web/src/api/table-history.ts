import type { Status } from './types.ts';

const KEEP = 60;

/** The last minute of each table's rate and freshness, for the small charts. Filled while the page is open. */
export class TableHistory {
  readonly #series = new Map<string, { rate: (number | null)[]; fresh: (number | null)[] }>();

  add(status: Status): void {
    const seen = new Set<string>();
    for (const source of status.sources) {
      for (const table of source.tables) {
        const id = `${source.name}.${table.schema}.${table.table}`;
        seen.add(id);
        const series = this.#series.get(id) ?? { rate: [], fresh: [] };
        series.rate = [...series.rate, table.rowsPerSecond].slice(-KEEP);
        series.fresh = [...series.fresh, table.freshnessMs].slice(-KEEP);
        this.#series.set(id, series);
      }
    }
    for (const id of this.#series.keys()) if (!seen.has(id)) this.#series.delete(id);
  }

  rate(id: string): readonly (number | null)[] {
    return this.#series.get(id)?.rate ?? [];
  }

  freshness(id: string): readonly (number | null)[] {
    return this.#series.get(id)?.fresh ?? [];
  }
}
