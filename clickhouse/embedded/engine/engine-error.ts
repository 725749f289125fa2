/** A ClickHouse exception: `Code: 60. DB::Exception: ... (UNKNOWN_TABLE)`. */
export class EngineError extends Error {
  readonly code: number;
  readonly type: string;

  constructor(text: string) {
    super(text);
    this.name = 'EngineError';
    this.code = Number(/Code: (\d+)\./.exec(text)?.[1] ?? UNKNOWN_EXCEPTION);
    this.type =
      text
        .match(/\(([A-Z][A-Z0-9_]{2,})\)/g)
        ?.at(-1)
        ?.slice(1, -1) ?? 'UNKNOWN_EXCEPTION';
    if (!/^Code: \d+\./.test(text)) this.message = describe(this.code, text, this.type);
  }
}

const UNKNOWN_EXCEPTION = 1002;

const describe = (code: number, message: string, type: string): string =>
  `Code: ${code}. DB::Exception: ${message} (${type})`;

/** An exception of the HTTP front itself, in the engine's form. */
export const refusal = (code: number, type: string, message: string): EngineError =>
  new EngineError(describe(code, message, type));
