import type { FastifyBaseLogger } from 'fastify';

type Said = [object: unknown, text?: string, ...more: unknown[]];
type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/**
 * The log of one request, made when it first says something: most requests never do, and making one costs more than
 * routing them.
 */
export class RequestLog {
  readonly #parent: FastifyBaseLogger;
  readonly #bindings: Readonly<Record<string, unknown>>;
  #made: FastifyBaseLogger | null = null;

  constructor(parent: FastifyBaseLogger, bindings: Readonly<Record<string, unknown>>) {
    this.#parent = parent;
    this.#bindings = bindings;
  }

  get level(): string {
    return this.#parent.level;
  }

  child(...given: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.#log().child(...given);
  }

  fatal(...said: Said): void {
    this.#say('fatal', said);
  }

  error(...said: Said): void {
    this.#say('error', said);
  }

  warn(...said: Said): void {
    this.#say('warn', said);
  }

  info(...said: Said): void {
    this.#say('info', said);
  }

  debug(...said: Said): void {
    this.#say('debug', said);
  }

  trace(...said: Said): void {
    this.#say('trace', said);
  }

  silent(...said: Said): void {
    this.#say('silent', said);
  }

  #log(): FastifyBaseLogger {
    this.#made ??= this.#parent.child(this.#bindings);
    return this.#made;
  }

  #say(level: Level, said: Said): void {
    const log = this.#log();
    (log[level] as (...said: Said) => void).apply(log, said);
  }
}
