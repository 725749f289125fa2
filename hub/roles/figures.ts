/**
 * A figure a role gives to `/metrics` of its own process. Without names of sources or tables: that
 * page is read without a key, by whoever reaches its port.
 */
export interface Figure {
  /** Prometheus name, e.g. `bac_sink_rows_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly value: number;
}

export const counter = (name: string, help: string, value: number): Figure => ({
  name,
  help,
  type: 'counter',
  value,
});

export const gauge = (name: string, help: string, value: number): Figure => ({
  name,
  help,
  type: 'gauge',
  value,
});
