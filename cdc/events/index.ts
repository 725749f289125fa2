export { Arena } from './arena.ts';
export { type EncoderOptions, type Place, TableEncoder, TransactionBlock } from './encoder.ts';
