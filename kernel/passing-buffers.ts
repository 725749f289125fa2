/** Memory of buffers after which the young ones are collected; well below what makes V8 mark everything. */
const COLLECTED_BYTES = 8 * 1024 * 1024;

let passed = 0;

/**
 * Says that a buffer of `bytes` (as allocated, however little of it is filled) has been made that will not
 * live long. Streams that carry gigabytes make little else, so V8 sees no reason to scavenge, but does begin
 * a full collection of the whole heap for every 64 MB of them: that costs as much as the streaming itself. A
 * scavenge of such a heap takes under a millisecond. Without `--expose-gc` nothing happens.
 */
export function bufferPassed(bytes: number): void {
  passed += bytes;
  if (passed < COLLECTED_BYTES) return;
  passed = 0;
  globalThis.gc?.({ type: 'minor' });
}
