export { type EmbeddedLogOptions, openEmbeddedLog } from './log.ts';
