import { address, company, person } from '../people.ts';
import { money } from '../world.ts';
import { cents } from './cents.ts';
import { type Context, claim, type Flow, insert, nearRandom, nextNumber, update } from './context.ts';
import { orderForDeal } from './ordering.ts';

/** Somebody leaves their card. */
export const newLead: Flow = async (context) => {
  const { random, shop } = context;
  const region = random.pick(shop.tenant.regions);
  const firm = company(random, region, random.int(100_000, 999_999));
  const who = person(random, region, 0, firm.domain);
  await insert(context, 'crm.lead', {
    number: await nextNumber(context, 'crm', 'lead', 'L-', 6),
    company: firm.name,
    contact_name: who.name,
    email: who.email,
    phone: who.phone,
    region: region.code,
    industry: firm.industry,
    source: random.pick(['website', 'trade_fair', 'referral', 'cold_call', 'partner', 'webinar']),
    score: random.int(5, 95),
    owner_id: random.pick(shop.team),
  });
  return true;
};

interface LeadRow {
  readonly id: string;
  readonly status: 'new' | 'contacted' | 'qualified';
  readonly company: string;
  readonly contact_name: string;
  readonly email: string;
  readonly phone: string | null;
  readonly region: string;
  readonly industry: string | null;
  readonly owner_id: string;
}

/** The oldest open lead takes its next step. */
export const workLead: Flow = async (context) => {
  const lead = await claim<LeadRow>(
    context,
    'crm.lead',
    'id, status, company, contact_name, email, phone, region, industry, owner_id',
    "status IN ('new', 'contacted', 'qualified')",
    [],
    'updated_at, id',
  );
  if (!lead) return false;
  const id = Number(lead.id);
  if (context.random.chance(0.3)) {
    await update(context, 'crm.lead', id, { status: 'disqualified', lost_reason: 'timing' });
  } else if (lead.status === 'new') await update(context, 'crm.lead', id, { status: 'contacted' });
  else if (lead.status === 'contacted') await update(context, 'crm.lead', id, { status: 'qualified' });
  else await convert(context, lead);
  return true;
};

async function convert(context: Context, lead: LeadRow): Promise<void> {
  const { random, shop } = context;
  const region = shop.tenant.regions.find((one) => one.code === lead.region) ?? shop.tenant.regions[0]!;
  const place = address(random, region);
  const [first = '', ...last] = lead.contact_name.split(' ');
  const [account] = await insert(context, 'crm.account', {
    number: await nextNumber(context, 'crm', 'account', 'A-', 7),
    name: lead.company,
    kind: 'company',
    segment: 'small',
    industry: lead.industry,
    email: lead.email,
    phone: lead.phone,
    billing_street: place.street,
    billing_city: place.city,
    billing_region: place.region,
    billing_postal_code: place.postalCode,
    billing_country: place.country,
    region: region.code,
    currency: shop.tenant.currency,
    acquired_through: 'sales',
    owner_id: lead.owner_id,
    tags: ['wholesale'],
  });
  const [contact] = await insert(context, 'crm.contact', {
    account_id: account,
    name: lead.contact_name,
    first_name: first,
    last_name: last.join(' '),
    email: lead.email,
    phone: lead.phone,
    language: region.language,
    primary: true,
  });
  const amount = random.int(800, 18_000) * 100;
  await insert(context, 'crm.opportunity', {
    number: await nextNumber(context, 'crm', 'opportunity', 'D-', 6),
    name: `${lead.company}: first order`,
    account_id: account,
    contact_id: contact,
    lead_id: lead.id,
    owner_id: lead.owner_id,
    amount: money(amount),
    currency: shop.tenant.currency,
    probability: 15,
    weighted_amount: money(Math.round((amount * 15) / 100)),
    expected_close_on: new Date(Date.now() + random.int(10, 60) * 86_400_000),
  });
  await update(context, 'crm.lead', Number(lead.id), {
    status: 'converted',
    account_id: account,
    converted_at: new Date(),
  });
}

interface DealRow {
  readonly id: string;
  readonly stage: 'qualification' | 'proposal' | 'negotiation';
  readonly amount: string;
  readonly account_id: string;
}

/** A deal moves a stage on, or is lost; a won one becomes an order in the same transaction. */
export const workDeal: Flow = async (context) => {
  const { random } = context;
  const deal = await claim<DealRow>(
    context,
    'crm.opportunity',
    'id, stage, amount, account_id',
    "stage IN ('qualification', 'proposal', 'negotiation')",
    [],
    'updated_at, id',
  );
  if (!deal) return false;
  const lost = random.chance(deal.stage === 'negotiation' ? 0.4 : 0.2);
  const stage = lost
    ? 'lost'
    : ({ qualification: 'proposal', proposal: 'negotiation', negotiation: 'won' } as const)[deal.stage];
  const probability = { proposal: 40, negotiation: 70, won: 100, lost: 0 }[stage];
  await update(context, 'crm.opportunity', Number(deal.id), {
    stage,
    probability,
    weighted_amount: money(Math.round((cents(deal.amount) * probability) / 100)),
    closed_at: stage === 'won' || stage === 'lost' ? new Date() : null,
    lost_reason: stage === 'lost' ? random.pick(['price', 'competitor', 'timing', 'no_decision']) : null,
  });
  if (stage === 'won') await orderForDeal(context, Number(deal.account_id), Number(deal.id));
  return true;
};

/** A planned activity is done, or a new one is put down, with a note now and then. */
export const beActive: Flow = async (context) => {
  const { random, shop } = context;
  const planned = random.chance(0.5)
    ? await claim<{ id: string }>(context, 'crm.activity', 'id', "status = 'planned'", [], 'due_at, id')
    : null;
  if (planned) {
    await update(context, 'crm.activity', Number(planned.id), {
      status: 'done',
      done_at: new Date(),
      minutes: random.int(3, 60),
      outcome: random.pick(['reached', 'voicemail', 'interested', 'follow_up']),
    });
    return true;
  }
  const account = await randomAccount(context);
  if (!account) return false;
  const owner = random.pick(shop.team);
  await insert(context, 'crm.activity', {
    kind: random.pick(['call', 'email', 'meeting']),
    subject: `Talk to ${account.name}`,
    regarding_type: 'crm.account',
    regarding_id: account.id,
    owner_id: owner,
    due_at: new Date(Date.now() + random.int(1, 240) * 3_600_000),
  });
  if (random.chance(0.5))
    await insert(context, 'crm.note', {
      title: 'Called',
      body: `Spoke to ${account.name}. Wants to hear from us again.`,
      regarding_type: 'crm.account',
      regarding_id: account.id,
      author_id: owner,
    });
  return true;
};

const randomAccount = async (
  context: Context,
): Promise<{ id: string; name: string; region: string } | null> =>
  claim(context, 'crm.account', 'id, name, region', 'id >= $2', [
    await nearRandom(context, 'crm.account', 50_000),
  ]);

/** A customer moves house, changes their mind about mail, or climbs a tier. */
export const changeCustomer: Flow = async (context) => {
  const { random, shop } = context;
  const account = await randomAccount(context);
  if (!account) return false;
  const region = shop.tenant.regions.find((one) => one.code === account.region) ?? shop.tenant.regions[0]!;
  const place = address(random, region);
  const change = random.pick([
    { billing_street: place.street, billing_city: place.city, billing_postal_code: place.postalCode },
    { marketing_consent: random.chance(0.5) },
    { loyalty_tier: random.pick(['silver', 'gold', 'platinum']) },
    { tags: random.pick([['vip'], ['at_risk'], ['press'], []]) },
  ] as Record<string, unknown>[]);
  await update(context, 'crm.account', Number(account.id), change);
  return true;
};

/** Notes, finished tasks and reviews are sometimes deleted. */
export const tidyUp: Flow = async (context) => {
  const [table, where] = context.random.pick([
    ['crm.note', 'true'],
    ['crm.task', "status <> 'open'"],
    ['commerce.review', 'rating < 3'],
  ] as const);
  const row = await claim<{ id: string }>(context, table, 'id', `id >= $2 AND ${where}`, [
    await nearRandom(context, table, 5000),
  ]);
  if (!row) return false;
  await context.client.query(`DELETE FROM ${table} WHERE id = $1`, [row.id]);
  return true;
};
