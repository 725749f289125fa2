import { Socket } from 'node:net';

const RECEIVED_BYTES = 256 * 1024;

/**
 * A socket for sessions that copy out whole tables. While `bulk` is set it gets the received bytes in one
 * buffer that is used again after the call: nothing is allocated, so that gigabytes do not keep the garbage
 * collector busy (with a buffer for each read it cost as much as all other work). Otherwise it is an
 * ordinary socket. Not for TLS, which takes the connection itself over.
 */
export class BulkSocket extends Socket {
  bulk: ((received: Buffer) => void) | null = null;

  constructor() {
    super({
      onread: {
        buffer: Buffer.allocUnsafeSlow(RECEIVED_BYTES),
        callback: (bytes: number, buffer: Uint8Array) => {
          const received = Buffer.from(buffer.buffer, buffer.byteOffset, bytes);
          if (this.bulk) this.bulk(received);
          // The driver keeps what it gets.
          else this.emit('data', Buffer.from(received));
          return true;
        },
      },
    });
  }
}

/** `stream` of a driver's connection. */
export const bulkStream = (config?: { readonly ssl?: unknown }): Socket =>
  config?.ssl ? new Socket() : new BulkSocket();
