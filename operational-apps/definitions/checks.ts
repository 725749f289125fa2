import type { YamlPath, YamlSource } from '#kernel';
import { checkBehaviour } from './check-behaviour.ts';
import { checkChildPermissions } from './check-child-permissions.ts';
import { effectCircles } from './check-circles.ts';
import { checkFields } from './check-fields.ts';
import { predicateCircles } from './check-predicates.ts';
import { rollUpCircles } from './check-roll-ups.ts';
import { checkStates } from './check-states.ts';
import { hint } from './hint.ts';
import {
  AMENDED_FROM,
  type App,
  columnsOf,
  type EntityModel,
  NUMBERING_TABLE,
  resolvePath,
  SYSTEM_COLUMNS,
} from './model.ts';
import type { Problem, Report } from './problems.ts';
import { BUILT_IN_ROLES } from './schema/permissions.ts';

export interface Checked {
  readonly app: App;
  readonly source: YamlSource;
}

const RESERVED_APPS = new Set(['bac', 'public', 'information_schema', 'default', 'system']);
const SEARCHABLE = new Set(['text', 'email', 'phone', 'url', 'richText', 'select']);

/** Everything the schema alone cannot see: names that meet, references, cycles, states, expressions. */
export function crossChecks(checked: readonly Checked[]): Problem[] {
  const problems: Problem[] = [];
  const apps = new Map<string, App>();
  for (const { app, source } of checked) {
    const other = apps.get(app.name);
    if (other)
      problems.push(source.problem(['app', 'name'], `app \`${app.name}\` is also defined in ${other.file}`));
    else if (RESERVED_APPS.has(app.name) || app.name.startsWith('pg_'))
      problems.push(source.problem(['app', 'name'], `\`${app.name}\` is reserved`));
    apps.set(app.name, app);
  }
  const roles = knownRoles(checked);
  for (const { app, source } of checked) {
    for (const [name, included] of app.roles.flatMap((one) =>
      one.includes.map((to) => [one.name, to] as const),
    ))
      if (!roles.includes(included))
        problems.push(
          source.problem(['roles', name, 'includes'], `unknown role \`${included}\`${hint(included, roles)}`),
        );
    for (const entity of app.entities) {
      const report: Report = (path, message, at) =>
        problems.push(source.problem(['entities', entity.name, ...path], message, at));
      checkEntity(entity, app, report);
      checkColumns(entity, report);
      checkFields(entity, app, apps, report);
      checkStates(entity, report);
      checkBehaviour(entity, apps, roles, report);
      checkChildPermissions(entity, source, report);
    }
  }
  const at = (app: App, entity: EntityModel, path: YamlPath, message: string): void => {
    const { source } = checked.find((one) => one.app === app)!;
    problems.push(source.problem(['entities', entity.name, ...path], message));
  };
  for (const { app, entity, rule, circle } of predicateCircles(apps))
    at(
      app,
      entity,
      ['permissions', rule, 'where'],
      `row predicates go in a circle, so that the database could never answer: ${circle.join(' -> ')}`,
    );
  for (const { app, entity, field, circle } of rollUpCircles(apps))
    at(
      app,
      entity,
      ['fields', field, 'computed'],
      `roll-ups go in a circle, so that they would never come to an end: ${circle.join(' -> ')}`,
    );
  for (const { app, entity, path, circle } of effectCircles(apps))
    at(app, entity, path, `sets itself off again without end: ${circle.join(' -> ')}`);
  problems.push(...requiredCycles(checked, apps));
  return problems;
}

/** Roles of all apps; none where no app declares any, and then every name is taken as it is. */
function knownRoles(checked: readonly Checked[]): string[] {
  const declared = checked.flatMap(({ app }) => app.roles.map((one) => one.name));
  return declared.length === 0 ? [] : [...BUILT_IN_ROLES, ...new Set(declared)];
}

function checkEntity(entity: EntityModel, app: App, report: Report): void {
  const names = entity.fields.map((field) => field.name);
  if (entity.name === NUMBERING_TABLE) report([], `\`${NUMBERING_TABLE}\` is reserved`, 'key');
  const own = [
    ...names,
    ...(entity.states ? [entity.states.field] : []),
    ...(entity.numbering ? [entity.numbering.field] : []),
  ];
  if (entity.titleField === null) {
    if (!entity.owner) report([], '`titleField` is missing: name the field that stands for a row', 'key');
  } else if (!own.includes(entity.titleField)) {
    report(['titleField'], `unknown field \`${entity.titleField}\`${hint(entity.titleField, own)}`);
  }
  for (const [index, wanted] of entity.searchFields.entries()) {
    const field = entity.fields.find((one) => one.name === wanted);
    if (entity.numbering?.field === wanted) continue;
    if (!field) report(['searchFields', index], `unknown field \`${wanted}\`${hint(wanted, names)}`);
    else if (!SEARCHABLE.has(field.type))
      report(
        ['searchFields', index],
        `\`${wanted}\` is of type ${field.type}, which cannot be searched as text`,
      );
  }
  for (const [index, group] of entity.unique.entries())
    for (const [at, wanted] of group.entries())
      if (!names.includes(wanted))
        report(['unique', index, at], `unknown field \`${wanted}\`${hint(wanted, names)}`);
  if (entity.renamedFrom && app.entities.some((one) => one.name === entity.renamedFrom))
    report(['renamedFrom'], `\`${entity.renamedFrom}\` is still an entity of this app`);
}

/** No two things of an entity may need the same column. */
function checkColumns(entity: EntityModel, report: Report): void {
  const taken = new Map<string, string>(SYSTEM_COLUMNS.map((column) => [column, 'a column every table has']));
  const take = (column: string, owner: string, path: YamlPath): void => {
    const before = taken.get(column);
    if (before) report(path, `needs column \`${column}\`, which is already ${before}`, 'key');
    else taken.set(column, owner);
  };
  if (entity.owner) {
    taken.set(`${entity.owner.entity}_id`, 'the column of its parent');
    taken.set('position', 'the column of its place in the parent');
  }
  for (const field of entity.fields)
    for (const column of columnsOf(field))
      take(column, `the column of field \`${field.name}\``, ['fields', field.name]);
  if (entity.submittable) take(AMENDED_FROM, 'the column of what it amends', ['submittable']);
  if (entity.numbering) take(entity.numbering.field, 'the column of the number', ['numbering']);
  if (entity.states) take(entity.states.field, 'the column of the state', ['states']);
}

/** Rows that each need the other first could never be made. */
function requiredCycles(checked: readonly Checked[], apps: ReadonlyMap<string, App>): Problem[] {
  const edges = new Map<
    string,
    { to: string; app: App; source: YamlSource; path: YamlPath; child: boolean }[]
  >();
  for (const { app, source } of checked) {
    for (const entity of app.entities) {
      const list = entity.fields.flatMap((field) => {
        const path = ['entities', entity.name, 'fields', field.name];
        if (field.type === 'reference' && field.required) {
          const { app: toApp, entity: to } = resolvePath(app.name, field.entity);
          return [{ to: `${toApp}.${to}`, app, source, path, child: false }];
        }
        return [];
      });
      if (entity.owner)
        list.push({
          to: `${app.name}.${entity.owner.entity}`,
          app,
          source,
          path: ['entities', entity.owner.entity, 'fields', entity.owner.field],
          child: true,
        });
      edges.set(`${app.name}.${entity.name}`, list);
    }
  }
  const problems: Problem[] = [];
  const done = new Set<string>();
  const visit = (at: string, trail: readonly string[]): void => {
    if (done.has(at)) return;
    for (const edge of edges.get(at) ?? []) {
      const start = [...trail, at].indexOf(edge.to);
      if (start >= 0) {
        const cycle = [...[...trail, at].slice(start), edge.to];
        const what = edge.child ? 'child tables go in a circle' : 'required references go in a circle';
        problems.push(
          edge.source.problem(
            edge.path,
            `${what}, so no row could ever be made: ${cycle.join(' -> ')}`,
            'key',
          ),
        );
      } else if (apps.has(edge.to.split('.')[0]!)) visit(edge.to, [...trail, at]);
    }
    done.add(at);
  };
  for (const start of edges.keys()) visit(start, []);
  return problems;
}
