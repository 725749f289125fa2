import type { Pool } from 'pg';
import type { ChangeLog, Config, Registry, Warehouse } from '#kernel';
import type { Identity } from '../../identity/index.ts';
import type { StatusCollector } from '../../status/index.ts';
import type { HubServices } from '../services.ts';
import type { OpenStreams } from '../streams.ts';

/** What the routes stand on. */
export interface RouteContext {
  readonly config: Config;
  readonly pool: Pool;
  readonly registry: Registry;
  readonly log: ChangeLog;
  readonly warehouse: Warehouse;
  readonly services: HubServices;
  readonly collector: StatusCollector;
  readonly identity: Identity;
  readonly streams: OpenStreams;
}
