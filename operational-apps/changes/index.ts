export {
  type ChangeFeed,
  type ChangeFeedOptions,
  createChangeFeed,
  MAX_WAITING,
  type RecordChange,
} from './feed.ts';
