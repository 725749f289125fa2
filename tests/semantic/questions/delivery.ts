import { by, dateMonth, month, type Question } from './question.ts';

const seconds = (from: string, to: string): string =>
  `extract(epoch FROM date_trunc('second', ${to}) - date_trunc('second', ${from}))`;
const shipments = 'FROM commerce.shipment s';
const transit = seconds('s.shipped_at', 's.delivered_at');
const entries = 'FROM projects.time_entry t';

export const DELIVERY: readonly Question[] = [
  {
    ask: 'How many parcels arrive, how many in time, by carrier?',
    query: {
      measures: [
        'delivery.shipped',
        'delivery.delivered',
        'delivery.on_time_rate',
        'delivery.lost',
        'delivery.loss_rate',
      ],
      dimensions: ['delivery.carrier'],
    },
    sql: `SELECT s.carrier, count(*) FILTER (WHERE s.status <> 'packed'), count(*) FILTER (WHERE s.status = 'delivered'),
      count(*) FILTER (WHERE s.status = 'delivered' AND ${transit} <= 5 * 86400)::numeric / nullif(count(*) FILTER (WHERE s.status = 'delivered'), 0),
      count(*) FILTER (WHERE s.status = 'lost'), count(*) FILTER (WHERE s.status = 'lost')::numeric / nullif(count(*) FILTER (WHERE s.status <> 'packed'), 0)
      ${shipments} GROUP BY 1`,
  },
  {
    ask: 'How long are parcels under way, by month?',
    query: {
      measures: ['delivery.days_in_transit', 'delivery.hours_to_ship'],
      ...by('delivery.shipped_at', 'month'),
    },
    sql: `SELECT ${month('s.shipped_at')}, avg(${transit}) / 86400, avg(${seconds('o.placed_at', 's.shipped_at')}) / 3600
      ${shipments} JOIN commerce."order" o ON o.id = s.order_id GROUP BY 1`,
  },
  {
    ask: 'What do carriers charge, by country?',
    query: {
      measures: ['delivery.shipping_cost'],
      dimensions: ['delivery.order_ship_to_country', 'delivery.currency'],
    },
    sql: `SELECT o.ship_to_country, s.currency, sum(s.cost) ${shipments} JOIN commerce."order" o ON o.id = s.order_id GROUP BY 1, 2`,
  },
  {
    ask: 'What is utilisation by person?',
    query: {
      measures: [
        'project_hours.worked_hours',
        'project_hours.billable_rate',
        'project_hours.person_days',
        'project_hours.utilisation',
      ],
      dimensions: ['project_hours.member_name'],
    },
    sql: `SELECT m.name, sum(t.minutes) / 60.0, coalesce(sum(t.minutes) FILTER (WHERE t.billable), NULL) / sum(t.minutes)::numeric,
      count(DISTINCT (t.member_id, t.worked_on)), sum(t.minutes) FILTER (WHERE t.billable) / 60.0 / (8 * count(DISTINCT (t.member_id, t.worked_on)))
      ${entries} JOIN crm.team_member m ON m.id = t.member_id GROUP BY 1`,
  },
  {
    ask: 'What is billable worth by month?',
    query: {
      measures: ['project_hours.billable_hours', 'project_hours.billable_value'],
      dimensions: ['project_hours.project_currency'],
      ...by('project_hours.worked_on', 'month'),
    },
    sql: `SELECT p.currency, ${dateMonth('t.worked_on')}, sum(t.minutes / 60.0) FILTER (WHERE t.billable),
      sum(t.minutes / 60.0 * p.hourly_rate) FILTER (WHERE t.billable)
      ${entries} JOIN projects.project p ON p.id = t.project_id GROUP BY 1, 2`,
  },
  {
    ask: 'How well is work estimated, by kind of project?',
    query: {
      measures: ['project_work.done_tasks', 'project_work.open_tasks', 'project_work.effort_ratio'],
      dimensions: ['project_work.project_kind'],
    },
    sql: `SELECT p.kind, count(*) FILTER (WHERE t.status = 'done'), count(*) FILTER (WHERE t.status NOT IN ('done', 'cancelled')),
      sum(t.spent_minutes / 60.0) FILTER (WHERE t.status = 'done') / nullif(sum(t.estimate_hours) FILTER (WHERE t.status = 'done'), 0)
      FROM projects.task t JOIN projects.project p ON p.id = t.project_id GROUP BY 1`,
  },
  {
    ask: 'Which projects are under way and what are their budgets?',
    query: {
      measures: ['project_overview.active', 'project_overview.total_budget'],
      dimensions: ['project_overview.kind', 'project_overview.currency'],
    },
    sql: `SELECT kind, currency, count(*) FILTER (WHERE status = 'active'), sum(budget) FILTER (WHERE status <> 'cancelled')
      FROM projects.project GROUP BY 1, 2`,
  },
];
