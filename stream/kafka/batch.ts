import { promisify } from 'node:util';
import { constants, gunzip, zstdCompress, zstdDecompress } from 'node:zlib';
import { HubError, type LogRecord, type StoredRecord } from '#kernel';
import { crc32c } from './crc32c.ts';

/**
 * Kafka's record batch, format 2. Source: Kafka documentation, "Message format". kafkajs has a coder of its own;
 * this one is several times faster, checks checksums and knows zstd.
 */
const HEADER = 61;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const CODEC_MASK = 0x07;
const CONTROL_FLAG = 0x20;
const ZSTD = 4;
/** Below this, compression costs more than it saves. */
const COMPRESS_FROM = 1024;
const compress = promisify(zstdCompress);
const unzip = promisify(gunzip);
const unzstd = promisify(zstdDecompress);
const decompress: Readonly<Record<number, (bytes: Buffer) => Promise<Buffer>>> = {
  1: (bytes) => unzip(bytes, { chunkSize: chunkFor(bytes.length * 8) }),
  [ZSTD]: (bytes) => unzstd(bytes, { chunkSize: chunkFor(bytes.length * 8) }),
};

/** Output in one piece where possible: zlib's own pieces of 16 KiB cost more than the compression. */
const chunkFor = (expected: number): number => Math.min(Math.max(expected, 16 * 1024), 4 * 1024 * 1024);

export interface ProducerIdentity {
  readonly id: bigint;
  readonly epoch: number;
}

/** Bytes a record takes in a batch, at most. */
export const recordSize = ({ key, value }: LogRecord): number =>
  (key?.length ?? 0) + (value?.length ?? 0) + 24;

/** One batch, compressed where that pays. `sequence` numbers the producer's records in this partition. */
export async function encodeBatch(
  records: readonly LogRecord[],
  producer: ProducerIdentity,
  sequence: number,
): Promise<Buffer> {
  const plain = encodeRecords(records);
  const packed =
    plain.length < COMPRESS_FROM
      ? plain
      : await compress(plain, {
          chunkSize: chunkFor(plain.length),
          params: { [constants.ZSTD_c_compressionLevel]: 1 },
        });
  const codec = packed === plain ? 0 : ZSTD;
  const batch = Buffer.allocUnsafe(HEADER + packed.length);
  const now = BigInt(Date.now());
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(codec, ATTRIBUTES_AT);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(now, 27);
  batch.writeBigInt64BE(now, 35);
  batch.writeBigInt64BE(producer.id, 43);
  batch.writeInt16BE(producer.epoch, 51);
  batch.writeInt32BE(sequence, 53);
  batch.writeInt32BE(records.length, 57);
  packed.copy(batch, HEADER);
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT);
  return batch;
}

function encodeRecords(records: readonly LogRecord[]): Buffer {
  let size = 0;
  for (const record of records) size += recordSize(record);
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  const varint = (value: number): void => {
    // Zigzag; lengths and deltas are below 2^31.
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      out[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    out[at++] = rest;
  };
  const bytes = (value: Buffer | null): void => {
    varint(value === null ? -1 : value.length);
    if (value !== null) at += value.copy(out, at);
  };
  for (const [index, { key, value }] of records.entries()) {
    const length =
      3 +
      varintSize(index) +
      varintSize(key?.length ?? -1) +
      (key?.length ?? 0) +
      varintSize(value?.length ?? -1) +
      (value?.length ?? 0);
    varint(length);
    out[at++] = 0; // attributes
    out[at++] = 0; // timestamp delta
    varint(index);
    bytes(key);
    bytes(value);
    out[at++] = 0; // headers
  }
  return out.subarray(0, at);
}

function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x200000 ? 3 : zigzag < 0x10000000 ? 4 : 5;
}

export interface Decoded {
  /** Records from `from` on, in order. */
  readonly records: StoredRecord[];
  /** Offset to fetch next: after the last whole batch, also where that held nothing for readers. */
  readonly next: number;
}

/**
 * The batches of a fetched partition; a batch cut off at the end is left for the next fetch.
 * Errors: LOG_CORRUPT (checksum), LOG_CODEC_UNSUPPORTED.
 */
export async function decodeBatches(set: Buffer, from: number, where: string): Promise<Decoded> {
  const records: StoredRecord[] = [];
  let next = from;
  for (let at = 0; at + HEADER <= set.length; ) {
    const length = 12 + set.readInt32BE(at + 8);
    if (at + length > set.length) break;
    const base = Number(set.readBigInt64BE(at));
    const batch = set.subarray(at, at + length);
    at += length;
    if (batch.readInt8(16) !== 2) throw unsupported(where, `a batch of format ${batch.readInt8(16)}`);
    const last = base + batch.readInt32BE(23);
    if (last < from) continue;
    if (batch.readUInt32BE(CRC_AT) !== crc32c(batch, ATTRIBUTES_AT))
      throw new HubError(
        'LOG_CORRUPT',
        `The batch at offset ${base} of ${where} does not match its checksum.`,
        {
          next: 'Check the disks of the brokers; load the affected data again if every replica is damaged.',
        },
      );
    next = last + 1;
    const attributes = batch.readInt16BE(ATTRIBUTES_AT);
    if ((attributes & CONTROL_FLAG) !== 0) continue;
    const codec = attributes & CODEC_MASK;
    const packed = batch.subarray(HEADER);
    const unpack = decompress[codec];
    if (codec !== 0 && !unpack)
      throw unsupported(where, codec === 2 ? 'snappy' : codec === 3 ? 'lz4' : `codec ${codec}`);
    decodeRecords(unpack ? await unpack(packed) : packed, batch.readInt32BE(57), base, from, records);
  }
  return { records, next };
}

const unsupported = (where: string, what: string): HubError =>
  new HubError(
    'LOG_CODEC_UNSUPPORTED',
    `${where} holds records packed with ${what}, which is not supported.`,
    {
      next: 'Set compression.type to zstd, gzip or none for whoever writes this topic.',
      disposition: 'user',
    },
  );

function decodeRecords(bytes: Buffer, count: number, base: number, from: number, into: StoredRecord[]): void {
  let at = 0;
  const varint = (): number => {
    let result = 0;
    let shift = 0;
    for (;;) {
      const byte = bytes[at++]!;
      // Longer ones (timestamps) are skipped over; their value is not used.
      if (shift < 32) result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (result >>> 1) ^ -(result & 1);
      shift += 7;
    }
  };
  const take = (): Buffer | null => {
    const length = varint();
    if (length < 0) return null;
    at += length;
    return bytes.subarray(at - length, at);
  };
  for (let index = 0; index < count; index += 1) {
    const length = varint();
    const end = at + length;
    at += 1;
    varint();
    const offset = base + varint();
    const key = take();
    const value = take();
    at = end;
    if (offset >= from) into.push({ offset, key, value });
  }
}
