import { type HubError, toHubError } from '#kernel';

/** Exactly one JSON document on standard output. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
};

export const print = (text: string): void => {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
};

/** Progress and remarks: standard error, so that pipes get results only. */
export const note = (text: string): void => {
  process.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
};

/** Colours only on a terminal, and not when NO_COLOR is set. */
export const colourful = (): boolean => process.stdout.isTTY === true && !process.env.NO_COLOR;

/** What happened and the next step; the fields of a refused request each on a line. No stack trace. */
export function errorText(thrown: unknown): string {
  const error: HubError = toHubError(thrown);
  const fields = error.details.fields;
  const extra = Array.isArray(fields)
    ? fields.slice(1).map((field: { path: string; message: string }) => `  ${field.path}: ${field.message}`)
    : [];
  return [`${error.message} [${error.code}]`, ...extra, ...(error.next ? [error.next] : [])].join('\n');
}
