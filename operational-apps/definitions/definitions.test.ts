import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { HubError } from '#kernel';
import { loadApps, parseApps } from './load.ts';
import type { Problem } from './problems.ts';
import { appJsonSchema } from './schema/app.ts';

const HEAD = 'app: { name: shop, label: Shop }\nentities:\n';

function problemsOf(...contents: string[]): string[] {
  try {
    parseApps(contents.map((content, index) => ({ file: `${'abc'[index]}.yaml`, content })));
  } catch (error) {
    expect((error as HubError).code).toBe('APP_INVALID');
    expect((error as HubError).disposition).toBe('user');
    const problems = (error as HubError).details.problems as Problem[];
    return problems.map((one) => `${one.file}:${one.line}:${one.column} ${one.path}: ${one.message}`);
  }
  return [];
}

/** One entity `item` whose body (indented by four) is given; line 4 is its first. */
const item = (body: string): string => `${HEAD}  item:\n${body.replace(/^/gm, '    ')}\n`;
const fields = (body: string, more = ''): string =>
  item(`titleField: name\n${more}fields:\n  name: { type: text }\n${body.replace(/^/gm, '  ')}`);

const CASES: Readonly<Record<string, readonly [yaml: string, ...expected: string[]]>> = {
  'unknown field type': [
    fields('owner: { type: referense, entity: item }'),
    'a.yaml:7:22 entities.item.fields.owner.type: unknown field type `referense`, did you mean `reference`?',
  ],
  'field without a type': [
    fields('owner: { required: true }'),
    'a.yaml:7:7 entities.item.fields.owner: a field needs a type: text, email, phone, url, richText, integer, decimal, money, boolean, date, dateTime, select, multiSelect, address, json, file, reference, anyReference, childTable',
  ],
  'unknown key of a field': [
    fields('code: { type: text, requird: true }'),
    'a.yaml:7:27 entities.item.fields.code.requird: unknown key `requird`, did you mean `required`?',
  ],
  'unknown key of an entity': [
    item('titelField: name\nfields:\n  name: { type: text }'),
    'a.yaml:4:5 entities.item.titelField: unknown key `titelField`, did you mean `titleField`?',
  ],
  'unknown key at the top': [
    `${item('titleField: name\nfields:\n  name: { type: text }')}entitys: {}\n`,
    'a.yaml:7:1 entitys: unknown key `entitys`, did you mean `entities`?',
  ],
  'missing key': ['entities: {}\napp: { name: shop }\n', 'a.yaml:2:1 app: `label` is missing'],
  'wrong kind of value': [
    fields('code: { type: text, required: yes please }'),
    'a.yaml:7:37 entities.item.fields.code.required: must be true or false',
  ],
  'bad name': [
    fields('Code: { type: text }'),
    'a.yaml:7:7 entities.item.fields.Code: name `Code` must be a lower-case letter followed by up to 39 letters, digits or underscores',
  ],
  'name given twice': [
    fields('name: { type: integer }'),
    'a.yaml:7:7 : the same name is given twice in one place',
  ],
  'broken YAML': [
    'app: { name: shop\n',
    'a.yaml:2:1 : Flow map in block collection must be sufficiently indented and end with a }',
  ],
  'no title field': [
    item('fields:\n  name: { type: text }'),
    'a.yaml:3:3 entities.item: `titleField` is missing: name the field that stands for a row',
  ],
  'unknown title and search field': [
    fields('size: { type: integer }', 'searchFields: [nam, size]\n').replace(
      'titleField: name',
      'titleField: nme',
    ),
    'a.yaml:4:17 entities.item.titleField: unknown field `nme`, did you mean `name`?',
    'a.yaml:5:20 entities.item.searchFields.0: unknown field `nam`, did you mean `name`?',
    'a.yaml:5:25 entities.item.searchFields.1: `size` is of type integer, which cannot be searched as text',
  ],
  'reference to an unknown entity': [
    fields('owner: { type: reference, entity: itm }'),
    'a.yaml:7:41 entities.item.fields.owner.entity: unknown entity `itm`, did you mean `item`?',
  ],
  'reference to an unknown app': [
    fields('owner: { type: reference, entity: shopp.item }'),
    'a.yaml:7:41 entities.item.fields.owner.entity: unknown app `shopp`, did you mean `shop`?',
  ],
  'reserved column': [
    fields('created_at: { type: date }'),
    'a.yaml:7:7 entities.item.fields.created_at: needs column `created_at`, which is already a column every table has',
  ],
  'two fields, one column': [
    fields('owner: { type: reference, entity: item }\nowner_id: { type: text }'),
    'a.yaml:8:7 entities.item.fields.owner_id: needs column `owner_id`, which is already the column of field `owner`',
  ],
  'default that is no option': [
    fields('size: { type: select, options: { s: Small, l: Large }, default: m }'),
    'a.yaml:7:71 entities.item.fields.size.default: `m` is not an option, did you mean `s`?',
  ],
  'money without a currency': [
    fields('price: { type: money }'),
    'a.yaml:7:22 entities.item.fields.price.type: money needs either `currency` or `currencyField`',
  ],
  'currency that is no text': [
    fields('price: { type: money, currencyField: size }\nsize: { type: integer }'),
    'a.yaml:7:44 entities.item.fields.price.currencyField: `size` is of type integer; a currency is a text or a select',
  ],
  'computed from what is not there, no number, or itself': [
    fields(
      'a: { type: integer, computed: b * 2 }\nb: { type: integer, computed: c + name }\nc: { type: integer, computed: c }\nd: { type: integer, computed: e }',
    ),
    'a.yaml:8:37 entities.item.fields.b.computed: `name` is of type text, not a number (character 5)',
    'a.yaml:9:37 entities.item.fields.c.computed: refers to itself',
    'a.yaml:10:37 entities.item.fields.d.computed: unknown field `e` of item, did you mean `a`?',
  ],
  'computed fields in a circle, of another type, over another record, with the time': [
    fields(
      'a: { type: integer, computed: b + 1 }\nb: { type: integer, computed: a + 1 }\nc: { type: date, computed: a }\nd: { type: text, computed: other.name }\nother: { type: reference, entity: item }\ne: { type: date, computed: today(), default: $today }',
    ),
    'a.yaml:7:37 entities.item.fields.a.computed: computed fields go in a circle: a -> b -> a',
    'a.yaml:8:37 entities.item.fields.b.computed: computed fields go in a circle: b -> a -> b',
    'a.yaml:9:34 entities.item.fields.c.computed: is of type integer, not date',
    'a.yaml:10:34 entities.item.fields.d.computed: `other.name` leads to another record, which cannot be used here',
    'a.yaml:12:34 entities.item.fields.e.computed: the time changes without a write, so it cannot be used here',
    'a.yaml:12:52 entities.item.fields.e.default: a computed field has no default',
  ],
  'computed that cannot be read': [
    fields('a: { type: integer, computed: "1 + * 2" }'),
    'a.yaml:7:37 entities.item.fields.a.computed: expected a value, a field or `(` instead of `*` at character 5',
  ],
  states: [
    fields(
      '',
      'states:\n  initial: open\n  list: { open: Open, shut: Shut, lost: Lost, stuck: Stuck }\n  terminal: [shut]\n  transitions:\n    - { from: open, to: shut }\n    - { from: shut, to: open }\n    - { from: open, to: stuk }\n    - { from: open, to: stuck }\n',
    ),
    'a.yaml:7:39 entities.item.states.list.lost: state `lost` cannot be reached from `open`',
    'a.yaml:7:51 entities.item.states.list.stuck: state `stuck` has no way out and is not terminal',
    'a.yaml:11:11 entities.item.states.transitions.1: leads out of `shut`, which is terminal',
    'a.yaml:12:29 entities.item.states.transitions.2.to: unknown state `stuk`, did you mean `stuck`?',
  ],
  'mistakes in effects and their like are told of the kind that was meant': [
    fields(
      '',
      'actions:\n  a:\n    effects:\n      - { sett: { name: x } }\n      - { create: item, value: { name: x }, values: {} }\n      - { update: item, set: { name: x } }\n      - { notify: { too: x, text: x } }\nviews:\n  - { name: v, type: lisst }\n  - { name: w, type: list, field: [name] }\npermissions:\n  - { role: a, can: [red] }\n',
    ),
    'a.yaml:8:13 entities.item.actions.a.effects.0: an effect is one of set, require, create, update, transition, notify, webhook',
    'a.yaml:9:29 entities.item.actions.a.effects.1.value: unknown key `value`, did you mean `values`?',
    'a.yaml:10:13 entities.item.actions.a.effects.2: `match` is missing',
    'a.yaml:11:25 entities.item.actions.a.effects.3.notify.too: unknown key `too`, did you mean `to`?',
    'a.yaml:13:26 entities.item.views.0.type: must be one of list, kanban, calendar, form, detail',
    'a.yaml:14:32 entities.item.views.1.field: unknown key `field`, did you mean `fields`?',
    'a.yaml:16:26 entities.item.permissions.0.can.0: must be one of read, create, update, delete, export, import, comment',
  ],
  'guards, effects, checks, permissions, automations, views and submittable states': [
    fields(
      `size: { type: integer, requiredIf: nam is null }
sum: { type: integer, computed: size + 1 }
code: { type: text, required: true }`,
      `permissions:
  - { role: everyone, can: [read], where: nme = $user, hide: [sise] }
states:
  initial: new
  list: { new: New, old: Old }
  terminal: [old]
  transitions:
    - { from: new, to: old, guard: $input.why = 1, effects: [{ set: { sum: 1, name: size } }] }
submittable: { draft: [old], submitted: [odl] }
checks:
  - { name: now, rule: now() is null }
actions:
  copy:
    effects:
      - { create: item, values: { name: "'x'", cod: "'y'" } }
      - { update: item, match: { name: name }, add: { name: 1 } }
      - { transition: { name: odl } }
      - { notify: { text: "'x'" } }
automations:
  - { name: a, when: { enters: odl }, effects: [{ set: { name: $user2 } }] }
views:
  - { name: v, type: list, fields: [sise], sort: [-nam] }
`,
    ),
    'a.yaml:6:47 entities.item.permissions.0.where: unknown field `nme` of item, did you mean `name`?',
    'a.yaml:6:67 entities.item.permissions.0.hide.0: unknown field `sise`, did you mean `size`?',
    'a.yaml:12:40 entities.item.states.transitions.0.guard: unknown input `why`',
    'a.yaml:12:75 entities.item.states.transitions.0.effects.0.set.sum: `sum` is computed and cannot be written',
    'a.yaml:12:89 entities.item.states.transitions.0.effects.0.set.name: is of type integer, not text',
    'a.yaml:13:18 entities.item.submittable: state `new` is in none of the three lists',
    'a.yaml:13:27 entities.item.submittable.draft: the initial state `new` must be a draft',
    'a.yaml:13:46 entities.item.submittable.submitted.0: unknown state `odl`, did you mean `old`?',
    'a.yaml:15:28 entities.item.checks.0.rule: the time changes without a write, so it cannot be used here',
    'a.yaml:19:37 entities.item.actions.copy.effects.0.values: `code` of item is required and has no value here',
    'a.yaml:19:52 entities.item.actions.copy.effects.0.values.cod: unknown field `cod` of item, did you mean `code`?',
    'a.yaml:20:36 entities.item.actions.copy.effects.1.match: several rows of item may match: name all fields of a unique group (id)',
    'a.yaml:20:65 entities.item.actions.copy.effects.1.add.name: `name` is no number field',
    'a.yaml:21:35 entities.item.actions.copy.effects.2.transition.name: unknown transition `odl` of item, did you mean `old`?',
    'a.yaml:22:23 entities.item.actions.copy.effects.3.notify: says neither `to` nor `role`',
    'a.yaml:24:36 entities.item.automations.0.when.enters: unknown state `odl`, did you mean `old`?',
    'a.yaml:24:68 entities.item.automations.0.effects.0.set.name: unknown variable `$user2`, did you mean `$user`?',
    'a.yaml:26:41 entities.item.views.0.fields.0: unknown field `sise`, did you mean `size`?',
    'a.yaml:26:55 entities.item.views.0.sort.0: unknown field `nam`, did you mean `name`?',
    'a.yaml:29:42 entities.item.fields.size.requiredIf: unknown field `nam` of item, did you mean `name`?',
  ],
  'row predicates in a circle': [
    `${HEAD}  a:\n    titleField: n\n    permissions: [{ role: everyone, can: [read], where: b.n = $user }]\n    fields: { n: { type: text }, b: { type: reference, entity: b } }\n  b:\n    titleField: n\n    permissions: [{ role: everyone, can: [read], where: any(a.n = $user) }]\n    fields: { n: { type: text } }\n`,
    'a.yaml:5:57 entities.a.permissions.0.where: row predicates go in a circle, so that the database could never answer: shop.a -> shop.b -> shop.a',
    'a.yaml:9:57 entities.b.permissions.0.where: row predicates go in a circle, so that the database could never answer: shop.b -> shop.a -> shop.b',
  ],
  'roll-ups in a circle between entities, and over rows of the same one': [
    `${HEAD}  a:\n    titleField: n\n    fields: { n: { type: text }, x: { type: integer, computed: sum(b.y) }, c: { type: reference, entity: c } }\n  b:\n    titleField: n\n    fields: { n: { type: text }, a: { type: reference, entity: a }, up: { type: reference, entity: b }, y: { type: integer, computed: z + 1 }, z: { type: integer, computed: 'sum(c.w, c.w > 0)' }, s: { type: integer, computed: sum(b.s) } }\n  c:\n    titleField: n\n    fields: { n: { type: text }, b: { type: reference, entity: b }, e: { type: reference, entity: e }, w: { type: integer, computed: sum(shop.a.x) }, a: { type: reference, entity: a }, v: { type: integer, computed: 'count(d, d.q > 0)' } }\n  d:\n    titleField: n\n    fields: { n: { type: text }, c: { type: reference, entity: c }, q: { type: integer, computed: sum(e.r) } }\n  e:\n    titleField: n\n    fields: { n: { type: text }, d: { type: reference, entity: d }, r: { type: integer, computed: sum(c.v) } }\n`,
    'a.yaml:5:64 entities.a.fields.x.computed: roll-ups go in a circle, so that they would never come to an end: shop.a.x -> shop.b.y -> shop.b.z -> shop.c.w -> shop.a.x',
    'a.yaml:8:174 entities.b.fields.z.computed: roll-ups go in a circle, so that they would never come to an end: shop.b.z -> shop.c.w -> shop.a.x -> shop.b.y -> shop.b.z',
    'a.yaml:8:227 entities.b.fields.s.computed: roll-ups go in a circle, so that they would never come to an end: shop.b.s -> shop.b.s',
    'a.yaml:11:134 entities.c.fields.w.computed: roll-ups go in a circle, so that they would never come to an end: shop.c.w -> shop.a.x -> shop.b.y -> shop.b.z -> shop.c.w',
    'a.yaml:11:216 entities.c.fields.v.computed: roll-ups go in a circle, so that they would never come to an end: shop.c.v -> shop.d.q -> shop.e.r -> shop.c.v',
    'a.yaml:14:99 entities.d.fields.q.computed: roll-ups go in a circle, so that they would never come to an end: shop.d.q -> shop.e.r -> shop.c.v -> shop.d.q',
    'a.yaml:17:99 entities.e.fields.r.computed: roll-ups go in a circle, so that they would never come to an end: shop.e.r -> shop.c.v -> shop.d.q -> shop.e.r',
  ],
  'permissions of a child table that speak of rows, or of nothing': [
    `${HEAD}  a:\n    titleField: n\n    fields: { n: { type: text }, b: { type: childTable, entity: b }, c: { type: childTable, entity: c } }\n  b:\n    permissions: [{ role: everyone, can: all }]\n    fields: { n: { type: text } }\n  c:\n    permissions: [{ role: everyone, can: [read], hide: [n], where: n = $user }]\n    fields: { n: { type: text } }\n`,
    'a.yaml:7:5 entities.b.permissions: rows of `b` are read and written as the `a` they belong to, so these permissions say nothing: leave them out, or name fields to `hide`, `mask` or make `readonly`',
    'a.yaml:10:68 entities.c.permissions.0.where: rows of `c` are read and written as the `a` they belong to: say it in the permissions of that entity',
  ],
  'patterns that not both PostgreSQL and browsers read': [
    fields(
      String.raw`a: { type: text, pattern: '[a-' }
b: { type: text, pattern: '\bword' }
c: { type: text, pattern: '[[:alpha:]]' }
d: { type: text, pattern: '(?<=a)b' }
e: { type: text, pattern: 'a{1,256}' }
f: { type: text, pattern: '[^]' }
g: { type: text, pattern: '[\D]' }
h: { type: text, pattern: '^[A-Z][\w.\u00e4-]{2,80}\.(?:com|[^/]+)\/(?=x)$' }`,
    ),
    'a.yaml:7:33 entities.item.fields.a.pattern: is no regular expression: Unterminated character class',
    'a.yaml:8:33 entities.item.fields.b.pattern: `\\b` does not mean the same to PostgreSQL and to browsers; of letters behind a backslash, d D s S w W t n r f v do',
    'a.yaml:9:33 entities.item.fields.c.pattern: `[:` in brackets is for PostgreSQL alone',
    'a.yaml:10:33 entities.item.fields.d.pattern: `(?<` is not for both PostgreSQL and browsers; (?: (?= (?! are',
    'a.yaml:11:33 entities.item.fields.e.pattern: nothing can be repeated more than 255 times',
    'a.yaml:12:33 entities.item.fields.f.pattern: empty brackets do not mean the same to PostgreSQL and to browsers',
    'a.yaml:13:33 entities.item.fields.g.pattern: `\\D` cannot stand in brackets',
  ],
  'related records that are not there or do not refer here': [
    `${HEAD}  a:\n    titleField: n\n    views:\n      - name: v\n        type: detail\n        related:\n          - { entity: b, by: a, fields: [n], sort: [-n] }\n          - { entity: shop.bb, by: a }\n          - { entity: shopp.b, by: a }\n          - { entity: b, by: n }\n          - { entity: c, by: a }\n          - { entity: b, by: any, fields: [m], sort: [-m] }\n          - { entity: d, by: a }\n        metrics: [{ label: Won, measure: not.known }]\n    fields: { n: { type: text }, d: { type: childTable, entity: d } }\n  b:\n    titleField: n\n    fields: { n: { type: text }, a: { type: reference, entity: a }, any: { type: anyReference, entities: [a, c] } }\n  c:\n    titleField: n\n    fields: { n: { type: text } }\n  d:\n    fields: { n: { type: text } }\n`,
    'a.yaml:10:23 entities.a.views.0.related.1.entity: unknown entity `shop.bb`, did you mean `b`?',
    'a.yaml:11:23 entities.a.views.0.related.2.entity: unknown app `shopp`, did you mean `shop`?',
    'a.yaml:12:30 entities.a.views.0.related.3.by: `n` of `b` does not refer to a; `a` and `any` do',
    'a.yaml:13:30 entities.a.views.0.related.4.by: `c` does not refer to a',
    'a.yaml:14:44 entities.a.views.0.related.5.fields.0: unknown field `m` of b, did you mean `n`?',
    'a.yaml:14:55 entities.a.views.0.related.5.sort.0: unknown field `m` of b, did you mean `n`?',
  ],
  'automations and transitions that set each other off for certain': [
    fields(
      'size: { type: integer }\nnote: { type: text }',
      `states:
  initial: new
  list: { new: New, old: Old, gone: Gone }
  terminal: [gone]
  transitions:
    - { name: age, from: new, to: old }
    - { name: renew, from: old, to: new }
    - { name: again, from: old, to: old, effects: [{ transition: { name: again } }] }
    - { name: go, from: old, to: gone, effects: [{ create: item, values: { name: "'x'" } }] }
automations:
  - { name: a, when: { created: true }, effects: [{ create: item, values: { name: name } }] }
  - { name: b, when: { changed: [size] }, effects: [{ update: item, match: { id: id }, add: { size: 1 } }] }
  - { name: c, when: { enters: old }, effects: [{ transition: { name: renew } }] }
  - { name: d, when: { enters: new }, effects: [{ transition: { name: age } }] }
  - { name: e, when: { created: true }, if: size > 0, effects: [{ create: item, values: { name: name } }] }
  - { name: f, when: { created: true }, effects: [{ create: item, if: size > 0, values: { name: name } }] }
  - { name: g, when: { changed: [name] }, effects: [{ update: item, match: { id: id }, set: { name: lower(name) } }] }
  - { name: h, when: { changed: [note] }, effects: [{ set: { note: lower(note) } }] }
`,
    ),
    'a.yaml:12:56 entities.item.states.transitions.2.effects.0: sets itself off again without end: shop.item does again -> shop.item does again',
    'a.yaml:15:55 entities.item.automations.0.effects.0: sets itself off again without end: shop.item created -> shop.item created',
    'a.yaml:16:57 entities.item.automations.1.effects.0: sets itself off again without end: shop.item changes size -> shop.item changes size',
    'a.yaml:17:53 entities.item.automations.2.effects.0: sets itself off again without end: shop.item enters old -> shop.item does renew -> shop.item enters new -> shop.item does age -> shop.item enters old',
    'a.yaml:18:53 entities.item.automations.3.effects.0: sets itself off again without end: shop.item enters new -> shop.item does age -> shop.item enters old -> shop.item does renew -> shop.item enters new',
  ],
  'required references in a circle': [
    `${HEAD}  a:\n    titleField: n\n    fields: { n: { type: text }, b: { type: reference, entity: b, required: true } }\n  b:\n    titleField: n\n    fields: { n: { type: text }, a: { type: reference, entity: a, required: true } }\n`,
    'a.yaml:8:34 entities.b.fields.a: required references go in a circle, so no row could ever be made: shop.a -> shop.b -> shop.a',
  ],
  'child tables in a circle': [
    `${HEAD}  a:\n    fields: { b: { type: childTable, entity: b } }\n  b:\n    fields: { a: { type: childTable, entity: a } }\n`,
    'a.yaml:4:15 entities.a.fields.b: child tables go in a circle, so no row could ever be made: shop.a -> shop.b -> shop.a',
  ],
  'two parents of one child': [
    `${HEAD}  a:\n    titleField: n\n    fields: { n: { type: text }, x: { type: childTable, entity: c }, y: { type: childTable, entity: c } }\n  c:\n    fields: { n: { type: text } }\n`,
    'a.yaml:5:65 entities.a.fields.x.entity: `c` is already the child table `a.y`',
  ],
  'former name still in use': [
    fields('code: { type: text, renamedFrom: name }'),
    'a.yaml:7:40 entities.item.fields.code.renamedFrom: `name` is still a field of this entity',
  ],
  'reserved app': ['app: { name: bac, label: B }\nentities: {}\n', 'a.yaml:1:14 app.name: `bac` is reserved'],
};

test.for(Object.entries(CASES))('%s', ([, [yaml, ...expected]]) => {
  expect(problemsOf(yaml)).toEqual(expected);
});

test('all problems of all files come at once, in order of place', () => {
  const bad = fields('x: { type: txt }\ny: { type: text, uniqe: true }');
  expect(problemsOf(bad, bad)).toEqual(
    ['a', 'b'].flatMap((file) => [
      `${file}.yaml:7:18 entities.item.fields.x.type: unknown field type \`txt\`, did you mean \`text\`?`,
      `${file}.yaml:8:24 entities.item.fields.y.uniqe: unknown key \`uniqe\`, did you mean \`unique\`?`,
    ]),
  );
});

test('two files cannot define one app', () => {
  const good = fields('');
  expect(problemsOf(good, good)).toEqual(['b.yaml:1:14 app.name: app `shop` is also defined in a.yaml']);
});

test('the message of the error names every place, as editors and terminals link them', () => {
  const load = () => parseApps([{ file: 'shop/app.yaml', content: fields('x: { type: txt }') }]);
  expect(load).toThrow(
    'shop/app.yaml:7:18: entities.item.fields.x.type: unknown field type `txt`, did you mean `text`?',
  );
});

test('the apps of the project are valid and share one customer', async () => {
  const apps = await loadApps(fileURLToPath(new URL('..', import.meta.url)));
  expect(apps.map((app) => app.name)).toEqual([
    'commerce',
    'crm',
    'erp',
    'marketing',
    'productivity',
    'projects',
    'support',
    'voice',
  ]);
  const order = apps[0]!.entities.find((entity) => entity.name === 'order')!;
  expect(order.fields.find((field) => field.name === 'customer')).toMatchObject({ entity: 'crm.account' });
});

test('the JSON Schema for editors is current (UPDATE_SCHEMA=1 writes it again)', () => {
  const file = new URL('../app.schema.json', import.meta.url);
  const current = JSON.stringify(appJsonSchema(), null, 2);
  if (process.env.UPDATE_SCHEMA) writeFileSync(file, `${current}\n`);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(current));
});
