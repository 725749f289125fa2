import { by, month, type Question } from './question.ts';

const seconds = (from: string, to: string): string =>
  `extract(epoch FROM date_trunc('second', ${to}) - date_trunc('second', ${from}))`;
const tickets = 'FROM support.ticket t';
const solved = "t.status IN ('solved', 'closed')";

export const SERVICE: readonly Question[] = [
  {
    ask: 'How many tickets are there, how many are open, by category?',
    query: {
      measures: ['support.opened', 'support.backlog', 'support.solved'],
      dimensions: ['support.category'],
    },
    sql: `SELECT t.category, count(*), count(*) FILTER (WHERE t.status IN ('new', 'open', 'waiting')),
      count(*) FILTER (WHERE ${solved}) ${tickets} GROUP BY 1`,
  },
  {
    ask: 'How fast is the first answer, by channel?',
    query: {
      measures: ['support.first_response_minutes', 'support.median_first_response_minutes'],
      dimensions: ['support.channel'],
    },
    sql: `SELECT t.channel, avg(${seconds('t.opened_at', 't.first_replied_at')}) / 60,
      percentile_cont(0.5) WITHIN GROUP (ORDER BY ${seconds('t.opened_at', 't.first_replied_at')} / 60) ${tickets} GROUP BY 1`,
  },
  {
    ask: 'How long does a solution take, by priority and month?',
    query: {
      measures: ['support.resolution_hours'],
      dimensions: ['support.priority'],
      ...by('support.opened_at', 'month'),
    },
    sql: `SELECT t.priority, ${month('t.opened_at')}, avg(${seconds('t.opened_at', 't.solved_at')}) / 3600 ${tickets} GROUP BY 1, 2`,
  },
  {
    ask: 'Who has which tickets, and which come back?',
    query: {
      measures: ['support.opened', 'support.reopen_rate', 'support.one_touch_rate'],
      dimensions: ['support.assignee_name'],
    },
    sql: `SELECT m.name, count(*), count(*) FILTER (WHERE t.reopened_count > 0)::numeric / count(*),
      count(*) FILTER (WHERE ${solved} AND t.reply_count <= 1)::numeric / nullif(count(*) FILTER (WHERE ${solved}), 0)
      ${tickets} LEFT JOIN crm.team_member m ON m.id = t.assignee_id GROUP BY 1`,
  },
  {
    ask: 'Are promises kept, by kind and priority?',
    query: {
      measures: ['service_levels.met', 'service_levels.missed', 'service_levels.attainment'],
      dimensions: ['service_levels.kind', 'service_levels.ticket_priority'],
    },
    sql: `SELECT c.kind, t.priority, count(*) FILTER (WHERE c.outcome = 'met'), count(*) FILTER (WHERE c.outcome = 'missed'),
      count(*) FILTER (WHERE c.outcome = 'met')::numeric / nullif(count(*) FILTER (WHERE c.outcome IN ('met', 'missed')), 0)
      FROM support.sla_clock c JOIN support.ticket t ON t.id = c.ticket_id GROUP BY 1, 2`,
  },
  {
    ask: 'How content are customers, by category?',
    query: {
      measures: ['satisfaction.answers', 'satisfaction.average_score', 'satisfaction.csat'],
      dimensions: ['satisfaction.ticket_category'],
    },
    sql: `SELECT t.category, count(*), avg(s.score), count(*) FILTER (WHERE s.score >= 4)::numeric / count(*)
      FROM support.satisfaction s JOIN support.ticket t ON t.id = s.ticket_id GROUP BY 1`,
  },
  {
    ask: 'How many calls are missed, and how long are the others?',
    query: {
      measures: [
        'telephone.call_count',
        'telephone.missed',
        'telephone.answer_rate',
        'telephone.talk_minutes',
      ],
      dimensions: ['telephone.direction'],
    },
    sql: `SELECT direction, count(*), count(*) FILTER (WHERE answered_at IS NULL AND status IN ('missed', 'ended')),
      1 - count(*) FILTER (WHERE answered_at IS NULL AND status IN ('missed', 'ended'))::numeric / count(*), sum(seconds) / 60.0
      FROM voice.call GROUP BY 1`,
  },
];
