import { type CampaignRun, campaignRuns, DAY, HISTORY_DAYS } from './calendar.ts';
import { type Chart, emitChart, monthOf, profileOfChannel } from './chart.ts';
import { person } from './people.ts';
import { type Random, random } from './random.ts';
import type { ProductLine, Tenant } from './tenants.ts';
import { date, money, stamps, type World } from './world.ts';

export interface Variant {
  readonly id: number;
  readonly product: number;
  readonly sku: string;
  readonly title: string;
  readonly line: ProductLine;
  /** Place of its brand, and so of its supplier, in the tenant's list. */
  readonly brand: number;
  /** Cents. */
  readonly price: number;
  readonly cost: number;
  /** Popularity, and the day of the history from which it is sold (negative: from the beginning). */
  readonly weight: number;
  readonly launch: number;
  readonly rating: number;
}

export interface Campaign extends CampaignRun {
  readonly id: number;
  readonly discount: number;
}

export interface Catalogue {
  readonly variants: readonly Variant[];
  readonly campaigns: readonly Campaign[];
  readonly welcome: number;
  readonly trade: number;
  readonly channels: Readonly<Record<'web' | 'mobile' | 'marketplace' | 'store' | 'wholesale', number>>;
  readonly locations: readonly number[];
  /** Those who sell. */
  readonly team: readonly number[];
  /** The others, by what they do. */
  readonly staff: Readonly<Record<StaffRole, readonly number[]>>;
  readonly chart: Chart;
  /** Cents spent on campaigns, by the month's first instant. */
  readonly campaignCosts: ReadonlyMap<number, number>;
}

const STAFF = [
  'support',
  'support',
  'support',
  'marketing',
  'marketing',
  'finance',
  'finance',
  'warehouse',
  'warehouse',
  'projects',
  'projects',
] as const;
type StaffRole = (typeof STAFF)[number];

const CHANNELS = [
  ['web', 'Web shop', 'web', '0.00'],
  ['mobile', 'Mobile app', 'mobile', '0.00'],
  ['marketplace', 'Marketplaces', 'marketplace', '14.50'],
  ['store', 'Flagship store', 'store', '0.00'],
  ['wholesale', 'Wholesale', 'wholesale', '2.00'],
] as const;

/** Everything that is there before the first order: team, shop, products, campaigns. */
export function emitCatalogue(world: World, tenant: Tenant): Catalogue {
  const chance = random(world.seed, `catalogue/${tenant.id}`);
  const born = world.start - 30 * DAY;
  const people = emitTeam(world, tenant, chance, born);
  const chart = emitChart(world, tenant, born, people.staff.warehouse);
  return {
    ...people,
    chart,
    channels: Object.fromEntries(
      CHANNELS.map(([code, name, kind, fee]) => {
        const id = world.id('commerce.channel');
        world.emit('commerce.channel', {
          id,
          tenant_id: tenant.id,
          code,
          name,
          kind,
          fee_percent: fee,
          profile_id: chart.profiles[profileOfChannel(code)],
          ...stamps(born, born),
        });
        return [code, id];
      }),
    ) as Catalogue['channels'],
    locations: tenant.locations.map((place) => {
      const id = world.id('commerce.location');
      world.emit('commerce.location', {
        id,
        tenant_id: tenant.id,
        code: place.code,
        name: place.name,
        kind: 'warehouse',
        address_street: place.street,
        address_city: place.city,
        address_region: place.region,
        address_postal_code: place.postalCode,
        address_country: place.country,
        ...stamps(born, born),
      });
      return id;
    }),
    variants: emitProducts(world, tenant, chance, born),
    ...emitCampaigns(world, tenant, born),
  };
}

function emitTeam(
  world: World,
  tenant: Tenant,
  chance: Random,
  born: number,
): Pick<Catalogue, 'team' | 'staff'> {
  const sellers = 6 + Math.round(tenant.share * 12);
  const roles = [
    'manager',
    ...Array.from({ length: sellers - 1 }, () => 'sales' as const),
    ...STAFF,
  ] as const;
  const ids = roles.map((role, index) => {
    const region = tenant.regions[index % tenant.regions.length]!;
    const who = person(chance, region, index, `${tenant.id}.example`);
    const id = world.id('crm.team_member');
    world.emit('crm.team_member', {
      id,
      tenant_id: tenant.id,
      name: who.name,
      email: who.email.replace('@', `${index}@`),
      role,
      region: region.code,
      monthly_target: role === 'sales' || role === 'manager' ? money(chance.int(20, 60) * 100_000) : null,
      currency: tenant.currency,
      hired_on: date(born - chance.int(0, 1500) * DAY),
      active: true,
      ...stamps(born, born),
    });
    return id;
  });
  const staff = (role: StaffRole): number[] => ids.filter((_, index) => roles[index] === role);
  return {
    team: ids.slice(0, sellers),
    staff: {
      support: staff('support'),
      marketing: staff('marketing'),
      finance: staff('finance'),
      warehouse: staff('warehouse'),
      projects: staff('projects'),
    },
  };
}

function emitProducts(world: World, tenant: Tenant, chance: Random, born: number): Variant[] {
  const variants: Variant[] = [];
  const drafts = tenant.lines.flatMap((line) =>
    line.items.flatMap((item) =>
      tenant.brands
        .filter(() => chance.chance(0.42))
        .map((brand) => ({ line, item, brand, order: chance.next() })),
    ),
  );
  // A product's place in a random order is its rank; demand falls with the rank as a power law.
  const ranks = new Map(
    [...drafts].sort((a, b) => a.order - b.order).map((draft, index) => [draft, index + 1]),
  );
  const collections = new Map<string, number>();
  for (const [index, line] of tenant.lines.entries()) {
    const id = world.id('commerce.collection');
    collections.set(line.collection, id);
    world.emit('commerce.collection', {
      id,
      tenant_id: tenant.id,
      name: line.collection,
      slug: line.collection.toLowerCase().replaceAll(' ', '-'),
      about: `${line.items.slice(0, 3).join(', ')} and more.`,
      rank: (index + 1) * 10,
      ...stamps(born, born),
    });
  }
  for (const [index, draft] of drafts.entries()) {
    const { line, item, brand } = draft;
    const product = world.id('commerce.product');
    const launch = chance.chance(0.72) ? -30 : chance.int(1, HISTORY_DAYS - 20);
    const created = world.start + launch * DAY;
    const code = `${tenant.id.slice(0, 1).toUpperCase()}${String(index + 1).padStart(4, '0')}`;
    const rating = 3.4 + chance.next() * 1.4;
    world.emit('commerce.product', {
      id: product,
      tenant_id: tenant.id,
      code,
      name: `${brand} ${item}`,
      status: 'active',
      collection_id: collections.get(line.collection)!,
      brand,
      about: `${item} by ${brand}.`,
      launched_on: date(created),
      attributes: JSON.stringify({ warranty_years: chance.int(1, 5), recycled: chance.chance(0.3) }),
      ...stamps(created, created),
    });
    const weight = ranks.get(draft)! ** -0.85;
    const base = chance.around(line.price, 0.35);
    const colors = tenant.colors.filter(() => chance.chance(0.4));
    let position = 0;
    for (const color of colors.length === 0 ? [tenant.colors[0]!] : colors) {
      for (const [step, size] of line.sizes.entries()) {
        position += 1;
        const price = Math.max(500, Math.round((base * (1 + step * 0.12)) / 1) * 100 - 5);
        const cost = Math.round(price * (0.38 + chance.next() * 0.2));
        const variant: Variant = {
          id: world.id('commerce.variant'),
          product,
          sku: `${code}-${color.slice(0, 3).toUpperCase()}-${step + 1}`,
          title: `${brand} ${item}, ${color}${size === 'One size' ? '' : `, ${size}`}`,
          line,
          brand: tenant.brands.indexOf(brand),
          price,
          cost,
          weight: weight * chance.around(1, 0.5),
          launch,
          rating,
        };
        variants.push(variant);
        world.emit('commerce.variant', {
          id: variant.id,
          tenant_id: tenant.id,
          product_id: product,
          position,
          sku: variant.sku,
          name: variant.title,
          barcode: `20${String(variant.id).padStart(10, '0')}`,
          color,
          size,
          price: money(price),
          cost: money(cost),
          currency: tenant.currency,
          margin: money(price - cost),
          weight_kg: (0.2 + chance.next() * 6).toFixed(3),
          active: true,
          ...stamps(created, created),
        });
      }
    }
  }
  return variants;
}

function emitCampaigns(
  world: World,
  tenant: Tenant,
  born: number,
): Pick<Catalogue, 'campaigns' | 'welcome' | 'trade' | 'campaignCosts'> {
  const campaignCosts = new Map<number, number>();
  const discount = (
    code: string,
    percent: number,
    campaign: number | null,
    from: number,
    until: number | null,
  ): number => {
    const id = world.id('commerce.discount');
    world.emit('commerce.discount', {
      id,
      tenant_id: tenant.id,
      code,
      percent: percent.toFixed(2),
      campaign_id: campaign,
      valid_from: date(from),
      valid_until: until === null ? null : date(until),
      active: until === null || until >= world.until,
      ...stamps(born, born),
    });
    return id;
  };
  const welcome = discount('WELCOME10', 10, null, born, null);
  const trade = discount('TRADE12', 12, null, born, null);
  const campaigns = campaignRuns(tenant, world.start).map((run) => {
    const from = world.start + run.from * DAY;
    const to = world.start + run.to * DAY;
    const id = world.id('commerce.campaign');
    const code = `${run.plan.code}${run.year % 100}`;
    const daily = tenant.share * run.plan.lift * world.orders * 0.55;
    world.emit('commerce.campaign', {
      id,
      tenant_id: tenant.id,
      code,
      name: `${run.plan.name} ${run.year}`,
      status: to <= world.until ? 'ended' : from <= world.until ? 'running' : 'planned',
      medium: run.plan.medium,
      starts_on: date(from),
      ends_on: date(to - DAY),
      budget: money(Math.round(daily * run.plan.days * 1.1)),
      currency: tenant.currency,
      ...stamps(from - 20 * DAY, Math.min(world.until, Math.max(from, from - 20 * DAY))),
    });
    emitDays(world, tenant, id, run, daily, campaignCosts);
    return { ...run, id, discount: discount(code, run.plan.percent, id, from, to - DAY) };
  });
  return { campaigns, welcome, trade, campaignCosts };
}

function emitDays(
  world: World,
  tenant: Tenant,
  campaign: number,
  run: CampaignRun,
  daily: number,
  costs: Map<number, number>,
): void {
  const chance = random(world.seed, `campaign/${tenant.id}/${campaign}`);
  for (let day = run.from; day < run.to; day += 1) {
    const at = world.start + day * DAY;
    if (at >= world.until) break;
    const cost = Math.round(chance.around(daily, 0.2));
    const month = monthOf(at);
    costs.set(month, (costs.get(month) ?? 0) + cost);
    const clicks = Math.max(1, Math.round(cost / chance.int(38, 70)));
    world.emit('commerce.campaign_day', {
      id: world.id('commerce.campaign_day'),
      tenant_id: tenant.id,
      campaign_id: campaign,
      position: day - run.from + 1,
      date: date(at),
      impressions: clicks * chance.int(28, 60),
      clicks,
      cost: money(cost),
      currency: tenant.currency,
      ...stamps(at + DAY - 1, at + DAY - 1),
    });
  }
}
