import { existsSync, type FSWatcher, watch } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import { type HubError, type Logger, type ModelFile, toHubError } from '#kernel';
import { readModelFiles, readModelTests } from '#semantic';

/** Editors write a file in several steps, and folders are exchanged by several renames. */
const SETTLE_MS = 50;

export interface FolderContent {
  readonly files: readonly ModelFile[];
  readonly tests: readonly ModelFile[];
  /** It could not be read. */
  readonly error: HubError | null;
}

export interface ModelFolder {
  content(): FolderContent;
  /** Reads it again now. */
  look(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A folder of model files, read again when something in it changes: by the system's own events, also where the folder
 * is made later, or is a link (or holds links) that is pointed to another version. `onChange` is told of other content.
 */
export async function openModelFolder(
  folder: string,
  { logger, onChange }: { readonly logger: Logger; readonly onChange: () => void },
): Promise<ModelFolder> {
  let content: FolderContent = { files: [], tests: [], error: null };
  let watchers: FSWatcher[] = [];
  let settle: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let closed = false;

  const changed = (): void => {
    clearTimeout(settle);
    if (!closed) settle = setTimeout(() => void look(), SETTLE_MS);
  };
  const watched = (path: string): FSWatcher[] => {
    // Of a folder above only the next one on the way is of concern.
    const next = path === folder ? null : relative(path, folder).split(sep)[0]!;
    try {
      const watcher = watch(path, { persistent: false }, (_, name) => {
        if (next === null || name === null || name === next) changed();
      });
      watcher.on('error', changed);
      return [watcher];
    } catch (thrown) {
      logger.warn(
        { folder: path, err: toHubError(thrown) },
        'changes of the model folder are seen only by `bac model check`',
      );
      return [];
    }
  };
  const arm = (): void => {
    for (const watcher of watchers) watcher.close();
    let above = dirname(folder);
    while (!existsSync(above)) above = dirname(above);
    watchers = [...(existsSync(folder) ? watched(folder) : []), ...watched(above)];
  };

  const read = async (): Promise<FolderContent> => {
    try {
      const [files, tests] = await Promise.all([readModelFiles(folder), readModelTests(folder)]);
      return { files, tests, error: null };
    } catch (thrown) {
      return { files: [], tests: [], error: toHubError(thrown) };
    }
  };
  const look = (): Promise<void> => {
    looking = looking.then(async () => {
      if (closed) return;
      // Before it is read: what changes from now on is seen.
      arm();
      const next = await read();
      if (same(next, content)) return;
      content = next;
      onChange();
    });
    return looking;
  };

  arm();
  content = await read();
  return {
    content: () => content,
    look,
    async close() {
      closed = true;
      clearTimeout(settle);
      for (const watcher of watchers) watcher.close();
      await looking;
    },
  };
}

const same = (a: FolderContent, b: FolderContent): boolean =>
  JSON.stringify([a.files, a.tests, a.error]) === JSON.stringify([b.files, b.tests, b.error]);
