import { afterEach, beforeEach, describe } from 'vitest';
import { crashTests } from './change-log/crash.ts';
import { deliveryTests } from './change-log/delivery.ts';
import { groupTests } from './change-log/groups.ts';
import { type ChangeLogUnderTest, killProcesses, type OpenChangeLog } from './change-log/harness.ts';
import { modelTests } from './change-log/model.ts';
import { topicTests } from './change-log/topics.ts';

export type { ChangeLogUnderTest, OpenChangeLog } from './change-log/harness.ts';

export interface ChangeLogContractOptions {
  /** Processes killed in the crash test. Default 8. */
  readonly crashes?: number;
  /** Random interleavings tried. Default 25. */
  readonly runs?: number;
}

/**
 * The promises of `kernel/ports/change-log.ts` as tests, to be called at the top of an adapter's test file.
 * `open` is called before every test and gives an empty log. The crash test prints its seed when it fails; set
 * SEED to run it again.
 */
export function changeLogContract(
  name: string,
  open: OpenChangeLog,
  options: ChangeLogContractOptions = {},
): void {
  describe(`change log contract: ${name}`, () => {
    let under: ChangeLogUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(async () => {
      await killProcesses();
      await under.stop();
    });
    const log = () => under.log;
    describe('topics', () => topicTests(log));
    describe('delivery', () => deliveryTests(log));
    describe('groups', () => groupTests(() => under));
    describe('model', () => modelTests(log, options.runs ?? 25));
    describe('crashes', () => crashTests(() => under, options.crashes ?? 8));
  });
}
