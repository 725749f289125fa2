/** unique_violation in a catalogue, duplicate_schema, duplicate_table, duplicate_column, duplicate_object (its row type). */
const LOST: readonly unknown[] = ['23505', '42P06', '42P07', '42701', '42710'];

/**
 * For `catch` of a statement with IF NOT EXISTS: where several create the same thing at once PostgreSQL looks before
 * it locks, and refuses those that come second, after the first has committed. Other errors are thrown again.
 */
export function ignoreLostRace(error: { code?: string }): void {
  if (!LOST.includes(error.code)) throw error;
}
