import { by, month, type Question } from './question.ts';

const open = "d.stage NOT IN ('won', 'lost')";
const deals = 'FROM crm.opportunity d';
const days = (from: string, to: string): string =>
  `extract(epoch FROM date_trunc('second', ${to}) - date_trunc('second', ${from})) / 86400`;

export const PIPELINE: readonly Question[] = [
  {
    ask: 'What is the win rate by owner?',
    query: {
      measures: ['pipeline.won_deals', 'pipeline.lost_deals', 'pipeline.win_rate'],
      dimensions: ['pipeline.owner_name'],
    },
    sql: `SELECT t.name, count(*) FILTER (WHERE d.stage = 'won'), count(*) FILTER (WHERE d.stage = 'lost'),
      count(*) FILTER (WHERE d.stage = 'won')::numeric / nullif(count(*) FILTER (WHERE d.stage IN ('won', 'lost')), 0)
      ${deals} JOIN crm.team_member t ON t.id = d.owner_id GROUP BY 1`,
  },
  {
    ask: 'What is in the pipeline, and what is it worth weighted, by stage?',
    query: {
      measures: ['pipeline.open_deals', 'pipeline.pipeline', 'pipeline.weighted_pipeline'],
      dimensions: ['pipeline.stage', 'pipeline.currency'],
      segments: ['pipeline.open'],
    },
    sql: `SELECT d.stage, d.currency, count(*), sum(d.amount), sum(d.weighted_amount) ${deals} WHERE ${open} GROUP BY 1, 2`,
  },
  {
    ask: 'What is the pipeline coverage by currency?',
    query: { measures: ['pipeline.pipeline_coverage'], dimensions: ['pipeline.currency'] },
    sql: `SELECT d.currency, sum(d.amount) FILTER (WHERE ${open}) / (3 * (SELECT sum(t.monthly_target) FROM crm.team_member t
      WHERE t.active AND t.id IN (SELECT owner_id FROM crm.opportunity x WHERE x.currency = d.currency)))
      ${deals} GROUP BY 1`,
  },
  {
    ask: 'How long does it take to win a deal, by segment?',
    query: {
      measures: ['pipeline.sales_cycle', 'pipeline.average_deal'],
      dimensions: ['pipeline.customer_segment', 'pipeline.currency'],
    },
    sql: `SELECT a.segment, d.currency, avg(${days('d.created_at', 'd.closed_at')}) FILTER (WHERE d.stage = 'won'),
      sum(d.amount) FILTER (WHERE d.stage = 'won') / nullif(count(*) FILTER (WHERE d.stage = 'won'), 0)
      ${deals} JOIN crm.account a ON a.id = d.account_id GROUP BY 1, 2`,
  },
  {
    ask: 'What was won by month?',
    query: {
      measures: ['pipeline.won_amount', 'pipeline.won_deals'],
      dimensions: ['pipeline.currency'],
      filters: [{ member: 'pipeline.stage', operator: 'equals', values: ['won'] }],
      ...by('pipeline.closed_at', 'month'),
    },
    sql: `SELECT d.currency, ${month('d.closed_at')}, sum(d.amount), count(*) ${deals} WHERE d.stage = 'won' GROUP BY 1, 2`,
  },
  {
    ask: 'Why are deals lost, and how much is it?',
    query: {
      measures: ['pipeline.lost_deals', 'pipeline.lost_amount'],
      dimensions: ['pipeline.lost_reason', 'pipeline.currency'],
      filters: [{ member: 'pipeline.stage', operator: 'equals', values: ['lost'] }],
    },
    sql: `SELECT d.lost_reason, d.currency, count(*), sum(d.amount) ${deals} WHERE d.stage = 'lost' GROUP BY 1, 2`,
  },
  {
    ask: 'What is the win rate by value, by currency?',
    query: { measures: ['pipeline.win_rate_by_value'], dimensions: ['pipeline.currency'] },
    sql: `SELECT d.currency, sum(d.amount) FILTER (WHERE d.stage = 'won') / sum(d.amount) FILTER (WHERE d.stage IN ('won', 'lost'))
      ${deals} GROUP BY 1`,
  },
  {
    ask: 'Which leads become customers, by source?',
    query: {
      measures: [
        'lead_funnel.lead_count',
        'lead_funnel.converted',
        'lead_funnel.conversion_rate',
        'lead_funnel.score_avg',
      ],
      dimensions: ['lead_funnel.source'],
    },
    sql: `SELECT source, count(*), count(*) FILTER (WHERE status = 'converted'),
      count(*) FILTER (WHERE status = 'converted')::numeric / count(*), avg(score) FROM crm.lead GROUP BY 1`,
  },
  {
    ask: 'How long until a lead becomes a customer, by owner’s region?',
    query: {
      measures: ['lead_funnel.days_to_convert', 'lead_funnel.disqualified'],
      dimensions: ['lead_funnel.owner_region'],
    },
    sql: `SELECT t.region, avg(${days('l.created_at', 'l.converted_at')}), count(*) FILTER (WHERE l.status = 'disqualified')
      FROM crm.lead l JOIN crm.team_member t ON t.id = l.owner_id GROUP BY 1`,
  },
  {
    ask: 'What does each person do, and for how long?',
    query: {
      measures: ['sales_activities.done', 'sales_activities.activity_hours'],
      dimensions: ['sales_activities.owner_name', 'sales_activities.kind'],
    },
    sql: `SELECT t.name, a.kind, count(*) FILTER (WHERE a.status = 'done'), sum(a.minutes / 60.0) FILTER (WHERE a.status = 'done')
      FROM crm.activity a JOIN crm.team_member t ON t.id = a.owner_id GROUP BY 1, 2`,
  },
];
