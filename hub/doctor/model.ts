import type { Status } from '../status/index.ts';
import type { Check } from './types.ts';

/** Each thing that is wrong with the semantic model, with file, line and next step; or that nothing is. */
export function checkModels(model: Status['model']): Check[] {
  const wrong = model.flatMap(({ problems }) =>
    problems.map(({ message, next }): Check => ({ type: 'check', name: 'model', ok: false, message, next })),
  );
  if (wrong.length > 0) return wrong;
  const folders = model.map(({ folder, files }) => `${folder} with ${files} files`);
  const own = folders.length === 0 ? 'no folder of its own (semantic.modelDir)' : folders.join(', ');
  return [{ type: 'check', name: 'model', ok: true, message: own }];
}
