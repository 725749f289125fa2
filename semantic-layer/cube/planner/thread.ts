import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { type AccessProfile, type ModelFile, toHubError } from '#kernel';
import { generateModel } from '../../generate/index.ts';
import { graphqlOf } from '../graphql.ts';
import {
  type AdapterAnswer,
  type CubeContext,
  cubeInstalled,
  type ErrorMessage,
  loadCube,
} from '../library.ts';
import { relativeRanges } from '../ranges.ts';
import { Translations } from '../translations.ts';
import type { CallName, Calls, Failure, FromThread, ModelMatter, ThreadSetup, ToThread } from './calls.ts';
import { planningGateway, planOf } from './planning.ts';

/**
 * Cube in a thread of its own: loading it, compiling models and planning take the processor for as long as they take,
 * and the thread that answers requests must not wait for that.
 */

const port = parentPort!;
const say = (message: FromThread): void => port.postMessage(message);

const { cacheDir } = workerData as ThreadSetup;
const translations = new Translations(
  cacheDir === null ? null : join(cacheDir, `translations-${cubeInstalled().version}.json.gz`),
  (error) => say({ log: 'translations are not kept', error: String(error) }),
);
const library = loadCube(translations);
const files = new Map<string, readonly ModelFile[]>();
const running = new Map<number, PromiseWithResolvers<AdapterAnswer>>();
let runs = 0;

const core = library.createCore({
  filesOf: (model) => files.get(model) ?? [],
  adapterOf: ({ requestId: request }) => ({
    executeQuery({ query, values, preAggregations = [] }) {
      runs += 1;
      const answer = Promise.withResolvers<AdapterAnswer>();
      running.set(runs, answer);
      say({ run: runs, request, query: { query, values, preAggregations } });
      return answer.promise;
    },
  }),
  log(message, { error }) {
    if (error !== undefined) say({ log: message, error: String(error).slice(0, 2000) });
  },
});
const gateway = planningGateway(core);

const contextOf = (model: string, requestId: string): CubeContext => ({
  securityContext: { model },
  requestId,
});

function resolve(text: string, timezone: string): string {
  try {
    return JSON.stringify(library.resolveDateRange(text, timezone));
  } catch {
    return 'unreadable'; // Cube says what is wrong with it
  }
}

const filesOf = (matter: ModelMatter): readonly ModelFile[] =>
  'files' in matter
    ? matter.files
    : generateModel(matter.input, { ...matter.profile, params: () => ({}) } as AccessProfile);

function hashOf(all: readonly ModelFile[]): string {
  const hash = createHash('sha256');
  for (const { fileName, content } of all) hash.update(`${fileName}\0${content}\0`);
  return hash.digest('hex').slice(0, 16);
}

function forget(model: string): null {
  files.delete(model);
  core.compilerCache.delete(model);
  return null;
}

type Answering = {
  readonly [Name in CallName]: (
    ...args: Parameters<Calls[Name]>
  ) => ReturnType<Calls[Name]> | Promise<ReturnType<Calls[Name]>>;
};

let requests = 0;
const nextContext = (model: string): CubeContext => {
  requests += 1;
  return contextOf(model, `${requests}`);
};

const answering: Answering = {
  async compile(owner, matter, known) {
    const made = filesOf(matter);
    const version = hashOf(made);
    if (version === known) return null;
    const key = `${owner} ${version}`;
    files.set(key, made);
    try {
      const api = await core.getCompilerApi(nextContext(key));
      await api.getCompilers();
    } catch (thrown) {
      forget(key);
      throw thrown;
    }
    return { version, key };
  },
  forget,
  async plan(model, query, queryType) {
    const ranges = relativeRanges(query, resolve);
    const plan = await planOf(gateway, nextContext(model), query, queryType);
    return JSON.stringify('refused' in plan ? plan : { ...plan, ranges });
  },
  async ask(model, what, query) {
    const answer = Promise.withResolvers<{ message: ErrorMessage; status: number }>();
    const res = (message: ErrorMessage, { status = 200 } = {}): void => answer.resolve({ message, status });
    const context = nextContext(model);
    if (what === 'meta') await gateway.meta({ context, res, includeCompilerId: true });
    else await gateway[what]({ query, context, res });
    return JSON.parse(JSON.stringify(await answer.promise)) as Awaited<typeof answer.promise>;
  },
  async graphql(model, request, question) {
    const answer = await graphqlOf(library, core, contextOf(model, request), question);
    return JSON.parse(JSON.stringify(answer)) as typeof answer;
  },
  resolve: (ranges) => ranges.map(({ text, timezone }) => resolve(text, timezone)),
};

const failureOf = (thrown: unknown): Failure => {
  const { code, message, next, disposition } = toHubError(thrown);
  return { code, message, next, disposition };
};

port.on('message', (message: ToThread) => {
  if ('ran' in message) {
    const waiting = running.get(message.ran);
    running.delete(message.ran);
    if (message.answer) waiting?.resolve(message.answer);
    else waiting?.reject(new Error(message.failed));
    return;
  }
  const { id, call, args } = message;
  const work = answering[call] as (...given: readonly unknown[]) => unknown;
  Promise.resolve()
    .then(() => work(...args))
    .then(
      (result) => say({ id, result }),
      (thrown: unknown) => say({ id, failed: failureOf(thrown) }),
    );
});

say({ ready: { version: library.version, native: library.native } });
