import { type Context, claim, type Flow, insert, nearRandom, nextNumber, update } from './context.ts';

/** Recipients of a live mailing: enough to see, few enough for one transaction. */
const RECIPIENTS = 25;

interface MailingRow {
  readonly id: string;
  readonly subject: string;
}

/** A mailing whose time has come goes out; without one, the next is written for the newest campaign. */
export const sendMailing: Flow = async (context) => {
  const { client, shop } = context;
  const due = await claim<MailingRow>(
    context,
    'marketing.mailing',
    'id, subject',
    "status = 'scheduled' AND scheduled_at <= now()",
    [],
    'scheduled_at, id',
  );
  if (!due) return scheduleMailing(context);
  const { rows } = await client.query<{ id: string; account_id: string; address: string }>(
    `SELECT id, account_id, address FROM marketing.subscription
     WHERE tenant_id = $1 AND status = 'subscribed' AND id >= $2 ORDER BY id LIMIT ${RECIPIENTS} FOR SHARE`,
    [shop.tenant.id, await nearRandom(context, 'marketing.subscription', 50_000)],
  );
  const [first, ...rest] = rows.map((one) => ({
    status: 'sent',
    mailing_id: due.id,
    subscription_id: one.id,
    account_id: one.account_id,
    address: one.address,
    sent_at: new Date(),
  }));
  if (first) await insert(context, 'marketing.message', first, ...rest);
  await update(context, 'marketing.mailing', Number(due.id), {
    status: 'sent',
    sent_at: new Date(),
    recipients: rows.length,
  });
  return true;
};

async function scheduleMailing(context: Context): Promise<boolean> {
  const { random, shop } = context;
  const campaign = await claim<{ id: string; name: string }>(
    context,
    'commerce.campaign',
    'id, name',
    "status IN ('running', 'ended')",
    [],
    'starts_on DESC, id',
  );
  if (!campaign) return false;
  const [template] = shop.basics.templates;
  await insert(context, 'marketing.mailing', {
    number: await nextNumber(context, 'marketing', 'mailing', 'M-', 5),
    status: 'scheduled',
    campaign_id: campaign.id,
    segment_id: shop.basics.segments[random.pick(['all', 'newcomers', 'vip'])],
    template_id: template,
    subject: `${campaign.name}: ${random.pick(['Still time', 'New in', 'Your favourites'])}`,
    scheduled_at: new Date(),
  });
  return true;
}

/** Somebody opens a message, follows its link, or it comes back. */
export const react: Flow = async (context) => {
  const { random, shop } = context;
  const message = await claim<{ id: string; status: string; mailing_id: string; account_id: string }>(
    context,
    'marketing.message',
    'id, status, mailing_id, account_id',
    "status IN ('sent', 'opened')",
    [],
    'id DESC',
  );
  if (!message) return false;
  const kind = message.status === 'opened' ? 'click' : random.chance(0.03) ? 'bounce' : 'open';
  const [status, counter] = (
    { open: ['opened', 'opens'], click: ['clicked', 'clicks'], bounce: ['bounced', 'bounces'] } as const
  )[kind];
  await update(context, 'marketing.message', Number(message.id), { status });
  await insert(context, 'marketing.event', {
    message_id: message.id,
    account_id: message.account_id,
    kind,
    url: kind === 'click' ? `https://shop.${shop.tenant.id}.example/campaign` : null,
  });
  await context.client.query(
    `UPDATE marketing.mailing SET ${counter} = ${counter} + 1, updated_at = now(), version = version + 1
     WHERE tenant_id = $1 AND id = $2`,
    [shop.tenant.id, message.mailing_id],
  );
  return true;
};

/** Somebody has had enough of our messages, or comes back. */
export const changeSubscription: Flow = async (context) => {
  const leaves = context.random.chance(0.7);
  const subscription = await claim<{ id: string }>(
    context,
    'marketing.subscription',
    'id',
    'id >= $2 AND status = $3',
    [await nearRandom(context, 'marketing.subscription', 50_000), leaves ? 'subscribed' : 'unsubscribed'],
  );
  if (!subscription) return false;
  await update(
    context,
    'marketing.subscription',
    Number(subscription.id),
    leaves
      ? { status: 'unsubscribed', ended_at: new Date() }
      : { status: 'subscribed', subscribed_at: new Date(), ended_at: null },
  );
  return true;
};
