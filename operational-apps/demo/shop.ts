import { type Agenda, createAgenda } from './agenda.ts';
import { type Basics, emitBasics } from './basics.ts';
import { type Books, createBooks } from './books.ts';
import { DAY } from './calendar.ts';
import type { Catalogue, Variant } from './catalogue.ts';
import { type Address, address, type Company, company, type Person, person } from './people.ts';
import type { Region } from './places.ts';
import { cumulate, type Random, random } from './random.ts';
import type { Tenant } from './tenants.ts';
import { instant, type World } from './world.ts';

/** A tenant while its history is written: who buys, who is due to buy again, what lies in stock. */
export interface Shop {
  readonly world: World;
  readonly tenant: Tenant;
  readonly catalogue: Catalogue;
  readonly random: Random;
  readonly customers: Customer[];
  /** Customers who come back, by day of the history. */
  readonly due: Map<number, Customer[]>;
  readonly stock: Stock;
  readonly basics: Basics;
  readonly books: Books;
  readonly agenda: Agenda;
  /** Running numbers of this tenant, by entity (`app.entity`). */
  next(series: string): number;
  readonly series: ReadonlyMap<string, number>;
}

/** What must be remembered of a customer; name and address follow from the seed and are made anew when needed. */
export interface Customer {
  readonly id: number;
  readonly region: number;
  readonly company: boolean;
  readonly source: string;
  readonly createdAt: number;
  /** Chance that an order is followed by another one. */
  readonly loyalty: number;
  readonly owner: number | null;
  orders: number;
  spent: number;
  lastAt: number;
  /** Deal that the next order fulfils. */
  deal: { readonly id: number; readonly amount: number } | null;
}

export interface Profile {
  readonly name: string;
  readonly person: Person;
  readonly company: Company | null;
  readonly address: Address;
}

export function createShop(world: World, tenant: Tenant, catalogue: Catalogue): Shop {
  const series = new Map<string, number>();
  const next = (name: string): number => {
    const value = (series.get(name) ?? 0) + 1;
    series.set(name, value);
    return value;
  };
  const agenda = createAgenda(world);
  const books = createBooks(world, tenant, catalogue, agenda, next);
  return {
    world,
    tenant,
    catalogue,
    random: random(world.seed, `shop/${tenant.id}`),
    customers: [],
    due: new Map(),
    stock: createStock(world, tenant, catalogue, books),
    basics: emitBasics(world, tenant),
    books,
    agenda,
    series,
    next,
  };
}

export function addCustomer(
  shop: Shop,
  given: Pick<Customer, 'region' | 'company' | 'source' | 'createdAt' | 'loyalty' | 'owner'>,
): Customer {
  const customer: Customer = {
    id: shop.world.id('crm.account'),
    ...given,
    orders: 0,
    spent: 0,
    lastAt: 0,
    deal: null,
  };
  shop.customers.push(customer);
  return customer;
}

export function profileOf(shop: Shop, customer: Customer): Profile {
  const chance = random(shop.world.seed, `customer/${customer.id}`);
  const region = shop.tenant.regions[customer.region]!;
  const firm = customer.company ? company(chance, region, customer.id) : null;
  const who = person(chance, region, customer.id, firm?.domain);
  return { name: firm?.name ?? who.name, person: who, company: firm, address: address(chance, region) };
}

/** Puts a customer down for a day; days past the end of the history never come. */
export function expect(shop: Shop, customer: Customer, day: number): void {
  const list = shop.due.get(day);
  if (list) list.push(customer);
  else shop.due.set(day, [customer]);
}

/** Index of a region; those that grew late are rarer at the beginning. */
export function pickRegion(shop: Shop, progress: number): number {
  const weight = (region: Region): number => region.weight * (region.early + (1 - region.early) * progress);
  return shop.random.weighted(cumulate(shop.tenant.regions.map(weight)));
}

/** Draws variants in proportion to popularity and season, of those on sale on the day. */
export function variantPicker(shop: Shop): (day: number) => Variant {
  const { variants } = shop.catalogue;
  let sums: Float64Array = new Float64Array();
  let made = -1;
  return (day) => {
    const period = Math.floor(day / 15);
    if (period !== made) {
      made = period;
      const month = new Date(shop.world.start + day * DAY).getUTCMonth();
      sums = cumulate(
        variants.map((variant) => (variant.launch > day ? 0 : variant.weight * variant.line.months[month]!)),
      );
    }
    return variants[shop.random.weighted(sums)]!;
  };
}

interface Stock {
  /** Takes pieces for an order; receives new ones first if there are too few. */
  take(variant: number, location: number, quantity: number, at: number): void;
  /** Pieces promised at the end of the history (taken, not shipped). */
  reserve(variant: number, location: number, quantity: number): void;
  move(
    variant: number,
    location: number,
    quantity: number,
    reason: string,
    order: number | null,
    at: number,
  ): void;
  emitLevels(): void;
}

/**
 * `free` is what can be promised: received less taken. Pieces that come back are counted apart and
 * never promised again, so that at no moment more has gone out than had come in before it.
 */
function createStock(world: World, tenant: Tenant, { variants, locations }: Catalogue, books: Books): Stock {
  const first = variants[0]!.id;
  const place = (variant: number, location: number): number =>
    (variant - first) * locations.length + location;
  const size = variants.length * locations.length;
  const free = new Int32Array(size);
  const held = new Int32Array(size);
  const reserved = new Int32Array(size);
  const batch = new Int32Array(size);
  const receivedAt = new Float64Array(size);
  const move: Stock['move'] = (variant, location, quantity, reason, order, at) => {
    held[place(variant, location)]! += quantity;
    world.emit('commerce.stock_move', {
      id: world.id('commerce.stock_move'),
      tenant_id: tenant.id,
      variant_id: variant,
      location_id: locations[location]!,
      quantity,
      reason,
      order_id: order,
      moved_at: instant(at),
      created_at: instant(at),
      updated_at: instant(at),
      version: 1,
    });
  };
  return {
    move,
    take(variant, location, quantity, at) {
      const here = place(variant, location);
      if (free[here]! < quantity) {
        const days = (at - receivedAt[here]!) / DAY;
        const last = batch[here]!;
        const wanted = last === 0 ? 12 : days < 25 ? last * 2 : days > 90 ? last >> 1 : last;
        batch[here] = Math.min(2000, Math.max(12, wanted));
        receivedAt[here] = at;
        const pieces = batch[here]! + quantity;
        free[here]! += pieces;
        const morning = Math.floor(at / DAY) * DAY;
        move(variant, location, pieces, 'receipt', null, morning);
        books.received(variants[variant - first]!, location, pieces, morning);
      }
      free[here]! -= quantity;
    },
    reserve(variant, location, quantity) {
      reserved[place(variant, location)]! += quantity;
    },
    emitLevels() {
      for (const variant of variants) {
        for (const [index, location] of locations.entries()) {
          const here = place(variant.id, index);
          world.emit('commerce.inventory_level', {
            id: world.id('commerce.inventory_level'),
            tenant_id: tenant.id,
            variant_id: variant.id,
            location_id: location,
            sku: variant.sku,
            on_hand: held[here]!,
            reserved: reserved[here]!,
            available: held[here]! - reserved[here]!,
            reorder_point: Math.max(5, batch[here]! >> 2),
            created_at: instant(world.start),
            updated_at: instant(world.until),
            version: 2,
          });
        }
      }
    },
  };
}
