export { checkConnector, connectClientOf } from './connector.ts';
export { type DebeziumOptions, parseDebeziumOptions } from './options.ts';
export { heartbeatTopicOf } from './render.ts';
export { attendDebezium, connectorOf } from './session.ts';
