import { libchdbPath } from 'chdb/libchdb';
import {
  createExternalBuffer,
  DataType,
  type FieldType,
  isNullPointer,
  type JsExternal,
  load,
  open,
  restorePointer,
  unwrapPointer,
  wrapPointer,
} from 'ffi-rs';

/**
 * The C interface of libchdb (programs/local/chdb.h of chdb-core), called directly: the package's own
 * addon neither streams binary inserts nor starts streams off the event loop. Calls that may block run
 * on libuv's thread pool, on real thread stacks (the engine checks its stack bounds).
 */
export type Pointer = JsExternal;

const POINTER = DataType.External;
const BYTES = DataType.U8Array;
const SIZE = DataType.U64;
const TEXT = DataType.String;
const TEXTS = DataType.StringArray;
const VOID = DataType.Void;
const INT = DataType.I32;

const blocking =
  <T>(funcName: string, retType: FieldType, paramsType: FieldType[]) =>
  (...paramsValue: unknown[]): Promise<T> =>
    load({ library: 'chdb', funcName, retType, paramsType, paramsValue, runInNewThread: true }) as Promise<T>;

const quick =
  <T>(funcName: string, retType: FieldType, paramsType: FieldType[]) =>
  (...paramsValue: unknown[]): T =>
    load({ library: 'chdb', funcName, retType, paramsType, paramsValue }) as T;

/** Loads the shared library (546 MB mapped, not read). Once per process. */
export function loadLibrary(): void {
  open({ library: 'chdb', path: libchdbPath() });
  quick<void>('chdb_set_signal_handlers_enabled', VOID, [INT])(0);
  open({ library: 'libc', path: '' });
}

export const chdb = {
  connect: blocking<Pointer>('chdb_connect', POINTER, [INT, TEXTS]),
  close: blocking<void>('chdb_close_conn', VOID, [POINTER]),
  query: blocking<Pointer>('chdb_query_n', POINTER, [POINTER, BYTES, SIZE, BYTES, SIZE]),
  queryWithParams: blocking<Pointer>('chdb_query_with_params', POINTER, [
    POINTER,
    TEXT,
    TEXT,
    TEXTS,
    TEXTS,
    SIZE,
  ]),
  classify: blocking<number>('chdb_classify_query_n', INT, [POINTER, BYTES, SIZE, BYTES, SIZE, BYTES]),
  insert: blocking<Pointer>('chdb_stream_insert_n', POINTER, [POINTER, BYTES, SIZE, BYTES, SIZE]),
  insertWithParams: blocking<Pointer>('chdb_stream_insert_with_params', POINTER, [
    POINTER,
    TEXT,
    TEXT,
    TEXTS,
    TEXTS,
    SIZE,
  ]),
  append: blocking<number>('chdb_stream_append', INT, [POINTER, BYTES, SIZE]),
  done: blocking<Pointer>('chdb_stream_done', POINTER, [POINTER]),
  cancelInsert: blocking<void>('chdb_stream_cancel_insert', VOID, [POINTER]),
  /** Waits for a running insert; on one finished or cancelled it only frees memory. */
  destroyInsert: quick<void>('chdb_destroy_insert_stream', VOID, [POINTER]),
  insertError: quick<Pointer>('chdb_stream_insert_error', POINTER, [POINTER]),
  destroyResult: quick<void>('chdb_destroy_query_result', VOID, [POINTER]),
  resultBuffer: quick<Pointer>('chdb_result_buffer', POINTER, [POINTER]),
  resultLength: quick<number>('chdb_result_length', SIZE, [POINTER]),
  resultError: quick<Pointer>('chdb_result_error', POINTER, [POINTER]),
  rowsRead: quick<number>('chdb_result_storage_rows_read', SIZE, [POINTER]),
  bytesRead: quick<number>('chdb_result_storage_bytes_read', SIZE, [POINTER]),
  rowsWritten: quick<number>('chdb_result_rows_written', SIZE, [POINTER]),
  bytesWritten: quick<number>('chdb_result_bytes_written', SIZE, [POINTER]),
  elapsed: quick<number>('chdb_result_elapsed', DataType.Double, [POINTER]),
};

/** The text a `const char *` points at, or null. */
export function textAt(pointer: Pointer): string | null {
  if (isNullPointer(pointer)) return null;
  return restorePointer<DataType.String>({
    retType: [TEXT],
    paramsValue: wrapPointer([pointer]),
  })[0] as string;
}

export const isNull = (pointer: Pointer): boolean => isNullPointer(pointer);
export const dereference = (pointer: Pointer): Pointer => unwrapPointer([pointer])[0]!;

/** A copy of `length` bytes at `pointer`. */
export const bytesAt = (pointer: Pointer, length: number): Buffer =>
  length === 0 ? Buffer.alloc(0) : Buffer.from(createExternalBuffer(pointer, length));

const libc = (funcName: string, paramsType: FieldType[], paramsValue: unknown[]): number =>
  load({ library: 'libc', funcName, retType: INT, paramsType, paramsValue }) as number;

/** A named pipe that only this account may open. */
export function makeFifo(path: string): void {
  if (libc('mkfifo', [TEXT, INT], [path, 0o600]) !== 0) throw new Error(`mkfifo ${path} failed`);
}

const LOCK_EXCLUSIVE_NOW = 2 | 4;

/** Exclusive advisory lock on an open file; the kernel drops it when the process ends, however it ends. */
export const tryLock = (fd: number): boolean => libc('flock', [INT, INT], [fd, LOCK_EXCLUSIVE_NOW]) === 0;
