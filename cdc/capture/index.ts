export { createCapture } from './capture.ts';
export {
  addSource,
  type EngineSetup,
  type NewSource,
  pauseSource,
  removeSource,
  resnapshotSource,
  resumeSource,
} from './sources.ts';
export type { Capture, CaptureOptions, CaptureStats, SourceStats } from './types.ts';
