import type { Pool } from 'pg';
import { everythingProfile, HubError, type Logger, type ModelFile } from '#kernel';
import {
  type CubeLayer,
  checkModel,
  type Finding,
  type ModelInput,
  readModelFiles,
  readModelTests,
  SHIPPED_MODEL,
} from '#semantic';
import { type FolderContent, openModelFolder } from './folder.ts';
import { type KeptState, keptFolder } from './kept-folder.ts';

export interface FolderStatus {
  readonly folder: string;
  /** unread: nobody has asked for a metric yet. */
  readonly state: 'unread' | 'in force' | 'refused';
  /** YAML files of the newest state of the folder. */
  readonly files: number;
  /** Since when what is in force of it is; null: nothing of it is. */
  readonly since: string | null;
  /** Why the newest state is not in force, or what of it is left out. */
  readonly problems: readonly FolderProblem[];
}

export interface FolderProblem {
  /** With file and line, where they are known. */
  readonly message: string;
  readonly next: string;
}

export interface CuratedFiles {
  readonly files: readonly ModelFile[];
  readonly tests: readonly ModelFile[];
}

/** All files of a model, and the names of those that come with the product. */
export interface WholeModel extends CuratedFiles {
  readonly product: ReadonlySet<string>;
}

/** The curated part of the model: the product's own files, and over them those of the company's folder. */
export interface CuratedModel {
  /**
   * The files in force over these tables. The folder's newest state is looked at and taken up if it holds; else what
   * held before stays, also in an earlier process. `first`: no model is in use yet. Errors: what held before does not
   * over these tables.
   */
  inForce(base: Omit<ModelInput, 'curated'>, first: boolean): Promise<readonly ModelFile[]>;
  /** The newest state of the folder, or other files in its place, with those of the product; for a check. */
  newest(instead?: CuratedFiles): Promise<WholeModel>;
  /** Null: no folder is configured. */
  status(): FolderStatus | null;
  close(): Promise<void>;
}

export interface CuratedOptions {
  readonly pool: Pool;
  readonly folder: string | undefined;
  readonly logger: Logger;
  readonly compiles: CubeLayer['compiles'];
  readonly onChange: () => void;
}

interface Verdict {
  /** Stands in the way of any model. */
  readonly fatal: readonly Finding[];
  /** Of the company's files: what is left out, by what it is. */
  readonly leftOut: ReadonlyMap<string, Finding>;
}

export async function openCuratedModel(options: CuratedOptions): Promise<CuratedModel> {
  const { folder: path, logger, compiles } = options;
  const shipped = { files: await readModelFiles(SHIPPED_MODEL), tests: await readModelTests(SHIPPED_MODEL) };
  const folder =
    path === undefined ? null : await openModelFolder(path, { logger, onChange: options.onChange });
  const keeping = path === undefined ? null : keptFolder(options.pool, path, logger);
  let good: readonly ModelFile[] | null = null;
  let kept: Promise<KeptState | null> | null = null;
  let status: Omit<FolderStatus, 'folder' | 'files'> = { state: 'unread', since: null, problems: [] };

  const judge = async (
    base: Omit<ModelInput, 'curated'>,
    files: readonly ModelFile[],
    compile: boolean,
  ): Promise<Verdict> => {
    const model: ModelInput = { ...base, curated: over(shipped.files, files) };
    const { findings } = await checkModel({
      model,
      tests: [],
      load: null,
      compile: () => (compile ? compiles(everythingProfile(base.tables), model) : Promise.resolve()),
    });
    const own = new Set(files.map(({ fileName }) => fileName));
    const left = findings.filter(({ kind, at }) => isLess(kind) && own.has(at?.replace(/:\d+.*$/, '') ?? ''));
    return {
      fatal: findings.filter(({ kind }) => !isLess(kind)),
      leftOut: new Map(left.map((one) => [`${one.where} ${one.message}`, one])),
    };
  };

  const refuse = (problems: readonly FolderProblem[]): void => {
    status = { ...status, state: 'refused', problems };
    logger.error({ folder: path, problems }, 'the model folder is not taken up');
  };

  /** What an earlier process had in force, if it still holds and the folder is another by now. */
  const takeOver = async (base: Omit<ModelInput, 'curated'>, newest: FolderContent): Promise<void> => {
    const state = await kept;
    if (state === null || (newest.error === null && same(state.files, newest.files))) return;
    if ((await judge(base, state.files, true)).fatal.length > 0) return;
    good = state.files;
    status = { ...status, since: state.since };
  };

  const adopt = async (files: readonly ModelFile[], problems: readonly FolderProblem[]): Promise<void> => {
    const before = await kept;
    const since = before && same(before.files, files) ? before.since : new Date().toISOString();
    good = files;
    kept = Promise.resolve({ files, since });
    status = { state: 'in force', since, problems };
    logger.info({ folder: path, files: files.length, problems }, 'model folder in force');
    await keeping?.save({ files, since });
  };

  return {
    async inForce(base, first) {
      if (!folder) return shipped.files;
      const newest = folder.content();
      const { files, error } = newest;
      if (kept === null) {
        kept = keeping!.load();
        await takeOver(base, newest);
      }
      const before = good === null ? null : await judge(base, good, false);
      if (error) refuse([{ message: error.message, next: error.next ?? '' }]);
      else if (files === good) {
        status = { ...status, state: 'in force', problems: [...before!.leftOut.values()].map(problemOf) };
      } else {
        const verdict = await judge(base, files, true);
        // Left out from the beginning is what a table that is not captured yet would give; after an edit it is a slip.
        const lost = [...verdict.leftOut].flatMap(([key, one]) =>
          before === null || before.leftOut.has(key) ? [] : [one],
        );
        if (verdict.fatal.length + lost.length > 0) refuse([...verdict.fatal, ...lost].map(problemOf));
        else {
          await adopt(files, [...verdict.leftOut.values()].map(problemOf));
          return over(shipped.files, files);
        }
      }
      if (good === null) return shipped.files;
      if (before!.fatal.length === 0) return over(shipped.files, good);
      refuse(before!.fatal.map(problemOf));
      if (first) return shipped.files;
      throw new HubError('MODEL_INVALID', before!.fatal.map(problemOf)[0]!.message, { disposition: 'user' });
    },
    async newest(instead) {
      await folder?.look();
      const content = folder?.content();
      if (!instead && content?.error) throw content.error;
      const { files, tests } = instead ?? content ?? { files: [], tests: [] };
      const own = new Set([...files, ...tests].map(({ fileName }) => fileName));
      const product = [...shipped.files, ...shipped.tests].flatMap(({ fileName }) =>
        own.has(fileName) ? [] : fileName,
      );
      return {
        files: over(shipped.files, files),
        tests: over(shipped.tests, tests),
        product: new Set(product),
      };
    },
    status: () => folder && { folder: path!, files: folder.content().files.length, ...status },
    close: async () => folder?.close(),
  };
}

const same = (a: readonly ModelFile[], b: readonly ModelFile[]): boolean =>
  JSON.stringify(a.map(({ fileName, content }) => [fileName, content])) ===
  JSON.stringify(b.map(({ fileName, content }) => [fileName, content]));

const isLess = (kind: Finding['kind']): boolean => kind === 'orphan' || kind === 'rollup';

/** A file takes the place of the product's of the same name. */
function over(shipped: readonly ModelFile[], own: readonly ModelFile[]): ModelFile[] {
  const names = new Set(own.map(({ fileName }) => fileName));
  return [...shipped.filter(({ fileName }) => !names.has(fileName)), ...own];
}

const NEXT =
  'Mend the file: it is taken up as soon as it is saved. `bac model check` says all that is wrong.';

const problemOf = ({ kind, where, at, message, hint }: Finding): FolderProblem => ({
  message: `${at ?? where}: ${kind === 'orphan' || kind === 'rollup' ? `${where} ` : ''}${message}`,
  next: hint === undefined ? NEXT : `${hint} ${NEXT}`,
});
