import { percentile } from './figures.ts';
import type { Client, Shot } from './http-client.ts';

export interface LoadResult {
  readonly asked: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  /** By name of the shot. */
  readonly byKind: Readonly<
    Record<string, { readonly count: number; readonly p50Ms: number; readonly p99Ms: number }>
  >;
}

/**
 * Requests at a steady rate, whether or not earlier ones are answered: a slow answer is counted from when it was
 * due, so that waiting in a queue shows. Milliseconds.
 */
export async function openLoop(
  client: Client,
  rate: number,
  seconds: number,
  next: () => { readonly kind: string; readonly shot: Shot },
): Promise<LoadResult> {
  const latencies = new Map<string, number[]>();
  const running = new Set<Promise<void>>();
  const total = Math.round(rate * seconds);
  let errors = 0;
  const started = performance.now();
  for (let sent = 0; sent < total; sent += 1) {
    const due = started + (sent * 1000) / rate;
    const wait = due - performance.now();
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    const { kind, shot } = next();
    const work: Promise<void> = client
      .send({ ...shot, skim: true })
      .then(({ status, text }) => {
        if (status >= 400 || text.includes('"errors":[')) {
          errors += 1;
          if (errors === 1) process.stderr.write(`${kind}: ${status} ${text.slice(0, 500)}\n`);
        }
        const list = latencies.get(kind) ?? [];
        list.push(performance.now() - due);
        latencies.set(kind, list);
      })
      .catch(() => {
        errors += 1;
      })
      .finally(() => running.delete(work));
    running.add(work);
  }
  await Promise.all(running);
  const took = (performance.now() - started) / 1000;
  const all = [...latencies.values()].flat();
  const round = (value: number): number => Math.round(value * 10) / 10;
  return {
    asked: rate,
    requestsPerSecond: Math.round(all.length / took),
    p50Ms: round(percentile(all, 50)),
    p99Ms: round(percentile(all, 99)),
    maxMs: round(Math.max(...all)),
    errors,
    byKind: Object.fromEntries(
      [...latencies].map(([kind, list]) => [
        kind,
        { count: list.length, p50Ms: round(percentile(list, 50)), p99Ms: round(percentile(list, 99)) },
      ]),
    ),
  };
}

/** One request after the other, `count` times: what one costs by itself. Milliseconds. */
export async function oneByOne(
  count: number,
  once: (index: number) => Promise<unknown>,
): Promise<{ p50Ms: number; p99Ms: number }> {
  return summary(await latenciesOf(count, once));
}

/** The same, each by itself. */
export async function latenciesOf(
  count: number,
  once: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const latencies: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const began = performance.now();
    await once(index);
    latencies.push(performance.now() - began);
  }
  return latencies;
}

export function summary(latencies: readonly number[]): { p50Ms: number; p99Ms: number } {
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  return { p50Ms: round(percentile(latencies, 50)), p99Ms: round(percentile(latencies, 99)) };
}
