import type { Basics } from './basics.ts';
import { DAY } from './calendar.ts';
import { random } from './random.ts';
import type { Shop } from './shop.ts';
import { date, instant, numbered, stamps } from './world.ts';

export interface CallFacts {
  readonly account: number;
  readonly subject: string;
  readonly direction: 'in' | 'out';
  readonly line: keyof Basics['lines'];
  readonly member: number;
  readonly ticket: number | null;
  readonly opportunity: number | null;
  readonly at: number;
}

/** Recordings are erased after this. */
const KEPT_DAYS = 180;

export const TRANSCRIPTS = [
  [
    'Agreed on a new delivery day.',
    'Good morning, how can I help? - I am waiting for my parcel. - I see it here, it left yesterday. Shall it come on Thursday instead? - Yes, please. - Done, you will get a message.',
    'good',
  ],
  [
    'Asks for a better price from 50 pieces on.',
    'We like the samples. - That is good to hear. - The price is the question; at fifty pieces we need a step. - Let me see what we can do and send you an offer by Friday.',
    'neutral',
  ],
  [
    'Unhappy about a late refund.',
    'I have been waiting for two weeks. - I am sorry. The return came in on Monday, the refund goes out today. - I hope so. - You will have a mail within the hour.',
    'bad',
  ],
] as const;

/** A call as it is at the end of the history, mostly with a recording. `at` lies before the end. */
export function writeCall(shop: Shop, facts: CallFacts): void {
  const { world, tenant, basics } = shop;
  const id = world.id('voice.call');
  const chance = random(world.seed, `call/${id}`);
  const missed = facts.direction === 'in' && chance.chance(0.09);
  const seconds = missed ? 0 : Math.max(15, Math.round(chance.around(210, 0.7)));
  const answeredAt = facts.at + chance.int(3, 25) * 1000;
  const endedAt = answeredAt + seconds * 1000;
  const over = endedAt < world.until;
  const outcome = facts.ticket
    ? chance.pick(['solved', 'solved', 'call_again'])
    : chance.pick(['interested', 'interested', 'not_interested', 'voicemail', 'call_again']);
  world.emit('voice.call', {
    id,
    tenant_id: tenant.id,
    number: numbered('C-', 6, shop.next('voice.call')),
    status: missed ? 'missed' : over ? 'ended' : 'talking',
    subject: facts.subject,
    direction: facts.direction,
    line_id: basics.lines[facts.line],
    account_id: facts.account,
    member_id: missed ? null : facts.member,
    ticket_id: facts.ticket,
    opportunity_id: facts.opportunity,
    started_at: instant(facts.at),
    answered_at: missed ? null : instant(Math.min(answeredAt, world.until - 1)),
    ended_at: !missed && over ? instant(endedAt) : null,
    seconds: over ? seconds : 0,
    outcome_id: !missed && over ? basics.outcomes[outcome]! : null,
    note: null,
    ...stamps(facts.at, !missed && over ? endedAt : facts.at),
  });
  if (missed || !over || seconds < 30 || !chance.chance(0.6)) return;
  const [summary, transcript, sentiment] = TRANSCRIPTS[facts.ticket ? (chance.chance(0.7) ? 0 : 2) : 1]!;
  const recording = world.id('voice.recording');
  const keepUntil = endedAt + KEPT_DAYS * DAY;
  const erased = keepUntil < world.until;
  world.emit('voice.recording', {
    id: recording,
    tenant_id: tenant.id,
    status: erased ? 'erased' : 'ready',
    call_id: id,
    seconds,
    format: 'opus',
    url: erased ? null : `https://recordings.${tenant.id}.example/${recording}.opus`,
    language: 'en',
    transcript: erased ? null : transcript,
    summary: erased ? null : summary,
    sentiment,
    keep_until: date(keepUntil),
    ...stamps(endedAt, erased ? keepUntil : endedAt),
  });
}

/** One in some twenty buyers is told by text message that the parcel is on its way. */
export function maybeMessage(shop: Shop, order: number, account: number, tracking: string, at: number): void {
  // A hash of the key spares a generator for each of the many orders.
  if (Math.imul(order, 0x9e3779b1) >>> 0 > 0xffffffff * 0.05) return;
  const { world, tenant, basics } = shop;
  shop.agenda.at(at, () => {
    world.emit('voice.message', {
      id: world.id('voice.message'),
      tenant_id: tenant.id,
      status: 'delivered',
      direction: 'out',
      line_id: basics.lines.notifications,
      account_id: account,
      order_id: order,
      body: `${tenant.name}: your parcel ${tracking} is on its way.`,
      sent_at: instant(at),
      ...stamps(at, at),
    });
  });
}
