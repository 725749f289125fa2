import type { Shot } from './http-client.ts';

/** What there is to ask for. */
export interface Ids {
  readonly accounts: readonly string[];
  readonly orders: readonly string[];
  readonly items: number;
}

/** Fields whose lists are asked for, forward and backward. */
export const SORTS = ['id', 'name', 'amount', 'quantity', 'kind', 'due_on', 'placed_at', 'created_at'];

export const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;

export const graphql = (query: string, variables: object): Shot => ({
  method: 'POST',
  path: '/graphql',
  body: JSON.stringify({ query, variables }),
});

const ORDER = `query Order($id: ID!) { commerceOrder(id: $id) { id number status total placed_at
  customer { id name } lines { title quantity net } } }`;
const ACCOUNTS = `query Accounts($region: String) { crmAccounts(first: 25, sort: [created_at_desc], filter: { region: { eq: $region } }) {
  nodes { id number name status owner { name } } pageInfo { endCursor } } }`;
/** Six reads to one write, over both surfaces. */
export function mixed(ids: Ids): () => { kind: string; shot: Shot } {
  const kinds: readonly (readonly [string, number, () => Shot])[] = [
    ['graphql order with lines', 3, () => graphql(ORDER, { id: pick(ids.orders) })],
    ['graphql account list', 2, () => graphql(ACCOUNTS, { region: pick(['DE', 'FR', 'ES', 'IT', 'NL']) })],
    ['rest account', 3, () => ({ method: 'GET', path: `/api/v1/records/crm/account/${pick(ids.accounts)}` })],
    [
      'rest item list',
      2,
      () => ({ method: 'GET', path: `/api/v1/records/bench/item?sort=-${pick(SORTS.slice(1))}&first=25` }),
    ],
    [
      'rest item update',
      1,
      () => ({
        method: 'PATCH',
        path: `/api/v1/records/bench/item/${1 + Math.floor(Math.random() * ids.items)}`,
        body: JSON.stringify({ quantity: Math.floor(Math.random() * 1000) }),
      }),
    ],
    [
      'graphql create',
      1,
      () =>
        graphql(CREATE_ITEM, {
          input: {
            seller: '1',
            name: 'new item',
            amount: '12.50',
            quantity: 3,
            kind: 'a',
            placed_at: new Date().toISOString(),
          },
        }),
    ],
  ];
  const bag = kinds.flatMap(([kind, weight, make]) => Array.from({ length: weight }, () => ({ kind, make })));
  return () => {
    const { kind, make } = pick(bag);
    return { kind, shot: make() };
  };
}

const CREATE_ITEM = 'mutation Add($input: BenchItemCreateInput!) { createBenchItem(input: $input) { id } }';
