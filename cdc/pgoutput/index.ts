export { Decoder, malformed, textAt } from './decoder.ts';
export { formatLsn, lsnOf, parseLsn } from './lsn.ts';
export * from './messages.ts';
