export { sourceError } from './errors.ts';
export { Frames } from './frames.ts';
export { openReplication, type ReplicationOptions, type ReplicationStream } from './stream.ts';
