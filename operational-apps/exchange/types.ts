export type Cells = readonly (string | null)[];

/** A row of a file with its place there: lines count from 1, the header included. */
export interface FileRow {
  readonly line: number;
  readonly cells: Readonly<Record<string, string | null>>;
}
