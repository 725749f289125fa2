export { type EmbeddedLogOptions, openEmbeddedLog } from './embedded/index.ts';
