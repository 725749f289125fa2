import type { Category, Priority } from './basics.ts';
import { DAY, HOUR } from './calendar.ts';
import { writeCall } from './calls.ts';
import type { Outcome } from './fulfilment.ts';
import { type Random, random } from './random.ts';
import type { Customer, Shop } from './shop.ts';
import { instant, numbered, stamps } from './world.ts';

const MINUTE = 60_000;
/** Share of the orders with this outcome that somebody writes about. */
const SHARE: Readonly<Record<Outcome['status'], number>> = {
  placed: 0.04,
  paid: 0.03,
  shipped: 0.05,
  delivered: 0.045,
  returned: 0.26,
  cancelled: 0.14,
};

export const TICKET_WORDS: Readonly<Record<Category, readonly (readonly [subject: string, body: string])[]>> =
  {
    delivery: [
      ['Where is my order?', 'The tracking has not moved for two days. Can you look into it?'],
      ['Parcel damaged', 'The box arrived crushed, the goods seem to be all right but I am not sure.'],
      ['Delivery to another address', 'We are away next week. Could the neighbours take it?'],
    ],
    return: [
      ['How do I send it back?', 'It does not fit. I would like to return it and have my money back.'],
      ['Refund not here yet', 'I sent it back last week and have not seen the refund.'],
    ],
    product: [
      ['Question about care', 'Can this be washed at 40 degrees?'],
      ['A part is missing', 'There were only three screws in the bag, the paper says four.'],
    ],
    payment: [
      ['Charged twice?', 'My bank shows two bookings for one order.'],
      ['Invoice needed', 'I need an invoice with our company address, please.'],
    ],
    account: [['New address', 'We have moved. Please change the address of my account.']],
    other: [['Thank you', 'Just wanted to say that the packaging without plastics is great.']],
  };

const categoryOf = (status: Outcome['status'], chance: Random): Category => {
  if (status === 'returned') return 'return';
  if (status === 'cancelled') return 'payment';
  if (status === 'placed') return chance.pick(['payment', 'account']);
  if (status === 'shipped') return 'delivery';
  return chance.pick(['delivery', 'delivery', 'product', 'product', 'payment', 'account', 'other']);
};

/** Some orders make their buyers write or call. */
export function maybeTicket(
  shop: Shop,
  order: { readonly id: number; readonly customer: Customer; readonly at: number },
  outcome: Outcome,
): void {
  const chance = random(shop.world.seed, `ticket/${order.id}`);
  if (!chance.chance(SHARE[outcome.status])) return;
  const category = categoryOf(outcome.status, chance);
  const openedAt = Math.max(
    order.at + HOUR,
    category === 'return'
      ? outcome.updatedAt - chance.around(3, 0.6) * DAY
      : order.at + chance.around(2.5, 0.7) * DAY,
  );
  shop.agenda.at(openedAt, () => writeTicket(shop, order, category, openedAt, chance));
}

interface Said {
  readonly direction: 'in' | 'out' | 'note';
  readonly at: number;
  readonly body: string;
}

function writeTicket(
  shop: Shop,
  order: { readonly id: number; readonly customer: Customer },
  category: Category,
  openedAt: number,
  chance: Random,
): void {
  const { world, tenant, basics, catalogue } = shop;
  const { until } = world;
  const priority: Priority = order.customer.company
    ? chance.pick(['high', 'urgent'])
    : chance.pick(['low', 'normal', 'normal', 'normal', 'high']);
  const policy = basics.policies[priority];
  const assignee = chance.pick(catalogue.staff.support);
  const channel = chance.pick(['email', 'email', 'email', 'chat', 'web', 'phone'] as const);
  const repliedAt = openedAt + chance.around(policy.response * 0.5, 0.75) * MINUTE;
  const solvedAt = repliedAt + chance.around(policy.resolution * 0.42, 0.8) * MINUTE;
  const closedAt = solvedAt + 4 * DAY;
  const [subject, body] = chance.pick(TICKET_WORDS[category]);
  const said = conversation(chance, body, openedAt, repliedAt, solvedAt).filter(({ at }) => at < until);
  const last = said.filter(({ direction }) => direction !== 'note').at(-1)!;
  const status =
    closedAt < until
      ? 'closed'
      : solvedAt < until
        ? 'solved'
        : repliedAt >= until
          ? 'new'
          : last.direction === 'out'
            ? 'waiting'
            : 'open';
  const id = world.id('support.ticket');
  const number = numbered('T-', 6, shop.next('support.ticket'));
  const before = (at: number): string | null => (at < until ? instant(at) : null);
  world.emit('support.ticket', {
    id,
    tenant_id: tenant.id,
    number,
    status,
    subject,
    customer_id: order.customer.id,
    order_id: category === 'account' || category === 'other' ? null : order.id,
    channel,
    category,
    priority,
    assignee_id: status === 'new' ? null : assignee,
    policy_id: policy.id,
    opened_at: instant(openedAt),
    first_replied_at: before(repliedAt),
    solved_at: before(solvedAt),
    closed_at: before(closedAt),
    reply_count: said.filter(({ direction }) => direction === 'out').length,
    reopened_count: 0,
    tags: category === 'return' ? '{refund}' : order.customer.company ? '{vip}' : '{}',
    ...stamps(openedAt, closedAt < until ? closedAt : Math.max(openedAt, ...said.map(({ at }) => at))),
  });
  const missed = writeClock(shop, id, 1, openedAt, policy.response, repliedAt);
  const late = writeClock(shop, id, 2, openedAt, policy.resolution, solvedAt);
  for (const one of said)
    world.emit('support.reply', {
      id: world.id('support.reply'),
      tenant_id: tenant.id,
      ticket_id: id,
      direction: one.direction,
      author_id: one.direction === 'in' ? null : assignee,
      macro_id: one.direction === 'out' && chance.chance(0.4) ? basics.macros[category] : null,
      summary: one.body.slice(0, 60),
      body: one.body,
      sent_at: instant(one.at),
      ...stamps(one.at, one.at),
    });
  const answeredAt = solvedAt + chance.around(20, 0.5) * HOUR;
  if (answeredAt < until && chance.chance(0.34)) {
    const mood = 4.5 - (missed ? 0.9 : 0) - (late ? 1.2 : 0);
    world.emit('support.satisfaction', {
      id: world.id('support.satisfaction'),
      tenant_id: tenant.id,
      ticket_id: id,
      customer_id: order.customer.id,
      score: Math.max(1, Math.min(5, Math.round(mood + chance.normal() * 0.7))),
      comment: chance.chance(0.3) ? chance.pick(['Quick and kind', 'Took a while', 'All fine now']) : null,
      answered_at: instant(answeredAt),
      ...stamps(answeredAt, answeredAt),
    });
  }
  if (channel === 'phone')
    writeCall(shop, {
      account: order.customer.id,
      subject,
      direction: 'in',
      line: 'support',
      member: assignee,
      ticket: id,
      opportunity: null,
      at: openedAt,
    });
}

function conversation(
  chance: Random,
  body: string,
  openedAt: number,
  repliedAt: number,
  solvedAt: number,
): Said[] {
  const said: Said[] = [{ direction: 'in', at: openedAt, body }];
  if (chance.chance(0.22))
    said.push({
      direction: 'note',
      at: repliedAt - (repliedAt - openedAt) * 0.3,
      body: chance.pick([
        'Asked the warehouse.',
        'Known customer, be generous.',
        'See the order history first.',
      ]),
    });
  said.push({ direction: 'out', at: repliedAt, body: 'Thank you for writing. We are looking into it.' });
  const rounds = chance.int(0, 2);
  for (let round = 0; round < rounds; round += 1) {
    const from = repliedAt + ((solvedAt - repliedAt) * round) / rounds;
    const span = (solvedAt - repliedAt) / rounds;
    said.push({
      direction: 'in',
      at: from + span * 0.4,
      body: 'Any news? It would be good to know by tomorrow.',
    });
    if (round < rounds - 1)
      said.push({
        direction: 'out',
        at: from + span * 0.7,
        body: 'We have asked the carrier and will tell you.',
      });
  }
  said.push({ direction: 'out', at: solvedAt, body: 'This is settled now. Tell us if anything is left.' });
  return said;
}

/** Whether its time was missed. */
function writeClock(
  shop: Shop,
  ticket: number,
  position: number,
  startedAt: number,
  minutes: number,
  stoppedAt: number,
): boolean {
  const { world, tenant } = shop;
  const dueAt = startedAt + minutes * MINUTE;
  const stopped = stoppedAt < world.until;
  const missed = stopped ? stoppedAt > dueAt : dueAt < world.until;
  world.emit('support.sla_clock', {
    id: world.id('support.sla_clock'),
    tenant_id: tenant.id,
    ticket_id: ticket,
    position,
    kind: position === 1 ? 'first_response' : 'resolution',
    started_at: instant(startedAt),
    due_at: instant(dueAt),
    stopped_at: stopped ? instant(stoppedAt) : null,
    outcome: missed ? 'missed' : stopped ? 'met' : 'running',
    ...stamps(startedAt, stopped ? stoppedAt : missed ? dueAt : startedAt),
  });
  return missed;
}
