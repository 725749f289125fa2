import { by, dateMonth, type Question } from './question.ts';

const campaigns = `FROM commerce.campaign c
  LEFT JOIN (SELECT campaign_id, sum(cost) AS cost, sum(clicks) AS clicks, sum(impressions) AS impressions
    FROM commerce.campaign_day GROUP BY 1) d ON d.campaign_id = c.id
  LEFT JOIN (SELECT campaign_id, count(*) AS orders, count(*) FILTER (WHERE first_order) AS fresh,
    sum(subtotal - discount_total + shipping_total) AS sales
    FROM commerce."order" WHERE status <> 'cancelled' GROUP BY 1) o ON o.campaign_id = c.id`;
const mailings = 'FROM marketing.mailing m';
const sent = "(WHERE m.status = 'sent')";

export const MARKETING: readonly Question[] = [
  {
    ask: 'What does each campaign return for what it cost?',
    query: {
      measures: [
        'campaign_results.spend',
        'campaign_results.attributed_sales',
        'campaign_results.campaign_return',
      ],
      dimensions: ['campaign_results.name', 'campaign_results.currency'],
    },
    sql: `SELECT c.name, c.currency, sum(coalesce(d.cost, 0)), sum(coalesce(o.sales, 0)),
      sum(coalesce(o.sales, 0)) / nullif(sum(coalesce(d.cost, 0)), 0) ${campaigns} GROUP BY 1, 2`,
  },
  {
    ask: 'What does an order and a new customer cost, by medium?',
    query: {
      measures: [
        'campaign_results.order_count',
        'campaign_results.cost_per_order',
        'campaign_results.acquisition_cost',
      ],
      dimensions: ['campaign_results.medium', 'campaign_results.currency'],
    },
    sql: `SELECT c.medium, c.currency, coalesce(sum(o.orders), 0), coalesce(sum(d.cost), 0) / nullif(sum(o.orders), 0),
      coalesce(sum(d.cost), 0) / nullif(sum(o.fresh), 0) ${campaigns} GROUP BY 1, 2`,
  },
  {
    ask: 'Who clicks, and what does a click cost, by medium?',
    query: {
      measures: ['campaign_results.click_through_rate', 'campaign_results.cost_per_click'],
      dimensions: ['campaign_results.medium', 'campaign_results.currency'],
    },
    sql: `SELECT c.medium, c.currency, sum(d.clicks)::numeric / nullif(sum(d.impressions), 0), sum(d.cost) / nullif(sum(d.clicks), 0)
      ${campaigns} GROUP BY 1, 2`,
  },
  {
    ask: 'What do campaigns cost by month?',
    query: {
      measures: ['campaign_spend.spend', 'campaign_spend.clicks_sum'],
      dimensions: ['campaign_spend.currency'],
      ...by('campaign_spend.date', 'month'),
    },
    sql: `SELECT currency, ${dateMonth('date')}, sum(cost), sum(clicks) FROM commerce.campaign_day GROUP BY 1, 2`,
  },
  {
    ask: 'How are mailings received, by segment?',
    query: {
      measures: [
        'mailing_results.reached',
        'mailing_results.open_rate',
        'mailing_results.click_rate',
        'mailing_results.unsubscribe_rate',
      ],
      dimensions: ['mailing_results.segment_name'],
    },
    sql: `SELECT s.name, sum(m.recipients) FILTER ${sent}, (sum(m.opens) FILTER ${sent})::numeric / nullif(sum(m.recipients) FILTER ${sent}, 0),
      (sum(m.clicks) FILTER ${sent})::numeric / nullif(sum(m.recipients) FILTER ${sent}, 0),
      (sum(m.unsubscribes) FILTER ${sent})::numeric / nullif(sum(m.recipients) FILTER ${sent}, 0)
      ${mailings} JOIN marketing.segment s ON s.id = m.segment_id GROUP BY 1`,
  },
  {
    ask: 'Who wants to hear from us, by topic?',
    query: { measures: ['audience.subscribed', 'audience.ended'], dimensions: ['audience.topic'] },
    sql: `SELECT topic, count(*) FILTER (WHERE status = 'subscribed'), count(*) FILTER (WHERE status IN ('unsubscribed', 'bounced'))
      FROM marketing.subscription GROUP BY 1`,
  },
];
