export { type ConnectClient, type ConnectorStatus, createConnectClient } from './connect-client.ts';
export { type Overrides, overridesSchema, parseOverrides } from './options.ts';
export { connectorNameOf, debeziumTopicOf, hideSecrets, renderConnector } from './render.ts';
