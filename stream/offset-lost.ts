import { HubError } from '#kernel';

/** The consumer's position fell behind retention: what was deleted is gone, and that is said. */
export const offsetLost = (topic: string, partition: number, from: number, start: number): HubError =>
  new HubError(
    'LOG_OFFSET_LOST',
    `Records ${from} to ${start - 1} of ${topic} partition ${partition} were deleted by retention before they were consumed.`,
    { next: 'Raise the retention of the topic and load the affected data again.', details: { from, start } },
  );
