import { Writable } from 'node:stream';
import pino from 'pino';
import { expect, test } from 'vitest';
import { RequestLog } from './request-log.ts';

test('a request that says nothing has no log of its own; one that does says whose it is, at each level', () => {
  const lines: Record<string, unknown>[] = [];
  const parent = pino(
    { level: 'info' },
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(JSON.parse(chunk.toString()));
        done();
      },
    }),
  );
  let made = 0;
  parent.onChild = () => {
    made += 1;
  };
  const log = new RequestLog(parent, { reqId: 'r1' });
  expect(log.level).toBe('info');
  expect(made).toBe(0);
  log.warn({ code: 'X' }, 'odd');
  log.error('worse');
  log.debug('unheard');
  log.child({ part: 'p' }).info('inside');
  expect(made).toBe(2);
  expect(lines).toMatchObject([
    { level: 40, reqId: 'r1', code: 'X', msg: 'odd' },
    { level: 50, reqId: 'r1', msg: 'worse' },
    { level: 30, reqId: 'r1', part: 'p', msg: 'inside' },
  ]);
});
