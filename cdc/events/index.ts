export { Arena } from './arena.ts';
export { type EncoderOptions, TableEncoder, TransactionBlock } from './encoder.ts';
