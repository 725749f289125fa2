import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { LogRecord, StoredRecord } from '#kernel';

/**
 * A stored batch: 24 bytes of header, then the payload.
 *   0 u8  magic 0xb1    1 u8  flags (1 = payload is zstd)    2 u16 zero
 *   4 u32 CRC-32 of everything behind it
 *   8 u32 record count 12 u32 payload length unpacked       16 f64 append time, ms since 1970
 * Payload: per record i32 key length, i32 value length (-1 = null), key, value. Little endian.
 */
const MAGIC = 0xb1;
const PACKED = 1;
export const HEADER = 24;
const RECORD_HEADER = 8;
/** Below this, the fixed cost of compression exceeds what it saves. */
const PACK_FROM = 1024;
/** Payload size at which a batch is split: large enough to compress well, small enough to read one at a time. */
export const CHUNK_BYTES = 512 * 1024;
/** One record's key and value together. */
export const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/** Records of one partition as an unpacked payload; its memory is its own, so that it can move to a thread. */
export interface Chunk {
  readonly count: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

const sizeOf = (record: LogRecord): number =>
  RECORD_HEADER + (record.key?.length ?? 0) + (record.value?.length ?? 0);

/** Splits records, in order, into chunks of about `CHUNK_BYTES`. Throws RangeError for a record over the limit. */
export function toChunks(records: readonly LogRecord[]): Chunk[] {
  const chunks: Chunk[] = [];
  let from = 0;
  while (from < records.length) {
    let size = 0;
    let to = from;
    while (to < records.length) {
      const next = sizeOf(records[to]!);
      if (next > MAX_RECORD_BYTES) throw new RangeError(`a record of ${next} bytes`);
      if (to > from && size + next > CHUNK_BYTES) break;
      size += next;
      to += 1;
    }
    chunks.push({ count: to - from, payload: encode(records, from, to, size) });
    from = to;
  }
  return chunks;
}

function encode(
  records: readonly LogRecord[],
  from: number,
  to: number,
  size: number,
): Uint8Array<ArrayBuffer> {
  const payload = Buffer.allocUnsafeSlow(size) as Buffer<ArrayBuffer>;
  let at = 0;
  for (let index = from; index < to; index += 1) {
    const { key, value } = records[index]!;
    at = payload.writeInt32LE(key === null ? -1 : key.length, at);
    at = payload.writeInt32LE(value === null ? -1 : value.length, at);
    if (key !== null) at += key.copy(payload, at);
    if (value !== null) at += value.copy(payload, at);
  }
  return payload;
}

/** The bytes to store for a chunk: compressed when that helps, with header and checksum. */
export function seal(chunk: Chunk, appendedAt: number): Buffer {
  const { payload, count } = chunk;
  const packed = payload.length >= PACK_FROM ? pack(payload) : null;
  const use = packed !== null && packed.length < payload.length * 0.9 ? packed : null;
  const body = use ?? payload;
  const stored = Buffer.allocUnsafe(HEADER + body.length);
  stored.writeUInt32LE(MAGIC | ((use === null ? 0 : PACKED) << 8), 0);
  stored.writeUInt32LE(count, 8);
  stored.writeUInt32LE(payload.length, 12);
  stored.writeDoubleLE(appendedAt, 16);
  stored.set(body, HEADER);
  stored.writeUInt32LE(crc32(stored.subarray(8)), 4);
  return stored;
}

// One output buffer of about the right size each: growing them in zlib's default steps costs more than packing.
const pack = (payload: Uint8Array): Buffer =>
  zstdCompressSync(payload, {
    chunkSize: Math.max(1024, payload.length >> 2),
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
const unpack = (body: Uint8Array, length: number): Buffer =>
  zstdDecompressSync(body, { chunkSize: length + 64, maxOutputLength: length + 64 });

export interface BatchHeader {
  readonly count: number;
  readonly appendedAt: number;
}

/** Count and append time of a stored batch, without its records. */
export function readHeader(stored: Buffer): BatchHeader {
  if (stored.length < HEADER || stored[0] !== MAGIC) throw new Error('it is not a record batch');
  return { count: stored.readUInt32LE(8), appendedAt: stored.readDoubleLE(16) };
}

/**
 * Records of a stored batch, the first one having offset `base`. Keys and values are views into one
 * buffer that nobody writes to again. Throws when the bytes are not what was stored.
 */
export function unseal(stored: Buffer, base: number): StoredRecord[] {
  const { count } = readHeader(stored);
  if (crc32(stored.subarray(8)) !== stored.readUInt32LE(4)) throw new Error('its checksum does not match');
  const body = stored.subarray(HEADER);
  const length = stored.readUInt32LE(12);
  if (length > MAX_RECORD_BYTES + CHUNK_BYTES) throw new Error('its length is impossible');
  const payload = ((stored[1] ?? 0) & PACKED) === 0 ? body : unpack(body, length);
  if (payload.length !== length) throw new Error('its length does not match');
  const records = new Array<StoredRecord>(count);
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const keyLength = payload.readInt32LE(at);
    const valueLength = payload.readInt32LE(at + 4);
    at += RECORD_HEADER;
    let key: Buffer | null = null;
    if (keyLength >= 0) {
      key = payload.subarray(at, at + keyLength);
      at += keyLength;
    }
    let value: Buffer | null = null;
    if (valueLength >= 0) {
      value = payload.subarray(at, at + valueLength);
      at += valueLength;
    }
    records[index] = { offset: base + index, key, value };
  }
  if (at !== length) throw new Error('its records do not fill it');
  return records;
}
