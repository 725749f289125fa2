import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

export interface LoggingOptions {
  readonly level?: string;
  readonly role: string;
  readonly destination?: DestinationStream;
}

/** Structured JSON logs on standard error; connection strings and keys are redacted by path. */
export function createLogger(options: LoggingOptions): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: { role: options.role },
      redact: {
        paths: [
          'url',
          '*.url',
          'password',
          '*.password',
          'key',
          '*.apiKey',
          'authorization',
          '*.authorization',
        ],
        censor: '[secret]',
      },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** A logger that says nothing: for tests and one-shot commands. */
export const silentLogger = (): Logger => pino({ level: 'silent' });
