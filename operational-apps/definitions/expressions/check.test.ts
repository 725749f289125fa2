import { expect, test } from 'vitest';
import { checkExpression } from './check.ts';
import { parseExpression } from './parse.ts';
import { alternatives, compilePredicate, predicateColumns } from './predicate.ts';
import { columnsUnder, compileExpression } from './sql.ts';
import { shopScope } from './testing.ts';
import { describeType } from './types.ts';

type Place = Parameters<typeof shopScope>[0];
const check = (text: string, place: Place = 'filter', entity?: string) =>
  checkExpression(parseExpression(text), shopScope(place, entity));

test.for([
  ['i + j', 'integer'],
  ['i / j', 'decimal'],
  ['i + n', 'decimal'],
  ["t || ' ' || i || d", 'text'],
  ['maker.title', 'text'],
  ['maker.boss.grade', 'integer'],
  ['maker', 'reference to shop.maker'],
  ['id', 'reference to shop.item'],
  ['maker.id = maker', 'boolean'],
  ['place.city', 'text'],
  ["status = 'done'", 'boolean'],
  ["tags contains 'a'", 'boolean'],
  ["d >= '2026-01-31'", 'boolean'],
  ['d < at', 'boolean'],
  ['sum(lines.amount)', 'integer'],
  ['sum(lines.amount * i, lines.ok)', 'integer'],
  ['avg(lines.amount)', 'decimal'],
  ['count(lines)', 'integer'],
  ['any(lines.ok)', 'boolean'],
  ['sum(line.amount)', 'integer'],
  ['count(note[item], note[item].text is not null)', 'integer'],
  ['count(shop.note[any])', 'integer'],
  ["add(at, '-2h')", 'date-time'],
  ['add(d, i)', 'date'],
  ['days_between(d, today())', 'integer'],
  ['if(f, i, null)', 'integer'],
  ['coalesce(null, n, 0)', 'decimal'],
  ['$user', 'text'],
  ["$roles contains 'manager'", 'boolean'],
  ["$attributes.region = 'north'", 'boolean'],
  ['date($now)', 'date'],
])('%s is of type %s', ([text, type]) => {
  const { typed, problems } = check(text!);
  expect(problems).toEqual([]);
  expect(describeType(typed!.type)).toBe(type);
});

test.for([
  ['tt = 1', 'unknown field `tt` of item, did you mean `t`?'],
  ['i = 1 and maker.titel is null', 'unknown field `titel` of maker, did you mean `title`? (character 11)'],
  ["status = 'don'", '`don` is not one of its values, did you mean `done`?'],
  ["status in ('open', 'dne')", '`dne` is not one of its values, did you mean `done`?'],
  ["tags contains 'c'", '`c` is not one of its values, did you mean `a`? (character 15)'],
  ["i = 'x'", 'is of type text, not integer'],
  ['i + t', '`t` is of type text, not a number (character 5)'],
  ['f and i', 'is of type integer, not boolean (character 7)'],
  ['t = null', 'nothing equals null: write `is null` or `is not null`'],
  ["d = '2026-02-31x'", '`2026-02-31x` is no date (YYYY-MM-DD)'],
  ['data = data', 'values of type json cannot be compared by `=`'],
  ['maker = about.title', '`about` may point to several entities and has no field `title` (character 9)'],
  ['t.x', '`t` is of type text and has no field `x`'],
  ['lines.amount', '`lines.amount` speaks of many rows: use it in sum, count, min, max, avg, any, all'],
  ['count(note)', '`shop.note` refers to item by item and other and any: write `shop.note[item]`'],
  ['count(note[text])', '`text` of `shop.note` does not refer to item; known here: item, other, any'],
  ['sum(lines)', '`sum` needs a value of the rows, as `lines.amount`'],
  ['sum(i)', '`sum` needs rows: a child table, or an entity that refers to item'],
  ['sum(lines.amount, sum(lines.amount) > 1)', '`sum` cannot stand inside another aggregate (character 19)'],
  ['sum(lines.amunt)', 'unknown field `amunt` of line, did you mean `amount`? (character 5)'],
  ['rond(i)', 'unknown function `rond`, did you mean `round`?'],
  ['abs(i, j)', '`abs` takes 1 values'],
  ['abs(t)', '`abs` takes numbers'],
  ["add(d, '3h')", '`add` takes days or weeks for a date'],
  ['$usr = 1', 'unknown variable `$usr`, did you mean `$user`?'],
  ['$each.x = 1', 'unknown variable `$each`; known here: $user, $tenant, $roles, $attributes, $now, $today'],
  ['pg_sleep(1)', 'unknown function `pg_sleep`; known here'],
])('%s is refused', ([text, message]) => {
  expect(check(text!).problems.join('\n')).toContain(message);
});

test.for<[string, Place, string]>([
  ['now() > at', 'computed', 'the time changes without a write'],
  ['maker.title', 'computed', '`maker.title` leads to another record'],
  ['$user', 'check', 'unknown variable `$user`; none can be used here'],
  ['count(lines) > 1', 'visibleIf', '`count` looks at other rows'],
  ['$user', 'time', 'unknown variable `$user`; known here: $tenant, $now, $today'],
])('%s cannot stand in %s', ([text, place, message]) => {
  expect(check(text, place).problems.join('\n')).toContain(message);
});

const context = { column: columnsUnder('t'), tenant: '$tenant', variables: { user: () => '$1' } };

test('SQL of paths and aggregates stays inside the tenant', () => {
  const sql = (text: string) => compileExpression(check(text).typed!, context);
  expect(sql('maker.title')).toBe(
    '(SELECT r1."title" FROM "shop"."maker" r1 WHERE r1."tenant_id" = $tenant AND r1."id" = t."maker_id")',
  );
  expect(sql('sum(lines.amount, lines.ok)')).toBe(
    '(SELECT coalesce(sum(r1."amount"), 0)::bigint FROM "shop"."line" r1 WHERE r1."tenant_id" = $tenant AND r1."item_id" = t."id" AND r1."ok")',
  );
});

test('a predicate behind a reference is looked up once, also two references away', () => {
  const sql = (text: string) => compilePredicate(check(text).typed!, context);
  expect(sql('maker.title = $user')).toBe(
    '(t."maker_id" = ANY (ARRAY(SELECT p1."id" FROM "shop"."maker" p1 WHERE p1."tenant_id" = $tenant AND (p1."title" = $1))))',
  );
  expect(sql('i = 1 or maker.boss.title = $user')).toContain(
    't."maker_id" = ANY (ARRAY(SELECT p1."id" FROM "shop"."maker" p1 WHERE p1."tenant_id" = $tenant AND (p1."boss_id" = ANY (ARRAY(',
  );
  expect(sql('not maker.title = $user')).not.toContain('ARRAY');
  expect(sql("coalesce(maker.title, 'x') = $user")).not.toContain('ARRAY');
});

test('a predicate is taken apart at its `or`, unless there are too many parts', () => {
  const parts = (text: string) =>
    alternatives(check(text).typed!).map((part) => compilePredicate(part, context).replaceAll('"', ''));
  expect(parts('i = 1 or maker.title = $user and (i = 2 or i = 3)')).toEqual([
    parts('i = 1')[0],
    parts('maker.title = $user and i = 2')[0],
    parts('maker.title = $user and i = 3')[0],
  ]);
  const many = '(i = 1 or i = 2 or i = 3)';
  expect(parts(`${many} and ${many}`)).toHaveLength(1);
  expect(parts(Array.from({ length: 9 }, (_, at) => `i = ${at}`).join(' or '))).toHaveLength(1);
});

test('the columns by which an index tells the rows of a predicate', () => {
  const columns = (text: string) => predicateColumns(check(text).typed!);
  expect(columns('i > 1 and maker.title = $user')).toEqual(['maker_id', 'i']);
  expect(columns('maker is null or i in (1, 2)')).toEqual(['maker_id', 'i']);
  for (const none of ['i != 1', 'maker is not null', 'i + 1 = 2', 'not i = 1', 'maker.boss is null'])
    expect(columns(none), none).toEqual([]);
});
