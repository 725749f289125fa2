import { userError } from '#kernel';

/** What is to be thrown of an error: SOURCE_PUBLICATION_RIGHT with the statement to run, where a right is missing. */
export function refused(error: unknown, sql: string, or: string): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code !== '42501') return error;
  return userError(
    'SOURCE_PUBLICATION_RIGHT',
    `The user may not change the publication: ${message}.`,
    `Run as owner or superuser, or ${or}: ${sql};`,
    error,
  );
}
