import { DAY, HOUR } from './calendar.ts';
import { type Random, random } from './random.ts';
import type { Shop } from './shop.ts';
import { date, instant, money, numbered, stamps } from './world.ts';

const WORK = {
  fit_out: [
    'Measure the rooms',
    'Draw the plan',
    'Agree on colours',
    'Choose materials',
    'Order the goods',
    'Book the fitters',
    'Prepare the delivery',
    'Deliver',
    'Install the lighting',
    'Set up the furniture',
    'Walk through with the customer',
    'Send the final papers',
  ],
  range: [
    'Collect ideas',
    'Ask customers',
    'Choose suppliers',
    'Order samples',
    'Test the samples',
    'Set prices',
    'Take the pictures',
    'Write the texts',
    'Plan the campaign',
    'Launch',
  ],
} as const;

const TAGS = ['{design}', '{purchase}', '{site}', '{logistics}', '{admin}', '{}'];
const SPRINT_DAYS = 14;

export interface ProjectFacts {
  readonly name: string;
  readonly kind: keyof typeof WORK;
  readonly account: number | null;
  readonly opportunity: number | null;
  readonly owner: number;
  /** Cents. */
  readonly budget: number;
  readonly at: number;
}

/** Puts a project down for its start. */
export function planProject(shop: Shop, facts: ProjectFacts): void {
  shop.agenda.at(facts.at, () => writeProject(shop, facts));
}

/** New ranges, three a year. */
export function planRanges(shop: Shop): void {
  const { world, catalogue } = shop;
  for (let day = 20, index = 0; day < 730; day += 120, index += 1)
    planProject(shop, {
      name: `Range ${index + 1}: ${shop.tenant.lines[index % shop.tenant.lines.length]!.collection}`,
      kind: 'range',
      account: null,
      opportunity: null,
      owner: catalogue.staff.projects[index % catalogue.staff.projects.length]!,
      budget: 2_000_000,
      at: world.start + day * DAY + 9 * HOUR,
    });
}

/** A project with its sprints, tasks and hours as they are at the end of the history. */
function writeProject(shop: Shop, facts: ProjectFacts): void {
  const { world, tenant, catalogue } = shop;
  const { until } = world;
  const id = world.id('projects.project');
  const chance = random(world.seed, `project/${id}`);
  const work = WORK[facts.kind];
  const sprints = facts.kind === 'range' ? 5 : chance.int(2, 4);
  const endsAt = facts.at + sprints * SPRINT_DAYS * DAY;
  const done = endsAt + 3 * DAY < until;
  const updatedAt = done ? endsAt + 3 * DAY : facts.at;
  world.emit('projects.project', {
    id,
    tenant_id: tenant.id,
    number: numbered('P-', 5, shop.next('projects.project')),
    status: done ? 'done' : 'active',
    name: facts.name,
    kind: facts.kind,
    account_id: facts.account,
    opportunity_id: facts.opportunity,
    owner_id: facts.owner,
    starts_on: date(facts.at),
    ends_on: date(endsAt),
    budget: money(facts.budget),
    hourly_rate: money(facts.kind === 'fit_out' ? 8500 : 0),
    currency: tenant.currency,
    goal:
      facts.kind === 'fit_out' ? 'The customer can open on the day agreed.' : 'In the shop by the season.',
    ...stamps(facts.at, updatedAt),
  });
  const members = [...catalogue.staff.projects, facts.owner];
  for (let index = 0; index < sprints; index += 1) {
    const from = facts.at + index * SPRINT_DAYS * DAY;
    const sprint = writeSprint(shop, id, index, from);
    const first = Math.floor((work.length * index) / sprints);
    const last = Math.floor((work.length * (index + 1)) / sprints);
    for (let step = first; step < last; step += 1) {
      const dueAt = from + ((step - first + 1) / (last - first + 1)) * SPRINT_DAYS * DAY;
      writeTask(shop, {
        project: id,
        sprint,
        createdAt: facts.at,
        billable: facts.kind === 'fit_out',
        title: work[step]!,
        assignee: chance.pick(members),
        dueAt,
        doneAt: Math.min(endsAt + 2 * DAY, dueAt + chance.normal() * DAY),
        chance,
      });
    }
  }
}

function writeSprint(shop: Shop, project: number, index: number, from: number): number {
  const { world, tenant } = shop;
  const id = world.id('projects.sprint');
  const to = from + SPRINT_DAYS * DAY;
  const status = to < world.until ? 'done' : from < world.until ? 'active' : 'planned';
  const createdAt = from - index * SPRINT_DAYS * DAY;
  world.emit('projects.sprint', {
    id,
    tenant_id: tenant.id,
    status,
    project_id: project,
    name: `Sprint ${index + 1}`,
    goal: null,
    starts_on: date(from),
    ends_on: date(to - DAY),
    ...stamps(createdAt, status === 'done' ? to : status === 'active' ? from : createdAt),
  });
  return id;
}

interface TaskFacts {
  readonly project: number;
  readonly sprint: number;
  readonly createdAt: number;
  readonly billable: boolean;
  readonly title: string;
  readonly assignee: number;
  readonly dueAt: number;
  readonly doneAt: number;
  readonly chance: Random;
}

function writeTask(shop: Shop, facts: TaskFacts): void {
  const { world, tenant } = shop;
  const { until } = world;
  const { chance } = facts;
  const doneAt = Math.max(facts.createdAt + DAY, facts.doneAt);
  const startedAt = Math.max(facts.createdAt + HOUR, doneAt - chance.int(1, 4) * DAY);
  const done = doneAt < until;
  const started = startedAt < until;
  const soon = facts.dueAt - until < SPRINT_DAYS * DAY;
  const status = done ? 'done' : started ? chance.pick(['in_progress', 'review']) : soon ? 'todo' : 'backlog';
  const id = world.id('projects.task');
  const days = !started ? 0 : done ? chance.int(1, 3) : 1;
  const entries = Array.from({ length: days }, (_, day) => ({
    at: startedAt + ((Math.min(doneAt, until - 1) - startedAt) * day) / days,
    minutes: chance.int(2, 28) * 15,
  }));
  world.emit('projects.task', {
    id,
    tenant_id: tenant.id,
    number: numbered('TK-', 6, shop.next('projects.task')),
    status,
    project_id: facts.project,
    sprint_id: facts.sprint,
    title: facts.title,
    about: null,
    assignee_id: facts.assignee,
    priority: chance.pick(['low', 'normal', 'normal', 'high']),
    due_on: date(facts.dueAt),
    estimate_hours: (chance.int(2, 24) / 2).toFixed(2),
    spent_minutes: entries.reduce((sum, entry) => sum + entry.minutes, 0),
    done_at: done ? instant(doneAt) : null,
    tags: chance.pick(TAGS),
    ...stamps(facts.createdAt, done ? doneAt : started ? startedAt : facts.createdAt),
  });
  for (const { at, minutes } of entries)
    world.emit('projects.time_entry', {
      id: world.id('projects.time_entry'),
      tenant_id: tenant.id,
      task_id: id,
      project_id: facts.project,
      member_id: facts.assignee,
      worked_on: date(at),
      minutes,
      billable: facts.billable,
      note: null,
      ...stamps(at, at),
    });
}
