import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AppRegistry } from '#apps';
import {
  addSource,
  type EngineSetup,
  pauseSource,
  removeSource,
  resnapshotSource,
  resumeSource,
  scheduleSource,
  verifyTables,
} from '#cdc';
import { discardDeadLetters, replayDeadLetters } from '#clickhouse';
import { usesKafka } from '#kernel';
import { appsService, openApps, openRegistry } from '../apps/index.ts';
import { createHttpServer, type HubServices } from '../http/index.ts';
import { openSemantic } from '../semantic/index.ts';
import { startSql } from '../sql/index.ts';
import { readHubFile } from '../state/index.ts';
import type { Role, RoleContext } from './context.ts';
import { counter, gauge } from './figures.ts';

const WEB_ROOT = fileURLToPath(new URL('../../dashboards/web/dist', import.meta.url));

/** Serves the web page, the HTTP API and the metrics. */
export async function runApi(context: RoleContext): Promise<Role> {
  const { settings } = context;
  const registry = openRegistry({ ...context, postgresUrl: settings.postgresUrl });
  const cacheDir = join(settings.stateRoot, 'cache');
  const semantic = await openSemantic({
    ...context,
    apps: () => apps?.apps() ?? [],
    limits: settings.config.semantic,
    cacheDir,
  });
  const apps = await openApps({
    ...context,
    postgresUrl: settings.postgresUrl,
    url: settings.config.apps.url,
    onChange: () => void semantic.reload(),
  });
  const sql = await startSql({ ...context, config: settings.config.sql, layer: semantic, cacheDir });
  const server = createHttpServer({
    ...context,
    config: settings.config,
    version: settings.version,
    services: services(context, registry),
    ...(apps ? { apps } : {}),
    semantic,
    sql,
    webRoot: WEB_ROOT,
    sessionSecret: settings.sessionSecret,
    sealSecrets: settings.sealSecrets,
    addresses: () => readHubFile(settings.stateRoot)?.addresses ?? {},
  });
  const { port } = await server.listen();
  // Beside the start: what a crash has interrupted is gone on with, an upgrade is followed.
  const settled = registry.settle();
  semantic.warmUp();
  return {
    facts: { port, sqlPort: sql.port },
    stats: () => ({
      ...(apps ? { appsRevision: apps.revision() } : {}),
      semantic: { ...semantic.status(), rollups: semantic.rollups.figures(), kept: semantic.rollups.kept() },
      sqlConnections: sql.connections,
    }),
    figures: () => {
      const { answers, fallbacks, differences, failing } = semantic.rollups.figures();
      return [
        counter('bac_rollup_answers_total', 'Questions answered from roll-ups', answers),
        counter('bac_rollup_fallbacks_total', 'Questions asked raw because a roll-up failed', fallbacks),
        counter(
          'bac_rollup_differences_total',
          'Answers of roll-ups that were not the raw ones',
          differences,
        ),
        gauge('bac_rollups_failing', 'Roll-ups whose last refresh failed', failing),
      ];
    },
    async stop() {
      await sql.close();
      await server.close();
      await semantic.close();
      await registry.close();
      await settled;
      await apps?.close();
    },
  };
}

function services({ pool, log, registry, warehouse, settings }: RoleContext, apps: AppRegistry): HubServices {
  const { connect, log: logSettings } = settings.config;
  const setup: EngineSetup = { connect, log: usesKafka(logSettings) ? 'kafka' : 'embedded' };
  return {
    apps: appsService(pool, apps),
    sources: {
      add: (source) => addSource(pool, log, source, setup),
      pause: (name) => pauseSource(pool, log, name),
      resume: (name) => resumeSource(pool, log, name),
      remove: (name, options) => removeSource(pool, log, name, options),
      resnapshot: (name, tables) => resnapshotSource(pool, log, name, tables),
      schedule: (name, verify) => scheduleSource(pool, name, verify),
    },
    verify: (request, onProgress, signal) =>
      verifyTables({ pool, registry, warehouse, log, ...request, onProgress, signal }),
    deadLetters: {
      replay: (choice) => replayDeadLetters(pool, log, choice),
      discard: (choice) => discardDeadLetters(pool, choice),
    },
  };
}
