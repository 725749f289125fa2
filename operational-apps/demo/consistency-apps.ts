/** Rows of a table whose polymorphic reference points to nothing of its tenant. */
const dangling = (table: string, field: string, targets: readonly string[]): string => `
    SELECT x.id FROM ${table} x WHERE x.${field}_type IS NOT NULL AND NOT EXISTS (
      ${targets
        .map(
          (target) =>
            `SELECT 1 FROM ${target} t WHERE x.${field}_type = '${target.replaceAll('"', '')}' AND t.id = x.${field}_id AND t.tenant_id = x.tenant_id`,
        )
        .join('\n      UNION ALL ')})`;

/** What holds at every commit in support, voice, projects, marketing and productivity. */
export const APP_RULES: Readonly<Record<string, string>> = {
  'a ticket about an order is of the customer who ordered': `
    SELECT t.id FROM support.ticket t JOIN commerce."order" o ON o.id = t.order_id WHERE o.customer_id <> t.customer_id`,
  'a ticket has a clock for its answer and one for its solution': `
    SELECT t.id FROM support.ticket t LEFT JOIN support.sla_clock c ON c.ticket_id = t.id
    GROUP BY t.id HAVING count(*) FILTER (WHERE c.kind = 'first_response') <> 1
      OR count(*) FILTER (WHERE c.kind = 'resolution') <> 1`,
  'a clock stops when its ticket is answered or solved': `
    SELECT c.id FROM support.sla_clock c JOIN support.ticket t ON t.id = c.ticket_id
    WHERE c.stopped_at IS DISTINCT FROM CASE c.kind WHEN 'first_response' THEN t.first_replied_at ELSE t.solved_at END
      OR c.started_at > c.due_at`,
  'a clock was met if it stopped in time': `
    SELECT id FROM support.sla_clock WHERE (stopped_at IS NOT NULL AND (outcome = 'met') <> (stopped_at <= due_at))
      OR (outcome = 'running' AND stopped_at IS NOT NULL)`,
  'a ticket knows how often it was answered': `
    SELECT t.id FROM support.ticket t LEFT JOIN (SELECT ticket_id, count(*) AS replies FROM support.reply
      WHERE direction = 'out' GROUP BY 1) r ON r.ticket_id = t.id
    WHERE t.reply_count <> coalesce(r.replies, 0) OR (t.first_replied_at IS NULL) <> (t.reply_count = 0)`,
  'a solved ticket has a moment, a closed one too': `
    SELECT id FROM support.ticket WHERE (status IN ('solved', 'closed')) <> (solved_at IS NOT NULL)
      OR (status = 'closed') <> (closed_at IS NOT NULL)`,
  'we write replies and notes, customers the rest': `
    SELECT id FROM support.reply WHERE (direction = 'in') <> (author_id IS NULL)`,
  'satisfaction is told by the customer of a solved ticket': `
    SELECT s.id FROM support.satisfaction s JOIN support.ticket t ON t.id = s.ticket_id
    WHERE s.customer_id <> t.customer_id OR t.solved_at IS NULL OR s.score NOT BETWEEN 1 AND 5`,
  'a call about a ticket or deal is with its customer': `
    SELECT c.id FROM voice.call c LEFT JOIN support.ticket t ON t.id = c.ticket_id
    LEFT JOIN crm.opportunity o ON o.id = c.opportunity_id
    WHERE t.customer_id <> c.account_id OR o.account_id <> c.account_id`,
  'an ended call has an end, an outcome and its length': `
    SELECT id FROM voice.call WHERE (status = 'ended') <> (ended_at IS NOT NULL AND outcome_id IS NOT NULL)
      OR (status = 'ended' AND seconds <> round(extract(epoch FROM ended_at - answered_at)))`,
  'a recording is of an ended call, and erased it says nothing': `
    SELECT r.id FROM voice.recording r JOIN voice.call c ON c.id = r.call_id
    WHERE c.status <> 'ended' OR (r.status = 'erased' AND (r.transcript IS NOT NULL OR r.url IS NOT NULL))`,
  'a text message about an order goes to its customer': `
    SELECT m.id FROM voice.message m JOIN commerce."order" o ON o.id = m.order_id WHERE o.customer_id <> m.account_id`,
  'a task is in the project of its sprint, and its hours too': `
    SELECT t.id FROM projects.task t LEFT JOIN projects.sprint s ON s.id = t.sprint_id
    LEFT JOIN projects.time_entry e ON e.task_id = t.id
    WHERE s.project_id <> t.project_id OR e.project_id <> t.project_id`,
  'a task knows its minutes': `
    SELECT t.id FROM projects.task t LEFT JOIN (SELECT task_id, sum(minutes) AS minutes FROM projects.time_entry
      GROUP BY 1) e ON e.task_id = t.id WHERE t.spent_minutes <> coalesce(e.minutes, 0)`,
  'a task is done when it has a moment': `
    SELECT id FROM projects.task WHERE (status = 'done') <> (done_at IS NOT NULL)`,
  'a project that is done has nothing left to do': `
    SELECT p.id FROM projects.project p JOIN projects.task t ON t.project_id = p.id
    WHERE p.status = 'done' AND t.status NOT IN ('done', 'cancelled')`,
  'a project for a deal is for the customer of the deal': `
    SELECT p.id FROM projects.project p JOIN crm.opportunity o ON o.id = p.opportunity_id
    WHERE p.account_id IS DISTINCT FROM o.account_id OR o.stage <> 'won'`,
  'a subscription is of a contact of the account that consented': `
    SELECT s.id FROM marketing.subscription s JOIN crm.contact c ON c.id = s.contact_id WHERE c.account_id <> s.account_id`,
  'a mailing kept in detail counts its messages': `
    SELECT m.id FROM marketing.mailing m LEFT JOIN (SELECT mailing_id, count(*) AS sent,
      count(*) FILTER (WHERE status IN ('opened', 'clicked')) AS opens, count(*) FILTER (WHERE status = 'clicked') AS clicks,
      count(*) FILTER (WHERE status = 'bounced') AS bounces FROM marketing.message GROUP BY 1) x ON x.mailing_id = m.id
    WHERE m.kept_in_detail AND (m.recipients, m.opens, m.clicks, m.bounces)
      <> (coalesce(x.sent, 0), coalesce(x.opens, 0), coalesce(x.clicks, 0), coalesce(x.bounces, 0))`,
  'a message has the events its state tells': `
    SELECT m.id FROM marketing.message m LEFT JOIN marketing.event e ON e.message_id = m.id GROUP BY m.id
    HAVING count(e.id) <> CASE m.status WHEN 'clicked' THEN 2 WHEN 'opened' THEN 1 WHEN 'bounced' THEN 1 ELSE 0 END`,
  'a document counts its versions': `
    SELECT d.id FROM productivity.document d LEFT JOIN productivity.document_version v ON v.document_id = d.id
    GROUP BY d.id HAVING count(v.id) <> d.current_version OR max(v.position) IS DISTINCT FROM d.current_version`,
  'an event of the calendar ends after it starts, and its organiser takes part': `
    SELECT e.id FROM productivity.calendar_event e WHERE e.ends_at <= e.starts_at OR NOT EXISTS (
      SELECT 1 FROM productivity.attendee a WHERE a.calendar_event_id = e.id AND a.member_id = e.organiser_id)`,
  'those who take part are invited by the organiser of their event': `
    SELECT a.id FROM productivity.attendee a JOIN productivity.calendar_event e ON e.id = a.calendar_event_id
    WHERE a.organiser_id <> e.organiser_id`,
  'what a document is about exists': dangling('productivity.document', 'regarding', [
    'crm.account',
    'crm.opportunity',
    'projects.project',
    'commerce.product',
  ]),
  'what a to-do is about exists': dangling('productivity.task', 'regarding', [
    'productivity.document',
    'productivity.calendar_event',
    'crm.account',
    'projects.project',
    'support.ticket',
    'erp.purchase_order',
  ]),
  'what an event of the calendar is about exists': dangling('productivity.calendar_event', 'regarding', [
    'crm.account',
    'crm.lead',
    'crm.opportunity',
    'projects.project',
  ]),
  'what a journal entry comes from exists': dangling('erp.journal_entry', 'source', [
    'erp.sales_invoice',
    'erp.credit_note',
    'erp.payment',
    'erp.bill',
    'erp.goods_receipt',
    'commerce."order"',
    'commerce.return_order',
  ]),
};
