import { userError } from '#kernel';
import type { AppFile } from '../definitions/index.ts';
import type { AppVersion } from './types.ts';

/**
 * The definition before the last apply. After an apply that failed it is the one in force; a version that
 * was itself brought back counts as what it brought back, so that rolling back again goes further back.
 * Errors: ROLLBACK_NOTHING (user).
 */
export function rollbackTarget(
  app: string,
  versions: readonly AppVersion[],
): { readonly file: AppFile; readonly restores: number } {
  const current = versions.find(({ state }) => state === 'applied');
  const [newest] = versions;
  const base = current && (current.restores ?? current.version);
  const target =
    newest?.state === 'failed'
      ? current
      : versions.find(({ state, version }) => state === 'applied' && version < (base ?? 0));
  if (!target)
    throw userError(
      'ROLLBACK_NOTHING',
      current
        ? `Version ${base} of ${app}, which is in force, is the first one.`
        : `No definition of ${app} was ever in force.`,
      'Apply another definition instead.',
    );
  return {
    file: { file: target.file, content: target.yaml },
    restores: target.restores ?? target.version,
  };
}
