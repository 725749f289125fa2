import { createHash } from 'node:crypto';

/** What was asked for, without values: enough to say which roll-up would have answered it. */
export interface QuestionShape {
  /** Measures that add up or are computed from nothing else, `cube.member`. */
  readonly measures: readonly string[];
  /** Of the answer and of filters. */
  readonly dimensions: readonly string[];
  /** Time dimensions with the granularity that answer and range need; null: any. */
  readonly times: readonly (readonly [string, string | null])[];
}

export interface QuestionCount {
  readonly shape: string;
  readonly question: QuestionShape;
  readonly asked: number;
  readonly rowsRead: number;
  readonly milliseconds: number;
}

/** Shapes kept between two writes; further ones of that time are not counted. */
const MOST_SHAPES = 500;
const WRITE_AFTER_MS = 10_000;

/** Counts questions by shape and hands them on now and then, when one comes. */
export class QuestionLog {
  readonly #write: (counts: readonly QuestionCount[]) => Promise<void>;
  #counts = new Map<string, QuestionCount>();
  #writtenAt = performance.now();
  #under: Promise<void> = Promise.resolve();

  /** `write` tells itself what goes wrong. */
  constructor(write: (counts: readonly QuestionCount[]) => Promise<void>) {
    this.#write = write;
  }

  note(question: QuestionShape, rowsRead: number, milliseconds: number): void {
    const shape = createHash('sha256').update(JSON.stringify(question)).digest('hex').slice(0, 16);
    const before = this.#counts.get(shape);
    if (!before && this.#counts.size >= MOST_SHAPES) return;
    this.#counts.set(shape, {
      shape,
      question,
      asked: (before?.asked ?? 0) + 1,
      rowsRead: (before?.rowsRead ?? 0) + rowsRead,
      milliseconds: (before?.milliseconds ?? 0) + milliseconds,
    });
    if (performance.now() - this.#writtenAt > WRITE_AFTER_MS) void this.flush();
  }

  /** Resolves when all that was noted is written. */
  flush(): Promise<void> {
    const counts = [...this.#counts.values()];
    this.#counts = new Map();
    this.#writtenAt = performance.now();
    if (counts.length > 0) this.#under = this.#under.then(() => this.#write(counts));
    return this.#under;
  }
}
