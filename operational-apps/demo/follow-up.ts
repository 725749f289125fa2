import { DAY, HOUR } from './calendar.ts';
import { writeCall } from './calls.ts';
import { writeEvent } from './office.ts';
import { random } from './random.ts';
import type { Shop } from './shop.ts';
import { date, instant, stamps } from './world.ts';

export interface FollowUp {
  readonly type: 'crm.lead' | 'crm.opportunity' | 'crm.account';
  readonly id: number;
  readonly name: string;
  /** Customer it concerns; none for a lead. */
  readonly account: number | null;
  readonly owner: number;
  readonly at: number;
  readonly kind: 'call' | 'email' | 'meeting' | 'demo' | 'visit';
}

const OUTCOMES = ['reached', 'voicemail', 'interested', 'not_interested', 'follow_up'] as const;
const MINUTES = { call: 12, email: 5, meeting: 50, demo: 45, visit: 120 } as const;
const WORDS = {
  call: 'Call',
  email: 'Write to',
  meeting: 'Meet',
  demo: 'Show samples to',
  visit: 'Visit',
} as const;
const NOTES = [
  ['Budget', 'The budget for this year is fixed; a decision needs the owner.'],
  ['Delivery', 'Wants delivery in two parts, the first before the season.'],
  ['Price', 'Asks for a better price from 50 pieces on.'],
  ['Taste', 'Likes muted colours, no plastics. Send the new range when it is out.'],
  ['Contact', 'Best reached in the morning; out on Fridays.'],
] as const;

/** An activity, done if its time is past, else planned; now and then a note or a task with it. */
export function follow(shop: Shop, one: FollowUp): void {
  const { world, tenant } = shop;
  const id = world.id('crm.activity');
  const chance = random(world.seed, `activity/${id}`);
  const done = one.at < world.until;
  const cancelled = done && chance.chance(0.06);
  const createdAt = Math.min(one.at, world.until) - chance.around(1, 0.5) * DAY;
  world.emit('crm.activity', {
    id,
    tenant_id: tenant.id,
    status: cancelled ? 'cancelled' : done ? 'done' : 'planned',
    kind: one.kind,
    subject: `${WORDS[one.kind]} ${one.name}`,
    regarding_type: one.type,
    regarding_id: one.id,
    owner_id: one.owner,
    due_at: instant(one.at),
    done_at: done && !cancelled ? instant(one.at) : null,
    minutes: done && !cancelled ? Math.max(2, Math.round(chance.around(MINUTES[one.kind], 0.4))) : 0,
    outcome: done && !cancelled ? chance.pick(OUTCOMES) : null,
    ...stamps(createdAt, done ? one.at : createdAt),
  });
  if (one.kind === 'call') {
    if (done && !cancelled) talk(shop, one);
  } else if (one.kind !== 'email') meet(shop, one, cancelled, createdAt);
  if (done && chance.chance(0.35)) {
    const [title, body] = chance.pick(NOTES);
    world.emit('crm.note', {
      id: world.id('crm.note'),
      tenant_id: tenant.id,
      title,
      body,
      regarding_type: one.type,
      regarding_id: one.id,
      author_id: one.owner,
      ...stamps(one.at, one.at),
    });
  }
  if (!chance.chance(0.25)) return;
  const dueAt = one.at + chance.around(4, 0.5) * DAY;
  const finished = dueAt < world.until;
  const dropped = finished && chance.chance(0.1);
  world.emit('crm.task', {
    id: world.id('crm.task'),
    tenant_id: tenant.id,
    status: dropped ? 'dropped' : finished ? 'done' : 'open',
    title: `${chance.pick(['Send offer to', 'Send samples to', 'Check credit of', 'Prepare visit at'])} ${one.name}`,
    regarding_type: one.type,
    regarding_id: one.id,
    owner_id: one.owner,
    priority: chance.pick(['low', 'normal', 'normal', 'high']),
    due_on: date(dueAt),
    done_at: finished && !dropped ? instant(dueAt - HOUR) : null,
    ...stamps(createdAt, finished ? dueAt - HOUR : createdAt),
  });
}

/** A call about a deal, as the telephone system sees it. */
function talk(shop: Shop, one: FollowUp): void {
  const { account } = one;
  if (account === null) return;
  shop.agenda.at(one.at, () =>
    writeCall(shop, {
      account,
      subject: `${WORDS.call} ${one.name}`,
      direction: 'out',
      line: 'sales',
      member: one.owner,
      ticket: null,
      opportunity: one.type === 'crm.opportunity' ? one.id : null,
      at: one.at,
    }),
  );
}

/** A meeting stands in the calendar from the day on which it is agreed. */
function meet(shop: Shop, one: FollowUp, cancelled: boolean, createdAt: number): void {
  if (one.kind === 'call' || one.kind === 'email') return;
  writeEvent(shop, {
    title: `${WORDS[one.kind]} ${one.name}`,
    organiser: one.owner,
    attendees: one.kind === 'demo' ? [shop.catalogue.staff.projects[0]!] : [],
    regarding: [one.type, one.id],
    createdAt,
    at: one.at,
    minutes: MINUTES[one.kind],
    place: one.kind === 'visit' ? one.name : null,
    cancelled,
  });
}
