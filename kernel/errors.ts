/** How a failure should be treated by whoever catches it. */
export type Disposition =
  /** The caller's input or set-up is wrong: show it, exit 1, never retry by itself. */
  | 'user'
  /** The world may recover (connection lost, engine restarting): retry with back-off. */
  | 'transient'
  /** A defect or a broken promise: stop this unit of work, keep the evidence. */
  | 'fatal';

export interface HubErrorOptions {
  /** What the reader should do next, as one imperative sentence. */
  readonly next?: string;
  readonly disposition?: Disposition;
  readonly cause?: unknown;
  /** Structured facts for logs and JSON output. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The one error type that crosses module boundaries. `code` is stable and SCREAMING_SNAKE
 * (`SOURCE_UNREACHABLE`), `message` says what happened, `next` what to do about it.
 */
export class HubError extends Error {
  readonly code: string;
  readonly next: string | undefined;
  readonly disposition: Disposition;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, options: HubErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HubError';
    this.code = code;
    this.next = options.next;
    this.disposition = options.disposition ?? 'fatal';
    this.details = options.details ?? {};
  }

  /** One JSON-safe object: what every `--json` surface and HTTP error body shows. */
  toJSON(): { code: string; message: string; next?: string; details?: Record<string, unknown> } {
    return {
      code: this.code,
      message: this.message,
      ...(this.next === undefined ? {} : { next: this.next }),
      ...(Object.keys(this.details).length === 0 ? {} : { details: { ...this.details } }),
    };
  }
}

export const userError = (code: string, message: string, next: string, cause?: unknown): HubError =>
  new HubError(code, message, { next, disposition: 'user', cause });

export const transientError = (code: string, message: string, cause?: unknown): HubError =>
  new HubError(code, message, { disposition: 'transient', cause });

/** Anything thrown, as a HubError; foreign errors become fatal with code INTERNAL. */
export function toHubError(thrown: unknown): HubError {
  if (thrown instanceof HubError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new HubError('INTERNAL', message, { cause: thrown });
}
