import { DAY, HOUR } from './calendar.ts';
import type { Campaign } from './catalogue.ts';
import { random } from './random.ts';
import type { Customer, Shop } from './shop.ts';
import { instant, numbered, stamps } from './world.ts';

/** Mailings whose messages are kept one by one: the newest ones that were sent. */
const KEPT = 2;
const NEWCOMER_DAYS = 90;

interface Mailing {
  readonly campaign: Campaign;
  readonly segment: string;
  readonly template: number;
  readonly subject: string;
  readonly at: number;
  /** Key, once it is known. */
  id: number;
  readonly kept: boolean;
  recipients: number;
  opens: number;
  clicks: number;
  bounces: number;
  unsubscribes: number;
}

export interface Mailings {
  /** The consent of a customer, with the messages kept of them. `contact` is their first contact. */
  subscribe(customer: Customer, contact: number, address: string): void;
  /** The kept mailings, whose counts are known when all customers are written. */
  finish(): void;
}

const STEPS = [
  [-3, 'teaser', 'Something is coming', 'all'],
  [0, 'start', 'It has begun', 'newcomers'],
  [-2, 'last_call', 'Only until tomorrow', 'vip'],
] as const;

/** Three mailings for each campaign, written when they go out. */
export function createMailings(shop: Shop): Mailings {
  const { world, catalogue, agenda, basics } = shop;
  const plan = catalogue.campaigns
    .flatMap((campaign) =>
      STEPS.map(([days, , subject, segment], index) => ({
        campaign,
        segment,
        template: basics.templates[index]!,
        subject: `${campaign.plan.name}: ${subject}`,
        at: world.start + (index === 2 ? campaign.to + days : campaign.from + days) * DAY + 8 * HOUR,
      })),
    )
    .sort((a, b) => a.at - b.at);
  const kept = new Set(
    plan.filter(({ at, segment }) => at < world.until && segment === 'newcomers').slice(-KEPT),
  );
  const mailings: Mailing[] = plan.map((one) => ({
    ...one,
    id: 0,
    kept: kept.has(one),
    recipients: 0,
    opens: 0,
    clicks: 0,
    bounces: 0,
    unsubscribes: 0,
  }));
  for (const mailing of mailings) {
    // Put down a week ahead; what is still to come is there as scheduled.
    if (mailing.at >= world.until + 14 * DAY) continue;
    agenda.at(Math.max(world.start, Math.min(mailing.at, world.until - HOUR)), () => {
      mailing.id = world.id('marketing.mailing');
      if (!mailing.kept) {
        if (mailing.at < world.until) count(shop, mailing);
        writeMailing(shop, mailing);
      }
    });
  }
  const detailed = mailings.filter((mailing) => mailing.kept);
  return {
    subscribe: (customer, contact, address) => subscribe(shop, detailed, customer, contact, address),
    finish() {
      for (const mailing of detailed) writeMailing(shop, mailing);
    },
  };
}

/** What is told of a mailing whose messages are not kept. */
function count(shop: Shop, mailing: Mailing): void {
  const chance = random(shop.world.seed, `mailing/${shop.tenant.id}/${mailing.at}/${mailing.template}`);
  const share = { all: 0.5, newcomers: 0.12, vip: 0.05 }[mailing.segment]!;
  mailing.recipients = Math.round(shop.customers.length * share);
  mailing.opens = Math.round(mailing.recipients * Math.min(0.6, chance.around(0.34, 0.15)));
  mailing.clicks = Math.round(mailing.opens * Math.min(0.5, chance.around(0.17, 0.2)));
  mailing.bounces = Math.round(mailing.recipients * 0.012);
  mailing.unsubscribes = Math.round(mailing.recipients * 0.003);
}

function writeMailing(shop: Shop, mailing: Mailing): void {
  const { world, tenant, basics } = shop;
  const sent = mailing.at < world.until;
  const created = Math.min(mailing.at, world.until) - 7 * DAY;
  world.emit('marketing.mailing', {
    id: mailing.id,
    tenant_id: tenant.id,
    number: numbered('M-', 5, shop.next('marketing.mailing')),
    status: sent ? 'sent' : 'scheduled',
    campaign_id: mailing.campaign.id,
    segment_id: basics.segments[mailing.segment]!,
    template_id: mailing.template,
    subject: mailing.subject,
    scheduled_at: instant(mailing.at),
    sent_at: sent ? instant(mailing.at) : null,
    kept_in_detail: mailing.kept || !sent,
    recipients: mailing.recipients,
    opens: mailing.opens,
    clicks: mailing.clicks,
    bounces: mailing.bounces,
    unsubscribes: mailing.unsubscribes,
    ...stamps(created, sent ? mailing.at : created),
  });
}

function subscribe(
  shop: Shop,
  mailings: readonly Mailing[],
  customer: Customer,
  contact: number,
  address: string,
): void {
  const { world, tenant } = shop;
  const id = world.id('marketing.subscription');
  const chance = random(world.seed, `subscription/${id}`);
  const endedAt = customer.createdAt + chance.around(300, 0.8) * DAY;
  const ended = endedAt < world.until && chance.chance(0.15);
  const subscribedAt = customer.createdAt + 30_000;
  const inTime = subscribedAt < world.until;
  world.emit('marketing.subscription', {
    id,
    tenant_id: tenant.id,
    status: ended ? 'unsubscribed' : inTime ? 'subscribed' : 'pending',
    contact_id: contact,
    account_id: customer.id,
    topic: 'offers',
    channel: 'email',
    address,
    source: customer.company ? 'sales' : chance.pick(['checkout', 'checkout', 'footer', 'store']),
    subscribed_at: inTime ? instant(subscribedAt) : null,
    ended_at: ended ? instant(endedAt) : null,
    ...stamps(customer.createdAt, ended ? endedAt : customer.createdAt),
  });
  for (const mailing of mailings) {
    const there = subscribedAt < mailing.at && !(ended && endedAt < mailing.at);
    if (there && customer.createdAt > mailing.at - NEWCOMER_DAYS * DAY)
      writeMessage(shop, mailing, customer.id, id, address);
  }
}

function writeMessage(
  shop: Shop,
  mailing: Mailing,
  account: number,
  subscription: number,
  address: string,
): void {
  const { world, tenant } = shop;
  const id = world.id('marketing.message');
  const chance = random(world.seed, `message/${id}`);
  const bounced = chance.chance(0.012);
  const openedAt = mailing.at + chance.around(5, 1) * HOUR;
  const clickedAt = openedAt + chance.int(20, 900) * 1000;
  const opened = !bounced && openedAt < world.until && chance.chance(0.36);
  const clicked = opened && clickedAt < world.until && chance.chance(0.18);
  const updatedAt = clicked ? clickedAt : opened ? openedAt : mailing.at;
  mailing.recipients += 1;
  mailing.opens += Number(opened);
  mailing.clicks += Number(clicked);
  mailing.bounces += Number(bounced);
  world.emit('marketing.message', {
    id,
    tenant_id: tenant.id,
    status: bounced ? 'bounced' : clicked ? 'clicked' : opened ? 'opened' : 'sent',
    mailing_id: mailing.id,
    subscription_id: subscription,
    account_id: account,
    address,
    sent_at: instant(mailing.at),
    ...stamps(mailing.at, updatedAt),
  });
  const event = (kind: 'open' | 'click' | 'bounce', at: number): void =>
    world.emit('marketing.event', {
      id: world.id('marketing.event'),
      tenant_id: tenant.id,
      message_id: id,
      account_id: account,
      kind,
      url:
        kind === 'click'
          ? `https://shop.${tenant.id}.example/campaign/${mailing.campaign.plan.code.toLowerCase()}`
          : null,
      happened_at: instant(at),
      ...stamps(at, at),
    });
  if (bounced) event('bounce', mailing.at);
  if (opened) event('open', openedAt);
  if (clicked) event('click', clickedAt);
}
