import { DAY } from './calendar.ts';
import type { Mailings } from './mailings.ts';
import { job, person } from './people.ts';
import { random } from './random.ts';
import { type Customer, profileOf, type Shop } from './shop.ts';
import { date, numbered, stamps } from './world.ts';

const TIERS = [
  [150_000, 'platinum'],
  [60_000, 'gold'],
  [25_000, 'silver'],
] as const;

/** Accounts and their contacts, written last because they tell what became of the customer. */
export function writeAccount(shop: Shop, customer: Customer, mailings: Mailings): void {
  const { world, tenant } = shop;
  const profile = profileOf(shop, customer);
  const chance = random(world.seed, `account/${customer.id}`);
  const region = tenant.regions[customer.region]!;
  const quiet = world.until - customer.lastAt > 182 * DAY;
  const status =
    customer.orders === 0 ? 'prospect' : quiet ? (chance.chance(0.03) ? 'closed' : 'dormant') : 'active';
  const segment = !customer.company
    ? 'consumer'
    : customer.spent > 2_000_000
      ? 'enterprise'
      : customer.spent > 600_000
        ? 'mid'
        : 'small';
  const tags = customer.company ? ['wholesale'] : [];
  if (customer.orders >= 8 || customer.spent > 500_000) tags.push('vip');
  if (customer.orders >= 3 && quiet) tags.push('at_risk');
  const { address } = profile;
  const consent = chance.chance(0.58);
  const updatedAt = Math.max(customer.createdAt, customer.lastAt);
  world.emit('crm.account', {
    id: customer.id,
    tenant_id: tenant.id,
    number: numbered('A-', 7, shop.next('crm.account')),
    status,
    name: profile.name,
    kind: customer.company ? 'company' : 'person',
    segment,
    industry: profile.company?.industry ?? null,
    email: profile.person.email,
    phone: chance.chance(0.8) ? profile.person.phone : null,
    website: profile.company ? `https://${profile.company.domain}` : null,
    billing_street: address.street,
    billing_city: address.city,
    billing_region: address.region,
    billing_postal_code: address.postalCode,
    billing_country: address.country,
    region: region.code,
    currency: tenant.currency,
    acquired_through: customer.source,
    owner_id: customer.owner,
    parent_id: null,
    marketing_consent: consent,
    loyalty_tier: customer.company
      ? 'none'
      : (TIERS.find(([least]) => customer.spent >= least)?.[1] ?? 'none'),
    tags: `{${tags.join(',')}}`,
    ...stamps(customer.createdAt, updatedAt),
  });
  const people = customer.company ? 1 + chance.int(0, 2) : 1;
  for (let index = 0; index < people; index += 1) {
    const who = index === 0 ? profile.person : person(chance, region, customer.id, profile.company?.domain);
    const contact = world.id('crm.contact');
    if (consent && index === 0) mailings.subscribe(customer, contact, who.email);
    world.emit('crm.contact', {
      id: contact,
      tenant_id: tenant.id,
      account_id: customer.id,
      name: who.name,
      first_name: who.first,
      last_name: who.last,
      email: who.email,
      phone: who.phone,
      job_title: customer.company ? job(chance) : null,
      born_on:
        customer.company || chance.chance(0.4)
          ? null
          : date(Date.UTC(chance.int(1948, 2004), chance.int(0, 11), chance.int(1, 28))),
      language: region.language,
      primary: index === 0,
      ...stamps(customer.createdAt, customer.createdAt),
    });
  }
}
