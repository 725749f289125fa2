import { TRANSCRIPTS } from '../calls.ts';
import { type Context, claim, type Flow, insert, nearRandom, nextNumber, update } from './context.ts';

const KEPT_MS = 180 * 86_400_000;

/** A call that has just ended is logged, with its outcome and often a recording that is still worked on. */
export const logCall: Flow = async (context) => {
  const { random, shop } = context;
  const ticket = random.chance(0.3)
    ? await claim<{ id: string; subject: string; customer_id: string }>(
        context,
        'support.ticket',
        'id, subject, customer_id',
        "status IN ('new', 'open', 'waiting')",
        [],
        'opened_at, id',
      )
    : null;
  const account = ticket
    ? { id: ticket.customer_id, name: ticket.subject }
    : await claim<{ id: string; name: string }>(context, 'crm.account', 'id, name', 'id >= $2', [
        await nearRandom(context, 'crm.account', 50_000),
      ]);
  if (!account) return false;
  const incoming = ticket !== null || random.chance(0.4);
  const missed = incoming && random.chance(0.12);
  const seconds = missed ? 0 : random.int(20, 900);
  const ended = Math.floor(Date.now() / 1000) * 1000;
  const answered = ended - seconds * 1000;
  const { basics } = shop;
  const [call] = await insert(context, 'voice.call', {
    number: await nextNumber(context, 'voice', 'call', 'C-', 6),
    status: missed ? 'missed' : 'ended',
    subject: ticket ? account.name : `Call ${account.name}`,
    direction: incoming ? 'in' : 'out',
    line_id: basics.lines[ticket ? 'support' : 'sales'],
    account_id: account.id,
    member_id: missed ? null : random.pick(ticket ? shop.staff.support! : shop.team),
    ticket_id: ticket?.id ?? null,
    started_at: new Date(answered - 9000),
    answered_at: missed ? null : new Date(answered),
    ended_at: missed ? null : new Date(ended),
    seconds,
    outcome_id: missed ? null : basics.outcomes[random.pick(Object.keys(basics.outcomes))],
  });
  if (seconds > 60 && random.chance(0.6))
    await insert(context, 'voice.recording', {
      call_id: call,
      seconds,
      language: 'en',
      keep_until: new Date(ended + KEPT_MS),
    });
  return true;
};

/** A recording is written down, or erased when its time is over. */
export const workRecording: Flow = async (context) => {
  const { random, shop } = context;
  const waiting = await claim<{ id: string }>(context, 'voice.recording', 'id', "status = 'processing'");
  if (waiting) {
    const [summary, transcript, sentiment] = random.pick(TRANSCRIPTS);
    await update(context, 'voice.recording', Number(waiting.id), {
      status: 'ready',
      url: `https://recordings.${shop.tenant.id}.example/${waiting.id}.opus`,
      summary,
      transcript,
      sentiment,
    });
    return true;
  }
  const old = await claim<{ id: string }>(
    context,
    'voice.recording',
    'id',
    "status = 'ready' AND keep_until < CURRENT_DATE",
    [],
    'keep_until, id',
  );
  if (!old) return false;
  await update(context, 'voice.recording', Number(old.id), {
    status: 'erased',
    url: null,
    summary: null,
    transcript: null,
  });
  return true;
};

/** A missed call is called back. */
export const callBack: Flow = async (context) => {
  const call = await claim<{ id: string }>(
    context,
    'voice.call',
    'id',
    "status = 'missed'",
    [],
    'started_at DESC, id',
  );
  if (!call) return false;
  const { random, shop } = context;
  await update(context, 'voice.call', Number(call.id), {
    status: 'ended',
    member_id: random.pick(shop.staff.support!),
    ended_at: new Date(),
    outcome_id: shop.basics.outcomes.solved,
  });
  return true;
};

/** A text message goes out for a parcel, or its delivery is confirmed. */
export const sendText: Flow = async (context) => {
  const { client, random, shop } = context;
  const sent = random.chance(0.5) ? await messageIn(context) : null;
  if (sent) {
    await update(context, 'voice.message', Number(sent.id), {
      status: random.chance(0.97) ? 'delivered' : 'failed',
    });
    return true;
  }
  const { rows } = await client.query<{ order_id: string; customer_id: string; tracking: string }>(
    `SELECT s.order_id, o.customer_id, s.tracking FROM commerce.shipment s JOIN commerce."order" o ON o.id = s.order_id
     WHERE s.tenant_id = $1 AND s.status = 'in_transit' AND NOT EXISTS (
       SELECT 1 FROM voice.message m WHERE m.tenant_id = $1 AND m.order_id = s.order_id)
     ORDER BY s.id DESC LIMIT 1 FOR KEY SHARE OF o SKIP LOCKED`,
    [shop.tenant.id],
  );
  const parcel = rows[0];
  if (!parcel) return false;
  await insert(context, 'voice.message', {
    status: 'sent',
    direction: 'out',
    line_id: shop.basics.lines.notifications,
    account_id: parcel.customer_id,
    order_id: parcel.order_id,
    body: `${shop.tenant.name}: your parcel ${parcel.tracking} is on its way.`,
  });
  return true;
};

const messageIn = (context: Context): Promise<{ id: string } | null> =>
  claim(context, 'voice.message', 'id', "status = 'sent'");
