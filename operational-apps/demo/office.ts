import { DAY, HOUR } from './calendar.ts';
import { random } from './random.ts';
import type { Shop } from './shop.ts';
import { date, instant, numbered, stamps } from './world.ts';

type Regarding = readonly [type: string, id: number];

export interface DocumentFacts {
  readonly title: string;
  readonly kind: 'guide' | 'minutes' | 'proposal' | 'policy' | 'plan';
  readonly owner: number;
  readonly regarding: Regarding | null;
  readonly at: number;
}

const SUMMARIES = ['First draft', 'After the review', 'Prices checked', 'Shorter', 'Pictures added'];

/** Puts a document down for the day on which it is begun. */
export function planDocument(shop: Shop, facts: DocumentFacts): void {
  shop.agenda.at(facts.at, () => writeDocument(shop, facts));
}

function writeDocument(shop: Shop, facts: DocumentFacts): void {
  const { world, tenant, catalogue } = shop;
  const id = world.id('productivity.document');
  const chance = random(world.seed, `document/${id}`);
  const saved = Array.from(
    { length: chance.int(1, 4) },
    (_, index) => facts.at + index * chance.int(1, 5) * DAY,
  );
  const kept = saved.filter((at) => at < world.until).sort((a, b) => a - b);
  const last = kept.at(-1)!;
  const finished = kept.length === saved.length && last + DAY < world.until;
  const number = numbered('DOC-', 5, shop.next('productivity.document'));
  world.emit('productivity.document', {
    id,
    tenant_id: tenant.id,
    number,
    status: finished ? 'published' : kept.length > 1 ? 'review' : 'draft',
    title: facts.title,
    kind: facts.kind,
    owner_id: facts.owner,
    regarding_type: facts.regarding?.[0] ?? null,
    regarding_id: facts.regarding?.[1] ?? null,
    current_version: kept.length,
    published_at: finished ? instant(last + DAY) : null,
    ...stamps(facts.at, finished ? last + DAY : last),
  });
  for (const [index, at] of kept.entries())
    world.emit('productivity.document_version', {
      id: world.id('productivity.document_version'),
      tenant_id: tenant.id,
      document_id: id,
      position: index + 1,
      body: `# ${facts.title}\n\nState ${index + 1}. What has been agreed and who does it.`,
      summary: SUMMARIES[Math.min(index, SUMMARIES.length - 1)]!,
      author_id: index === 0 ? facts.owner : chance.pick(catalogue.team),
      saved_at: instant(at),
      ...stamps(at, at),
    });
  if (facts.kind !== 'minutes' && !finished)
    writeToDo(shop, `Review ${number}`, facts.owner, ['productivity.document', id], last);
}

function writeToDo(shop: Shop, title: string, owner: number, regarding: Regarding | null, at: number): void {
  const { world, tenant } = shop;
  const id = world.id('productivity.task');
  const chance = random(world.seed, `todo/${id}`);
  const dueAt = at + chance.int(1, 9) * DAY;
  const done = dueAt < world.until && chance.chance(0.92);
  world.emit('productivity.task', {
    id,
    tenant_id: tenant.id,
    status: done ? 'done' : 'open',
    title,
    owner_id: owner,
    regarding_type: regarding?.[0] ?? null,
    regarding_id: regarding?.[1] ?? null,
    priority: chance.pick(['low', 'normal', 'normal', 'high']),
    due_on: date(dueAt),
    done_at: done ? instant(dueAt) : null,
    ...stamps(at, done ? dueAt : at),
  });
}

export interface EventFacts {
  readonly title: string;
  readonly organiser: number;
  readonly attendees: readonly number[];
  readonly regarding: Regarding | null;
  readonly createdAt: number;
  readonly at: number;
  readonly minutes: number;
  readonly place: string | null;
  readonly cancelled: boolean;
}

/** `at` may lie after the end of the history, `createdAt` not. */
export function writeEvent(shop: Shop, facts: EventFacts): void {
  const { world, tenant } = shop;
  const id = world.id('productivity.calendar_event');
  const stamp = stamps(facts.createdAt, facts.createdAt);
  world.emit('productivity.calendar_event', {
    id,
    tenant_id: tenant.id,
    status: facts.cancelled ? 'cancelled' : 'confirmed',
    title: facts.title,
    organiser_id: facts.organiser,
    starts_at: instant(facts.at),
    ends_at: instant(facts.at + facts.minutes * 60_000),
    all_day: false,
    place: facts.place,
    regarding_type: facts.regarding?.[0] ?? null,
    regarding_id: facts.regarding?.[1] ?? null,
    ...stamp,
  });
  for (const [index, member] of [...new Set([facts.organiser, ...facts.attendees])].entries())
    world.emit('productivity.attendee', {
      id: world.id('productivity.attendee'),
      tenant_id: tenant.id,
      calendar_event_id: id,
      member_id: member,
      organiser_id: facts.organiser,
      answer: index === 0 || facts.at < world.until ? 'accepted' : 'invited',
      ...stamp,
    });
}

const GUIDES = [
  'How we answer customers',
  'Packing without plastics',
  'Returns in the warehouse',
  'House style',
];
const WEEK = 7 * DAY;
const WEEKS_AHEAD = 4;

/** The office's own week: guides, the Monday meeting, minutes once a month, things to do. */
export function planOffice(shop: Shop): void {
  const { world, catalogue, tenant, agenda } = shop;
  const [lead] = catalogue.team as [number];
  for (const [index, title] of GUIDES.entries())
    planDocument(shop, {
      title,
      kind: index === 3 ? 'policy' : 'guide',
      owner: catalogue.staff.support[index % catalogue.staff.support.length]!,
      regarding: null,
      at: world.start + (index * 11 + 2) * DAY + 10 * HOUR,
    });
  const day = Math.floor(world.start / DAY);
  const monday = (day + ((8 - new Date(world.start).getUTCDay()) % 7)) * DAY;
  for (let week = 0; monday + week * WEEK < world.until + WEEKS_AHEAD * WEEK; week += 1) {
    const at = monday + week * WEEK + (9 - tenant.utcOffset) * HOUR;
    const createdAt = Math.min(at - WEEK, world.until - DAY);
    agenda.at(createdAt, () =>
      writeEvent(shop, {
        title: 'Monday meeting',
        organiser: lead,
        attendees: catalogue.team.slice(1, 5),
        regarding: null,
        createdAt,
        at,
        minutes: 45,
        place: 'Large room',
        cancelled: false,
      }),
    );
    if (week % 4 === 0)
      planDocument(shop, {
        title: `Monday meeting of ${date(at)}`,
        kind: 'minutes',
        owner: lead,
        regarding: null,
        at: at + HOUR,
      });
    const owner = catalogue.team[week % catalogue.team.length]!;
    agenda.at(at + 2 * HOUR, () =>
      writeToDo(
        shop,
        ['Tidy the sample shelf', 'Book travel', 'Update the price list'][week % 3]!,
        owner,
        null,
        at + 2 * HOUR,
      ),
    );
  }
}
