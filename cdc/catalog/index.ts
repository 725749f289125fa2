export { type Alignment, alignRelation } from './align.ts';
export { connectSource, currentUrl, hostCount, isHostTrouble, pooledClient, withPorts } from './endpoints.ts';
export { type Attribute, type CatalogTable, type IntrospectOptions, introspectTables } from './introspect.ts';
export type { Reason } from './keys.ts';
export { connectionError, preflight, type SourceFacts } from './preflight.ts';
export { profileOf, SESSION_SETTINGS, type SourceKind, type SourceProfile, sessionSql } from './profile.ts';
