export { Decoder, formatLsn, parseLsn, type Relation } from './pgoutput/index.ts';
export { openReplication, type ReplicationStream } from './replication/index.ts';
