import { DAY } from './calendar.ts';
import type { Tenant } from './tenants.ts';
import { instant, stamps, type World } from './world.ts';

export type Priority = 'low' | 'normal' | 'high' | 'urgent';
export type Category = 'delivery' | 'return' | 'product' | 'payment' | 'account' | 'other';

export interface Policy {
  readonly id: number;
  readonly response: number;
  readonly resolution: number;
}

/** What support, marketing and voice have before the first customer; keys of the rows. */
export interface Basics {
  readonly policies: Readonly<Record<Priority, Policy>>;
  readonly macros: Readonly<Record<Category, number>>;
  readonly lines: Readonly<Record<'support' | 'sales' | 'notifications', number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly segments: Readonly<Record<string, number>>;
  readonly templates: readonly number[];
}

/** Minutes to the first answer and to the solution. */
const POLICIES = {
  low: [1440, 7200],
  normal: [480, 4320],
  high: [240, 1440],
  urgent: [60, 480],
} as const;

const MACROS: Readonly<Record<Category, readonly [name: string, body: string, solves: boolean]>> = {
  delivery: [
    'Where it is',
    'Your parcel is on its way. The tracking page shows where it is right now.',
    false,
  ],
  return: [
    'How to return',
    'Print the label in your account and hand the parcel over; we refund on receipt.',
    true,
  ],
  product: ['Care', 'You will find the care instructions with the product in our shop.', true],
  payment: ['Payment received', 'We have your payment; the receipt comes by e-mail.', true],
  account: ['Change of address', 'We have changed the address for your coming orders.', true],
  other: ['Thanks', 'Thank you for telling us. We have passed it on to those who can change it.', true],
};

const OUTCOMES = [
  ['solved', 'Solved', true, false],
  ['interested', 'Interested', true, true],
  ['not_interested', 'Not interested', false, false],
  ['voicemail', 'Voicemail left', false, true],
  ['call_again', 'To be called again', false, true],
] as const;

const SEGMENTS = [
  ['all', 'All subscribers', 'marketing_consent'],
  ['newcomers', 'New in three months', 'marketing_consent and created in the last 90 days'],
  ['vip', 'Best customers', "tags contains 'vip'"],
  ['quiet', 'Quiet for half a year', "status = 'dormant'"],
  ['trade', 'Trade customers', "kind = 'company'"],
] as const;

const TEMPLATES = [
  ['teaser', 'Teaser', 'Something is coming', 'Mark the day: our {{campaign}} is about to begin.'],
  ['start', 'Start', 'It has begun', '{{campaign}} is on. Your code is waiting in the basket.'],
  ['last_call', 'Last call', 'Only until tomorrow', '{{campaign}} ends tomorrow night.'],
] as const;

export function emitBasics(world: World, tenant: Tenant): Basics {
  const born = world.start - 30 * DAY;
  /** Writes a row and gives its key. */
  const row = (table: string, values: Record<string, string | number | boolean | null>): number => {
    const id = world.id(table);
    world.emit(table, { id, tenant_id: tenant.id, ...values, ...stamps(born, born) });
    return id;
  };
  const map = <K extends string, V>(keys: readonly K[], of: (key: K) => V): Record<K, V> =>
    Object.fromEntries(keys.map((key) => [key, of(key)])) as Record<K, V>;
  return {
    policies: map(Object.keys(POLICIES) as Priority[], (priority) => {
      const [response, resolution] = POLICIES[priority];
      const id = row('support.sla_policy', {
        name: `Priority ${priority}`,
        priority,
        first_response_minutes: response,
        resolution_minutes: resolution,
        active: true,
      });
      return { id, response, resolution };
    }),
    macros: map(Object.keys(MACROS) as Category[], (category) => {
      const [name, body, solves] = MACROS[category];
      return row('support.macro', { code: category, name, category, body, solves, active: true });
    }),
    lines: map(['support', 'sales', 'notifications'] as const, (use) =>
      row('voice.number', {
        phone: tenant.currency === 'EUR' ? `+49 30 23125 0${use.length}` : `+1 206-555-01${use.length + 10}`,
        label: { support: 'Help line', sales: 'Sales', notifications: 'Notifications' }[use],
        use,
        country: tenant.currency === 'EUR' ? 'DE' : 'US',
        active: true,
      }),
    ),
    outcomes: Object.fromEntries(
      OUTCOMES.map(([code, name, good, call_again]) => [
        code,
        row('voice.call_outcome', { code, name, good, call_again }),
      ]),
    ),
    segments: Object.fromEntries(
      SEGMENTS.map(([code, name, rule]) => [
        code,
        row('marketing.segment', { code, name, rule, size: 0, counted_at: instant(born), active: true }),
      ]),
    ),
    templates: TEMPLATES.map(([code, name, subject, body]) =>
      row('marketing.template', { code, name, channel: 'email', subject, body }),
    ),
  };
}
