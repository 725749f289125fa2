import type { Category, Priority } from '../basics.ts';
import { TICKET_WORDS } from '../tickets.ts';
import { type Context, claim, type Flow, insert, nearRandom, nextNumber, update } from './context.ts';

const MINUTE = 60_000;
const CATEGORIES = Object.keys(TICKET_WORDS) as Category[];

interface TicketRow {
  readonly id: string;
  readonly status: 'new' | 'open' | 'waiting' | 'solved';
  readonly category: Category;
  readonly customer_id: string;
  readonly assignee_id: string | null;
  readonly first_replied_at: Date | null;
  readonly reply_count: string;
}

const TICKET = 'id, status, category, customer_id, assignee_id, first_replied_at, reply_count';

const ticketIn = (context: Context, where: string): Promise<TicketRow | null> =>
  claim<TicketRow>(context, 'support.ticket', TICKET, where, [], 'opened_at, id');

/** Somebody who ordered writes to us. */
export const openTicket: Flow = async (context) => {
  const { client, random, shop } = context;
  const { rows } = await client.query<{ id: string; customer_id: string; kind: string }>(
    `SELECT o.id, o.customer_id, a.kind FROM commerce."order" o JOIN crm.account a ON a.id = o.customer_id
     WHERE o.tenant_id = $1 AND o.id >= $2 ORDER BY o.id LIMIT 1 FOR KEY SHARE OF o`,
    [shop.tenant.id, await nearRandom(context, 'commerce.order', 8000)],
  );
  const order = rows[0];
  if (!order) return false;
  const category = random.pick(CATEGORIES);
  const priority: Priority = order.kind === 'company' ? 'high' : random.pick(['low', 'normal', 'high']);
  const [subject, body] = random.pick(TICKET_WORDS[category]);
  const policy = shop.basics.policies[priority];
  const now = Date.now();
  const opened = new Date(now);
  const [ticket] = await insert(context, 'support.ticket', {
    number: await nextNumber(context, 'support', 'ticket', 'T-', 6),
    subject,
    customer_id: order.customer_id,
    order_id: category === 'account' || category === 'other' ? null : order.id,
    channel: random.pick(['email', 'email', 'chat', 'web']),
    category,
    priority,
    policy_id: policy.id,
    opened_at: opened,
  });
  const clock = (position: number, kind: string, minutes: number) => ({
    ticket_id: ticket,
    position,
    kind,
    started_at: opened,
    due_at: new Date(now + minutes * MINUTE),
  });
  await insert(
    context,
    'support.sla_clock',
    clock(1, 'first_response', policy.response),
    clock(2, 'resolution', policy.resolution),
  );
  await say(context, ticket!, 'in', null, body, opened);
  return true;
};

async function say(
  context: Context,
  ticket: number | string,
  direction: 'in' | 'out' | 'note',
  author: number | null,
  body: string,
  at: Date,
  macro: number | null = null,
): Promise<void> {
  await insert(context, 'support.reply', {
    ticket_id: ticket,
    direction,
    author_id: author,
    macro_id: macro,
    summary: body.slice(0, 60),
    body,
    sent_at: at,
  });
}

async function stopClock(context: Context, ticket: string, kind: string, at: Date): Promise<void> {
  await context.client.query(
    `UPDATE support.sla_clock SET stopped_at = $4, outcome = CASE WHEN $4 <= due_at THEN 'met' ELSE 'missed' END,
       updated_at = now(), version = version + 1 WHERE tenant_id = $1 AND ticket_id = $2 AND kind = $3`,
    [context.shop.tenant.id, ticket, kind, at],
  );
}

/** An answer to the customer, with what it sets; the first one stops the clock. */
async function answer(
  context: Context,
  ticket: TicketRow,
  body: string,
  macro: number | null,
  set: Readonly<Record<string, unknown>>,
  at: Date,
): Promise<void> {
  const author = Number(ticket.assignee_id ?? context.random.pick(context.shop.staff.support!));
  await update(context, 'support.ticket', Number(ticket.id), {
    assignee_id: author,
    first_replied_at: ticket.first_replied_at ?? at,
    reply_count: Number(ticket.reply_count) + 1,
    ...set,
  });
  await say(context, ticket.id, 'out', author, body, at, macro);
  if (ticket.first_replied_at === null) await stopClock(context, ticket.id, 'first_response', at);
}

/** The oldest ticket that waits for us is answered; now and then a colleague leaves a note first. */
export const answerTicket: Flow = async (context) => {
  const ticket = await ticketIn(context, "status IN ('new', 'open')");
  if (!ticket) return false;
  const { random, shop } = context;
  const at = new Date();
  if (random.chance(0.2))
    await say(
      context,
      ticket.id,
      'note',
      random.pick(shop.staff.support!),
      'See the order history first.',
      at,
    );
  const macro = random.chance(0.5) ? shop.basics.macros[ticket.category] : null;
  await answer(
    context,
    ticket,
    'Thank you for writing. We are looking into it.',
    macro,
    { status: 'waiting' },
    at,
  );
  return true;
};

/** A customer writes again, or is content and the ticket is solved. */
export const goOnWithTicket: Flow = async (context) => {
  const ticket = await ticketIn(context, "status = 'waiting'");
  if (!ticket) return false;
  const at = new Date();
  if (context.random.chance(0.4)) {
    await say(context, ticket.id, 'in', null, 'Any news? It would be good to know by tomorrow.', at);
    await update(context, 'support.ticket', Number(ticket.id), { status: 'open' });
    return true;
  }
  const body = 'This is settled now. Tell us if anything is left.';
  await answer(context, ticket, body, null, { status: 'solved', solved_at: at }, at);
  await stopClock(context, ticket.id, 'resolution', at);
  return true;
};

/** A solved ticket is closed; some customers say what they thought of it. */
export const closeTicket: Flow = async (context) => {
  const ticket = await ticketIn(context, "status = 'solved'");
  if (!ticket) return false;
  const { client, random, shop } = context;
  await update(context, 'support.ticket', Number(ticket.id), { status: 'closed', closed_at: new Date() });
  if (!random.chance(0.4)) return true;
  await client.query(
    `INSERT INTO support.satisfaction (tenant_id, ticket_id, customer_id, score) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id, ticket_id) DO NOTHING`,
    [shop.tenant.id, ticket.id, ticket.customer_id, random.pick([5, 5, 4, 4, 3, 2])],
  );
  return true;
};
