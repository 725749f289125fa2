import { createWriteStream, existsSync, mkdirSync, renameSync, statSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';

const LARGEST = 20 * 1024 * 1024;
const KEPT = 3;

/** Appends to `<folder>/<name>`; at 20 MiB the file becomes `<name>.1`, and so on up to three. */
export function rotatingLog(folder: string, name: string): Writable {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  let size = existsSync(file) ? statSync(file).size : 0;
  let out: WriteStream = createWriteStream(file, { flags: 'a' });
  const rotate = (): void => {
    out.end();
    for (let n = KEPT - 1; n >= 0; n -= 1) {
      const from = n === 0 ? file : `${file}.${n}`;
      if (existsSync(from)) renameSync(from, `${file}.${n + 1}`);
    }
    out = createWriteStream(file, { flags: 'a' });
    size = 0;
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (size + chunk.length > LARGEST) rotate();
      size += chunk.length;
      out.write(chunk, done);
    },
    final(done) {
      out.end(done);
    },
  });
}
