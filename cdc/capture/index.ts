export { createCapture } from './capture.ts';
export { acquireLease } from './lease.ts';
export {
  addSource,
  captureAlso,
  type EngineSetup,
  type NewSource,
  pauseSource,
  removeSource,
  resnapshotSource,
  resumeSource,
  scheduleSource,
} from './sources.ts';
export type { Capture, CaptureOptions, CaptureStats, SourceStats } from './types.ts';
