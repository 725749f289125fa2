import { DAY, HISTORY_DAYS, HOUR, officeTime } from './calendar.ts';
import { follow } from './follow-up.ts';
import { planDocument } from './office.ts';
import { company, person } from './people.ts';
import { planProject } from './projects.ts';
import { random } from './random.ts';
import { addCustomer, type Customer, expect, pickRegion, profileOf, type Shop } from './shop.ts';
import { date, instant, money, numbered, stamps } from './world.ts';

const SOURCES = ['website', 'website', 'trade_fair', 'referral', 'cold_call', 'partner', 'webinar'] as const;
const LEAD_LOSSES = ['budget', 'timing', 'competitor', 'no_need', 'unreachable'] as const;
const DEAL_LOSSES = ['price', 'competitor', 'timing', 'no_decision', 'features'] as const;
const RIVALS = ['Northwind Supply', 'Habitat Direct', 'BaseCamp Pro', 'Fabrikam Trade'];
const STAGES = ['qualification', 'proposal', 'negotiation'] as const;
const PROBABILITY = { qualification: 15, proposal: 40, negotiation: 70, won: 100, lost: 0 } as const;
/** Of the leads of a kind, how many are worth pursuing. */
const QUALITY: Readonly<Record<(typeof SOURCES)[number], number>> = {
  website: 0.42,
  trade_fair: 0.5,
  referral: 0.72,
  cold_call: 0.24,
  partner: 0.62,
  webinar: 0.38,
};

/** One lead and what became of it until the end of the history. */
export function writeLead(shop: Shop, day: number): void {
  const { world, tenant, random: chance } = shop;
  const until = world.until;
  const createdAt = officeTime(world.start + day * DAY, tenant.utcOffset, chance);
  if (createdAt >= until) return;
  const id = world.id('crm.lead');
  const region = pickRegion(shop, day / HISTORY_DAYS);
  const place = tenant.regions[region]!;
  const owner = chance.pick(shop.catalogue.team);
  const source = chance.pick(SOURCES);
  const good = chance.chance(QUALITY[source]);
  const next = (from: number, days: number): number =>
    officeTime(from + chance.around(days, 0.6) * DAY, tenant.utcOffset, chance) + 0.5 * HOUR;
  const contactedAt = next(createdAt, 1.5);
  const qualifiedAt = Math.max(next(contactedAt, 5), contactedAt + HOUR);
  const convertedAt = Math.max(next(qualifiedAt, 6), qualifiedAt + HOUR);
  let status = 'new';
  let updatedAt = createdAt;
  if (contactedAt < until) [status, updatedAt] = ['contacted', contactedAt];
  if (qualifiedAt < until) [status, updatedAt] = [good ? 'qualified' : 'disqualified', qualifiedAt];
  const converts = good && convertedAt < until && chance.chance(0.8);
  if (good && convertedAt < until)
    [status, updatedAt] = [converts ? 'converted' : 'disqualified', convertedAt];
  let customer: Customer | null = null;
  if (converts) {
    customer = addCustomer(shop, {
      region,
      company: true,
      source: 'sales',
      createdAt: convertedAt,
      loyalty: 0.78 + chance.next() * 0.14,
      owner,
    });
  }
  const own = random(world.seed, `lead/${id}`);
  const profile = customer ? profileOf(shop, customer) : null;
  const firm = profile?.company ?? company(own, place, id);
  const who = profile?.person ?? person(own, place, id, firm.domain);
  world.emit('crm.lead', {
    id,
    tenant_id: tenant.id,
    number: numbered('L-', 6, shop.next('crm.lead')),
    status,
    company: firm.name,
    contact_name: who.name,
    email: who.email,
    phone: who.phone,
    region: place.code,
    industry: firm.industry,
    source,
    score: Math.max(1, Math.min(100, Math.round((good ? 68 : 34) + own.normal() * 14))),
    owner_id: owner,
    account_id: customer?.id ?? null,
    converted_at: converts ? instant(convertedAt) : null,
    lost_reason: status === 'disqualified' ? own.pick(LEAD_LOSSES) : null,
    ...stamps(createdAt, updatedAt),
  });
  follow(shop, {
    type: 'crm.lead',
    id,
    name: firm.name,
    account: null,
    owner,
    at: contactedAt,
    kind: own.chance(0.6) ? 'call' : 'email',
  });
  if (status === 'contacted')
    follow(shop, {
      type: 'crm.lead',
      id,
      name: firm.name,
      account: null,
      owner,
      at: qualifiedAt,
      kind: 'call',
    });
  if (customer) writeDeal(shop, customer, owner, id, convertedAt);
}

/** A deal through its stages; a won one becomes the account's next order and often another deal later. */
function writeDeal(
  shop: Shop,
  customer: Customer,
  owner: number,
  lead: number | null,
  createdAt: number,
): void {
  const { world, tenant, random: chance } = shop;
  const until = world.until;
  const id = world.id('crm.opportunity');
  const firm = profileOf(shop, customer);
  const amount = Math.round(chance.around(lead === null ? 6200 : 4200, 0.7)) * 100;
  const wins = chance.chance(lead === null ? 0.52 : 0.36);
  const moves = [1, 2, 3].map((step) => createdAt + step * HOUR);
  let at = createdAt;
  const quits = wins ? 3 : chance.int(1, 3);
  for (let step = 0; step < 3; step += 1) {
    at = Math.max(at + HOUR, officeTime(at + chance.around(9, 0.6) * DAY, tenant.utcOffset, chance));
    moves[step] = at;
  }
  const passed = moves.filter((moment, index) => moment < until && index < quits).length;
  const closed = passed === quits;
  const stage = closed ? (wins ? 'won' : 'lost') : STAGES[passed]!;
  const closedAt = closed ? moves[quits - 1]! : null;
  const updatedAt = passed === 0 ? createdAt : moves[passed - 1]!;
  const probability = PROBABILITY[stage];
  const lost = stage === 'lost' ? chance.pick(DEAL_LOSSES) : null;
  const purpose = chance.pick([
    'first order',
    'spring range',
    'refit',
    'new site',
    'season stock',
    'staff shop',
  ]);
  const name = `${firm.name}: ${purpose}`;
  world.emit('crm.opportunity', {
    id,
    tenant_id: tenant.id,
    number: numbered('D-', 6, shop.next('crm.opportunity')),
    stage,
    name,
    account_id: customer.id,
    contact_id: null,
    lead_id: lead,
    owner_id: owner,
    amount: money(amount),
    currency: tenant.currency,
    probability,
    weighted_amount: money(Math.round((amount * probability) / 100)),
    expected_close_on: date(moves[2]!),
    closed_at: closedAt === null ? null : instant(closedAt),
    lost_reason: lost,
    competitor: lost === 'competitor' ? chance.pick(RIVALS) : null,
    ...stamps(createdAt, updatedAt),
  });
  const kinds = ['demo', 'meeting', 'call'] as const;
  for (let step = 0; step <= Math.min(passed, quits - 1); step += 1) {
    follow(shop, {
      type: 'crm.opportunity',
      id,
      name: firm.name,
      account: customer.id,
      owner,
      at: moves[step]! - HOUR / 2,
      kind: kinds[step]!,
    });
  }
  if (passed > 0 && id % 4 === 0)
    planDocument(shop, {
      title: `Proposal for ${firm.name}`,
      kind: 'proposal',
      owner,
      regarding: ['crm.opportunity', id],
      at: moves[0]!,
    });
  if (stage !== 'won') return;
  if (purpose === 'refit' || purpose === 'new site')
    planProject(shop, {
      name,
      kind: 'fit_out',
      account: customer.id,
      opportunity: id,
      owner,
      budget: Math.round(amount * 0.2),
      at: closedAt! + 2 * DAY,
    });
  customer.deal = { id, amount };
  const day = Math.ceil((closedAt! - world.start) / DAY);
  if (day < HISTORY_DAYS) expect(shop, customer, day);
  const again = closedAt! + chance.around(140, 0.4) * DAY;
  if (again < until && chance.chance(0.55))
    writeDeal(shop, customer, owner, null, officeTime(again, tenant.utcOffset, chance));
}
