import { fileURLToPath } from 'node:url';
import { parse, printSchema, validateSchema } from 'graphql';
import { expect, test } from 'vitest';
import { loadApps } from '../definitions/index.ts';
import { checkLimits, DEFAULT_LIMITS } from './limits.ts';
import { plural } from './names.ts';
import { buildSchema } from './schema.ts';

const apps = await loadApps(fileURLToPath(new URL('..', import.meta.url)));
const schema = buildSchema(apps);

test('all shipped apps make a valid schema, the same each time', () => {
  expect(validateSchema(schema)).toEqual([]);
  expect(printSchema(schema)).toBe(printSchema(buildSchema(apps)));
});

test('an entity has its reads, writes, transitions and changes', () => {
  const query = schema.getQueryType()!.getFields();
  const mutation = schema.getMutationType()!.getFields();
  expect(Object.keys(query)).toEqual(
    expect.arrayContaining(['crmAccount', 'crmAccounts', 'crmAccountsAggregate', 'search', 'me']),
  );
  expect(Object.keys(mutation)).toEqual(
    expect.arrayContaining([
      'createCrmAccount',
      'updateCrmAccount',
      'deleteCrmAccount',
      'transitionCrmAccount',
    ]),
  );
  expect(Object.keys(mutation)).not.toContain('createCommerceOrderLine');
  expect(schema.getSubscriptionType()!.getFields()).toHaveProperty('crmAccountChanged');
});

test('what may not be written is not in the inputs', () => {
  const printed = printSchema(schema);
  const update = /input CommerceVariantUpdateInput \{[^}]*\}/.exec(printed)![0];
  expect(update).toContain('price:');
  expect(update).not.toContain('margin:');
  expect(update).not.toContain('sku:');
});

const cost = (query: string, variables = {}): (() => void) => {
  const document = parse(query);
  return () => checkLimits(schema, document, variables, DEFAULT_LIMITS);
};

test.for([
  ['deep', `{ crmAccount(id: 1) ${'{ parent '.repeat(14)} { id } ${'} '.repeat(14)} }`, 'QUERY_TOO_DEEP'],
  [
    'wide',
    '{ crmAccounts(first: 500) { nodes { contacts(first: 500) { nodes { id } } } } }',
    'QUERY_TOO_COSTLY',
  ],
  [
    'by edges',
    '{ crmAccounts(first: 500) { edges { node { contacts(first: 500) { edges { node { id } } } } } } }',
    'QUERY_TOO_COSTLY',
  ],
  [
    'by fragments',
    '{ crmAccounts(first: 500) { ...A } } fragment A on CrmAccountConnection { nodes { ...B } } fragment B on CrmAccount { contacts(first: 500) { nodes { id } } }',
    'QUERY_TOO_COSTLY',
  ],
  [
    'a fragment in a circle',
    '{ crmAccount(id: 1) { ...A } } fragment A on CrmAccount { parent { ...A } }',
    'QUERY_TOO_DEEP',
  ],
  [
    'aliases',
    `{ ${Array.from({ length: 101 }, (_, n) => `a${n}: crmAccount(id: ${n}) { id }`).join(' ')} }`,
    'QUERY_TOO_COSTLY',
  ],
])('a query that is too %s is refused before it runs', ([, query, code]) => {
  expect(cost(query!)).toThrow(expect.objectContaining({ extensions: expect.objectContaining({ code }) }));
});

test('sizes given by variables count, and ordinary queries pass', () => {
  const query =
    'query ($n: Int) { crmAccounts(first: $n) { nodes { id contacts(first: 100) { nodes { id } } } } }';
  expect(cost(query, { n: 20 })).not.toThrow();
  expect(cost(query, { n: 500 })).toThrow('records');
});

test('plurals', () => {
  expect(['activity', 'day', 'tax', 'branch', 'order', 'address'].map(plural)).toEqual([
    'activities',
    'days',
    'taxes',
    'branches',
    'orders',
    'addresses',
  ]);
});
