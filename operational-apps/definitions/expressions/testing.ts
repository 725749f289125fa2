import { parseApps } from '../load.ts';
import { byName, scopeFor } from '../places.ts';
import type { Scope } from './scope.ts';

/** An app with every kind of field, a reference, a child table and a back reference, for tests. */
const SHOP = `
app: { name: shop, label: Shop }
entities:
  maker:
    titleField: title
    fields:
      title: { type: text }
      grade: { type: integer }
      boss: { type: reference, entity: maker }
  item:
    titleField: t
    states:
      initial: open
      list: { open: Open, done: Done }
      terminal: [done]
      transitions: [{ from: open, to: done }]
    fields:
      t: { type: text }
      u: { type: text }
      i: { type: integer }
      j: { type: integer }
      n: { type: decimal, precision: 20, scale: 4 }
      f: { type: boolean }
      d: { type: date }
      at: { type: dateTime }
      tags: { type: multiSelect, options: { a: A, b: B } }
      place: { type: address }
      data: { type: json }
      maker: { type: reference, entity: maker }
      about: { type: anyReference, entities: [shop.maker, shop.item] }
      lines: { type: childTable, entity: line }
  line:
    fields:
      amount: { type: integer }
      ok: { type: boolean }
      maker: { type: reference, entity: maker }
  note:
    titleField: text
    fields:
      text: { type: text }
      item: { type: reference, entity: item }
      other: { type: reference, entity: item }
      any: { type: anyReference, entities: [shop.item] }
`;

export const shopApps = parseApps([{ file: 'shop.yaml', content: SHOP }]);

export function shopScope(place: Parameters<typeof scopeFor>[2], entity = 'item'): Scope {
  const apps = byName(shopApps);
  const found = shopApps[0]!.entities.find((one) => one.name === entity)!;
  return scopeFor(apps, found, place);
}
