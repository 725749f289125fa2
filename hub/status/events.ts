import type { RoleStatus, SourceStatus, StatusEvent } from './types.ts';

const KEEP = 100;
const LEVEL: Readonly<Record<string, StatusEvent['level']>> = {
  streaming: 'good',
  up: 'good',
  failed: 'error',
  unsupported: 'warn',
  dropped: 'warn',
  silent: 'warn',
  paused: 'warn',
  down: 'error',
};

/**
 * Turns successive status documents into a feed of what changed. In memory and bounded: the feed
 * is for watching; the record of an incident is the log and `bac.dead_letters`.
 */
export class EventFeed {
  readonly #events: StatusEvent[] = [];
  #known: Map<string, string> | null = null;
  #dead = new Map<string, number>();
  #next = 1;

  /** Compares with the previous round; the first round only takes note. */
  update(at: string, sources: readonly SourceStatus[], roles: readonly RoleStatus[]): readonly StatusEvent[] {
    const states = new Map<string, string>();
    const dead = new Map<string, number>();
    const notes = new Map<string, string>();
    for (const source of sources) {
      states.set(source.name, source.state);
      if (source.error) notes.set(source.name, source.error.message);
      for (const table of source.tables) {
        const subject = `${source.name}.${table.schema}.${table.table}`;
        states.set(subject, table.state);
        dead.set(subject, table.deadLetters);
        if (table.error) notes.set(subject, table.error.message);
      }
    }
    for (const role of roles) states.set(`role:${role.role}`, role.state);
    if (this.#known) {
      this.#compare(at, this.#known, states, notes);
      for (const [subject, count] of dead) {
        const more = count - (this.#dead.get(subject) ?? 0);
        if (more > 0)
          this.#add(
            at,
            'error',
            subject,
            more === 1
              ? 'a row was set aside as a dead letter'
              : `${more} rows were set aside as dead letters`,
          );
        if (more < 0)
          this.#add(at, 'good', subject, `${-more} dead letter${more === -1 ? '' : 's'} resolved`);
      }
    }
    this.#known = states;
    this.#dead = dead;
    return [...this.#events];
  }

  #compare(
    at: string,
    before: Map<string, string>,
    now: Map<string, string>,
    notes: Map<string, string>,
  ): void {
    for (const [subject, state] of now) {
      const old = before.get(subject);
      if (old === state) continue;
      const note = notes.get(subject);
      const words = old === undefined ? `appeared, ${state}` : `${old} → ${state}`;
      this.#add(at, LEVEL[state] ?? 'info', subject, note ? `${words}: ${note}` : words);
    }
    for (const subject of before.keys()) if (!now.has(subject)) this.#add(at, 'info', subject, 'removed');
  }

  #add(at: string, level: StatusEvent['level'], subject: string, message: string): void {
    this.#events.push({ id: this.#next, at, level, subject, message });
    this.#next += 1;
    if (this.#events.length > KEEP) this.#events.shift();
  }
}
