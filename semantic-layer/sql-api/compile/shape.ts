import { refused } from '../errors.ts';
import { INSENSITIVE, isAggregate, measureOf, WEIGHTED } from './aggregates.ts';
import { type Node, names, walk } from './ast.ts';
import type { Env } from './env.ts';
import { type Governed, ROW_VALUES, type Slot, slotName } from './governed.ts';
import type { Member, Model } from './relation.ts';
import { timeTerm } from './times.ts';

type Call = Extract<Node, { FuncCall: unknown }>;

export interface Block {
  readonly targets: readonly Node[];
  readonly groups: readonly Node[];
  readonly groupingSets: boolean;
  readonly residual: readonly Node[];
  readonly having: Node | undefined;
  readonly order: readonly Node[];
  readonly distinct: boolean;
  readonly grouped: boolean;
}

/** Aggregate calls of a SELECT itself: not those of its sub-queries, nor window functions. */
export function aggregatesIn(nodes: readonly (Node | undefined)[]): Call[] {
  const found: Call[] = [];
  walk(
    nodes.filter((node) => node !== undefined),
    (tag, body) => {
      if (tag === 'SubLink' || tag === 'SelectStmt') return false;
      if (tag !== 'FuncCall') return true;
      const call = { FuncCall: body } as Call;
      if (call.FuncCall.over || !isAggregate(names(call.FuncCall.funcname).at(-1) ?? '')) return true;
      found.push(call);
      return false;
    },
  );
  return found;
}

/**
 * Decides how the one cube or view of a FROM is loaded for a SELECT. Grouped by the warehouse where the
 * groups, or finer ones that add up to them, are enough; else row by row. Errors: 0A000 where a measure
 * does not add up and has no value for a row.
 */
export function shapeOf(block: Block, governed: Governed, env: Env, model: Model): void {
  const grain = new Grain(governed, env);
  if (!block.grouped) {
    if (!block.distinct || !distinctGrain(block, grain)) return;
    governed.groupAt(true, grain.slots);
    return;
  }
  for (const group of block.groups) grain.add(group);
  const wholeGroups = block.groups.every((group) => grain.isSlot(group)) && !block.groupingSets;
  const own = grain.slots.length;
  for (const node of block.residual) grain.add(node);
  grain.addCorrelated([...block.targets, block.having, ...block.order]);
  const calls = aggregatesIn([...block.targets, block.having, ...block.order]);
  let needsRows = false;
  let overDimensions = false;
  const measures: { member: Member; call: Call }[] = [];
  for (const call of calls) {
    const measure = measureOf(call, env);
    if (call.FuncCall.agg_filter) grain.add(call.FuncCall.agg_filter);
    if (measure) {
      measures.push({ member: measure.member, call });
      continue;
    }
    const { funcname, args = [], agg_distinct: distinct } = call.FuncCall;
    const name = names(funcname).at(-1)!;
    const plain = countsRows(call);
    if (!plain) overDimensions = true;
    const once = INSENSITIVE.has(name) || distinct === true;
    if (!once && (!WEIGHTED.has(name) || !governed.relation.count)) needsRows = true;
    if (!once && !plain && governed.relation.view) throw multiplied(name, governed);
    if (call.FuncCall.agg_order) needsRows = true;
    for (const arg of args) grain.add(arg);
  }
  const filtered = calls.some((call) => call.FuncCall.agg_filter);
  const direct = wholeGroups && grain.slots.length === own && !overDimensions && !filtered && !needsRows;
  const members = measures.map(({ member }) => member);
  if (!direct) {
    const stubborn = members.find(
      (member) => member.additive === null || !addsUp(member, grain.slots, governed, model),
    );
    if (stubborn || needsRows) {
      const lost = members.find(
        (member) => governed.relation.view || !ROW_VALUES.has(member.aggregate ?? ''),
      );
      if (lost) throw notAdditive(lost, governed, grain);
      return;
    }
    if (
      governed.relation.view &&
      governed.relation.count &&
      calls.some(countsRows) &&
      !addsUp(governed.relation.count, grain.slots, governed, model)
    )
      throw notAdditive(governed.relation.count, governed, grain);
  }
  governed.groupAt(direct, grain.slots);
}

/** COUNT(*), COUNT(1), SUM(1). */
const countsRows = ({ FuncCall: { agg_star: star, args = [] } }: Call): boolean =>
  star === true || (args.length > 0 && args.every((arg) => 'A_Const' in arg));

const multiplied = (name: string, { relation }: Governed): Error =>
  refused(
    `${name.toUpperCase()} of a dimension of the view "${relation.name}" depends on how its joins multiply rows.`,
    `Use a measure, or COUNT(DISTINCT ...): SELECT MEASURE(${[...relation.members.values()].find((one) => one.kind === 'measure')?.column ?? 'count'}) FROM ${relation.name}`,
  );

function notAdditive(member: Member, { relation }: Governed, grain: Grain): Error {
  const keys = grain.slots.map((slot) =>
    slot.granularity === null
      ? slot.member.column
      : `date_trunc('${slot.granularity}', ${slot.member.column})`,
  );
  return refused(
    `The measure "${member.column}" cannot be put together from finer groups, which this statement needs.`,
    `Group by what is computed or filtered on: SELECT ${[...keys, `MEASURE(${member.column})`].join(', ')} FROM ${relation.name}${keys.length > 0 ? ` GROUP BY ${keys.map((_, at) => at + 1).join(', ')}` : ''}`,
  );
}

/** Whether no join of a view can put one row of the measure's cube into several groups. */
const addsUp = (member: Member, grain: readonly Slot[], { relation }: Governed, model: Model): boolean =>
  !relation.view || grain.every((slot) => model.single(member.home, slot.member.home));

function distinctGrain(block: Block, grain: Grain): boolean {
  for (const target of block.targets) grain.add(target);
  for (const node of [...block.residual, ...block.order]) grain.add(node);
  let windows = false;
  walk(block.targets, (tag, body) => {
    if (tag === 'FuncCall' && body.over) windows = true;
    return true;
  });
  return !windows && !grain.touchesMeasures && grain.slots.length > 0;
}

/** What a SELECT's rows have to be told apart by. */
class Grain {
  readonly #slots = new Map<string, Slot>();
  readonly #governed: Governed;
  readonly #env: Env;
  touchesMeasures = false;

  constructor(governed: Governed, env: Env) {
    this.#governed = governed;
    this.#env = env;
  }
  get slots(): readonly Slot[] {
    return [...this.#slots.values()];
  }
  #take(slot: Slot): void {
    this.#slots.set(slotName(slot), slot);
  }
  /** The node is one slot as it stands. */
  isSlot(node: Node): boolean {
    if ('ColumnRef' in node || timeTerm(node, this.#env)?.whole === true) return true;
    // A cut time cast to a date or timestamp tells the same groups apart, if it is cut no finer than that.
    if (!('TypeCast' in node) || !node.TypeCast.arg) return false;
    const to = names(node.TypeCast.typeName?.names).at(-1) ?? '';
    const term = timeTerm(node.TypeCast.arg, this.#env);
    if (!term?.whole) return false;
    return /^timestamp(tz)?$/.test(to) || (to === 'date' && !/^(second|minute|hour)$/.test(term.granularity));
  }
  /** All dimensions below a node, times as coarse as the node uses them. */
  add(node: Node): void {
    const term = 'FuncCall' in node || 'TypeCast' in node ? timeTerm(node, this.#env) : null;
    if (term?.governed === this.#governed) {
      this.#take({ member: term.member, granularity: term.granularity });
      return;
    }
    if ('ColumnRef' in node) {
      this.#column(names(node.ColumnRef.fields));
      return;
    }
    for (const below of children(node)) this.add(below);
  }
  #column(path: readonly string[]): void {
    const [source] = this.#env.scope.sources;
    if (path.length > 1 && path.at(-2) !== source!.alias) return;
    const member = this.#governed.relation.members.get(path.at(-1)!);
    if (member?.kind === 'measure') this.touchesMeasures = true;
    if (member?.kind === 'dimension') this.#take({ member, granularity: null });
  }
  /** Sub-queries may name outer columns; a name that could be one counts as one. */
  addCorrelated(nodes: readonly (Node | undefined)[]): void {
    walk(
      nodes.filter((node) => node !== undefined),
      (tag, body) => {
        if (tag !== 'SubLink') return true;
        this.add({ SubLink: body } as Node);
        return false;
      },
    );
  }
}

/** Nodes right below, whatever holds them. */
function children(value: unknown): Node[] {
  const found: Node[] = [];
  const collect = (below: unknown): void => {
    if (Array.isArray(below)) for (const one of below) collect(one);
    else if (typeof below === 'object' && below !== null) {
      const keys = Object.keys(below);
      if (keys.length === 1 && /^[A-Z]/.test(keys[0]!)) found.push(below as Node);
      else for (const one of Object.values(below)) collect(one);
    }
  };
  for (const body of Object.values(value as object))
    for (const below of Object.values((body ?? {}) as object)) collect(below);
  return found;
}
