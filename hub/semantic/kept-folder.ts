import type { Pool } from 'pg';
import { z } from 'zod';
import { type Logger, type ModelFile, toHubError } from '#kernel';

const filesSchema = z.array(z.object({ fileName: z.string(), content: z.string() }));

/** A state of the model folder that was in force. */
export interface KeptState {
  readonly files: readonly ModelFile[];
  readonly since: string;
}

/** The last state of a model folder that was in force, kept for the processes that come after this one. */
export interface KeptFolder {
  /** Null: there is none, or it cannot be read. */
  load(): Promise<KeptState | null>;
  /** A failure is logged: the state counts in this process all the same. */
  save(state: KeptState): Promise<void>;
}

export function keptFolder(pool: Pool, folder: string, logger: Logger): KeptFolder {
  const failed = (thrown: unknown): null => {
    logger.warn({ folder, err: toHubError(thrown) }, 'the last good state of the model folder is not kept');
    return null;
  };
  return {
    async load() {
      try {
        const { rows } = await pool.query<{ files: unknown; since: Date }>(
          'SELECT files, since FROM bac.model_folders WHERE folder = $1',
          [folder],
        );
        const row = rows[0];
        return row ? { files: filesSchema.parse(row.files), since: row.since.toISOString() } : null;
      } catch (thrown) {
        return failed(thrown);
      }
    },
    async save({ files, since }) {
      const content = files.map(({ fileName, content }) => ({ fileName, content }));
      await pool
        .query(
          `INSERT INTO bac.model_folders AS kept (folder, files, since) VALUES ($1, $2, $3)
           ON CONFLICT (folder) DO UPDATE SET files = excluded.files, since = excluded.since
           WHERE kept.files IS DISTINCT FROM excluded.files`,
          [folder, JSON.stringify(content), since],
        )
        .catch(failed);
    },
  };
}
