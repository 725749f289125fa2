import { Decoder, Encoder, type NodeAddress, type ProtocolRequest } from './driver.ts';
import { ProtocolError } from './errors.ts';
import { hubName, wireName } from './names.ts';

/**
 * The requests that kafkajs lacks (DescribeLogDirs) or that need another treatment: metadata in which one topic's
 * error must not hide all others, produce and fetch with batches coded here. Versions are fixed to such as every
 * broker from 2.3 to 4.x knows. Source: Kafka documentation, "Protocol".
 */
function request<Response>(
  [apiName, apiKey, apiVersion]: readonly [string, number, number],
  encode: (encoder: Encoder) => void,
  decode: (decoder: Decoder) => Response,
  requestTimeout?: number,
): ProtocolRequest<Response> {
  return {
    request: {
      apiKey,
      apiVersion,
      apiName,
      encode: async () => {
        const encoder = new Encoder();
        encode(encoder);
        return encoder;
      },
    },
    response: {
      decode: async (payload) => decode(new Decoder(payload)),
      parse: async (decoded) => decoded as Response,
    },
    ...(requestTimeout === undefined ? {} : { requestTimeout }),
  };
}

const int64 = (decoder: Decoder): number => Number(decoder.readInt64().toString());
const text = (decoder: Decoder): string => decoder.readString() ?? '';
const topicName = (decoder: Decoder): string => hubName(text(decoder));
/** An array's element as kafkajs' encoder takes it. */
const item = (write: (encoder: Encoder) => void): Encoder => {
  const encoder = new Encoder();
  write(encoder);
  return encoder;
};

export interface TopicMetadata {
  readonly error: number;
  readonly topic: string;
  readonly internal: boolean;
  readonly partitions: readonly {
    readonly error: number;
    readonly partition: number;
    readonly leader: number;
  }[];
}

export interface ClusterMetadata {
  readonly nodes: readonly NodeAddress[];
  readonly clusterId: string;
  readonly controller: number;
  readonly topics: readonly TopicMetadata[];
}

/** null = all topics. */
export const metadataRequest = (topics: readonly string[] | null): ProtocolRequest<ClusterMetadata> =>
  request(
    ['Metadata', 3, 5],
    (out) => {
      out.writeNullableArray((topics ?? []).map(wireName)).writeBoolean(false);
    },
    (from) => {
      from.readInt32();
      const nodes = from.readArray((one) => {
        const node = { nodeId: one.readInt32(), host: text(one), port: one.readInt32() };
        one.readString();
        return node;
      });
      const clusterId = text(from);
      return {
        nodes,
        clusterId,
        controller: from.readInt32(),
        topics: from.readArray((one) => ({
          error: one.readInt16(),
          topic: topicName(one),
          internal: one.readBoolean(),
          partitions: one.readArray((part) => {
            const facts = { error: part.readInt16(), partition: part.readInt32(), leader: part.readInt32() };
            for (let list = 0; list < 3; list += 1) part.readArray((id) => id.readInt32());
            return facts;
          }),
        })),
      };
    },
  );

export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  readonly base: number;
}

/** All replicas in sync must have it (acks -1). `timeoutMs` bounds the wait for them. */
export const produceRequest = (
  batches: readonly { readonly topic: string; readonly partition: number; readonly batch: Buffer }[],
  timeoutMs: number,
): ProtocolRequest<readonly ProduceAnswer[]> =>
  request(
    ['Produce', 0, 7],
    (out) => {
      const topics = [...Map.groupBy(batches, ({ topic }) => topic)];
      out
        .writeString(null)
        .writeInt16(-1)
        .writeInt32(timeoutMs)
        .writeArray(
          topics.map(([topic, parts]) =>
            item((one) =>
              one
                .writeString(wireName(topic))
                .writeArray(
                  parts.map(({ partition, batch }) =>
                    item((part) => part.writeInt32(partition).writeBytes(batch)),
                  ),
                ),
            ),
          ),
        );
    },
    (from) =>
      from
        .readArray((one) => {
          const topic = topicName(one);
          return one.readArray((part) => {
            const answer = {
              topic,
              partition: part.readInt32(),
              error: part.readInt16(),
              base: int64(part),
            };
            part.readInt64();
            part.readInt64();
            return answer;
          });
        })
        .flat(),
    timeoutMs + 5000,
  );

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  /** Next offset to be written that all replicas in sync have. */
  readonly end: number;
  readonly start: number;
  readonly set: Buffer;
}

/** Waits up to `waitMs` for one byte. Every partition gets a turn: those named first are served first. */
export const fetchRequest = (
  partitions: readonly FetchPartition[],
  bounds: { readonly waitMs: number; readonly totalBytes: number; readonly partitionBytes: number },
): ProtocolRequest<readonly FetchedPartition[]> =>
  request(
    ['Fetch', 1, 11],
    (out) => {
      const topics = [...Map.groupBy(partitions, ({ topic }) => topic)];
      out
        .writeInt32(-1)
        .writeInt32(bounds.waitMs)
        .writeInt32(bounds.waitMs === 0 ? 0 : 1)
        .writeInt32(bounds.totalBytes)
        .writeInt8(0)
        .writeInt32(0)
        .writeInt32(-1)
        .writeArray(
          topics.map(([topic, parts]) =>
            item((one) =>
              one
                .writeString(wireName(topic))
                .writeArray(
                  parts.map(({ partition, offset }) =>
                    item((part) =>
                      part
                        .writeInt32(partition)
                        .writeInt32(-1)
                        .writeInt64(offset)
                        .writeInt64(-1)
                        .writeInt32(bounds.partitionBytes),
                    ),
                  ),
                ),
            ),
          ),
        )
        .writeArray([])
        .writeString('');
    },
    (from) => {
      from.readInt32();
      const error = from.readInt16();
      if (error !== 0) throw new ProtocolError('Fetch', error);
      from.readInt32();
      return from
        .readArray((one) => {
          const topic = topicName(one);
          return one.readArray((part): FetchedPartition => {
            const partition = part.readInt32();
            const code = part.readInt16();
            const end = int64(part);
            part.readInt64();
            const start = int64(part);
            part.readArray((aborted) => [aborted.readInt64(), aborted.readInt64()]);
            part.readInt32();
            return { topic, partition, error: code, end, start, set: part.readBytes() ?? Buffer.alloc(0) };
          });
        })
        .flat();
    },
    bounds.waitMs + 30_000,
  );

export interface OffsetAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  readonly offset: number;
}

/** First available offset (`start`) or next one to be written (`end`) of partitions that this broker leads. */
export const offsetsRequest = (
  partitions: readonly { readonly topic: string; readonly partition: number }[],
  which: 'start' | 'end',
): ProtocolRequest<readonly OffsetAnswer[]> =>
  request(
    ['ListOffsets', 2, 3],
    (out) => {
      const topics = [...Map.groupBy(partitions, ({ topic }) => topic)];
      out
        .writeInt32(-1)
        .writeInt8(0)
        .writeArray(
          topics.map(([topic, parts]) =>
            item((one) =>
              one
                .writeString(wireName(topic))
                .writeArray(
                  parts.map(({ partition }) =>
                    item((part) => part.writeInt32(partition).writeInt64(which === 'start' ? -2 : -1)),
                  ),
                ),
            ),
          ),
        );
    },
    (from) => {
      from.readInt32();
      return from
        .readArray((one) => {
          const topic = topicName(one);
          return one.readArray((part) => {
            const partition = part.readInt32();
            const error = part.readInt16();
            part.readInt64();
            return { topic, partition, error, offset: int64(part) };
          });
        })
        .flat();
    },
  );

/** Stored bytes of every replica on this broker. */
export const logDirsRequest = (): ProtocolRequest<
  readonly { readonly topic: string; readonly partition: number; readonly bytes: number }[]
> =>
  request(
    ['DescribeLogDirs', 35, 1],
    (out) => {
      out.writeNullableArray([]);
    },
    (from) => {
      from.readInt32();
      return from
        .readArray((dir) => {
          dir.readInt16();
          dir.readString();
          return dir.readArray((one) => {
            const topic = topicName(one);
            return one.readArray((part) => {
              const facts = { topic, partition: part.readInt32(), bytes: int64(part) };
              part.readInt64();
              return { ...facts, future: part.readBoolean() };
            });
          });
        })
        .flat(2)
        .filter(({ future }) => !future);
    },
  );
