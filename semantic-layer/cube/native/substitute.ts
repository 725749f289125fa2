import {
  type Columns,
  type NormalizedQuery,
  pivotQuery,
  type QueryType,
  type Transform,
  transformData,
} from './transform.ts';

/** The exports of `@cubejs-backend/native` that are replaced where its binary is missing. */
export interface NativeExports {
  loadNative(): unknown;
  [name: string]: unknown;
  NativeInstance: { readonly prototype: { newJinjaEngine: () => unknown } };
}

interface MultiFrame {
  readonly queryType: QueryType;
  readonly results: readonly Readonly<Record<string, unknown>>[];
  readonly slowQuery?: boolean;
}

/** 'module' where the binary loads; otherwise the functions the hub needs are put in its place. Idempotent. */
export function ensureNative(exports: NativeExports): 'module' | 'substitute' {
  try {
    exports.loadNative();
    return 'module';
  } catch {
    substitute(exports);
    return 'substitute';
  }
}

function substitute(exports: NativeExports): void {
  Object.assign(exports, {
    setupLogger: () => {},
    resetLogger: () => {},
    isFallbackBuild: () => true,
    redactSqlLiterals: (sql: string) => sql.replace(/'(?:[^'\\]|\\.|'')*'/g, "'redacted'"),
    registerInterface: async () => ({ __typename: 'sqlinterfaceinstance' }),
    shutdownInterface: async () => {},
    getFinalQueryResult: async (transform: Transform, rows: Buffer, frame: object) =>
      bytes({ ...frame, data: transformData(transform, columnsOf(rows)) }),
    getFinalQueryResultMulti: async (
      transforms: readonly Transform[],
      rows: readonly Buffer[],
      frame: MultiFrame,
    ) =>
      bytes({
        queryType: frame.queryType,
        results: frame.results.map((result, index) => ({
          ...result,
          data: transformData(transforms[index]!, columnsOf(rows[index]!)),
        })),
        pivotQuery: pivotQuery(
          frame.queryType,
          transforms.map(({ query }): NormalizedQuery => query),
        ),
        slowQuery: frame.slowQuery ?? false,
      }),
  });
  exports.NativeInstance.prototype.newJinjaEngine = () => ({
    loadTemplate() {},
    renderTemplate() {
      throw new Error('Templates (Jinja) in models need the native module of Cube, which is not installed.');
    },
  });
}

const columnsOf = (rows: Buffer): Columns => JSON.parse(rows.toString()) as Columns;
const bytes = (value: object): Buffer => Buffer.from(JSON.stringify(value));
