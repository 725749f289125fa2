import { type Context, claim, type Flow, insert, nextNumber, update } from './context.ts';

const DAY = 86_400_000;

interface TaskRow {
  readonly id: string;
  readonly status: 'backlog' | 'todo' | 'in_progress' | 'review';
  readonly project_id: string;
  readonly assignee_id: string | null;
  readonly spent_minutes: string;
}

const NEXT = { backlog: 'todo', todo: 'in_progress', in_progress: 'review', review: 'done' } as const;

/** The task that is due first moves a column on; work on it is put down as time. */
export const moveTask: Flow = async (context) => {
  const { random, shop } = context;
  const task = await claim<TaskRow>(
    context,
    'projects.task',
    'id, status, project_id, assignee_id, spent_minutes',
    "status IN ('backlog', 'todo', 'in_progress', 'review')",
    [],
    'due_on, id',
  );
  if (!task) return false;
  const assignee = task.assignee_id ?? random.pick(shop.staff.projects!);
  const worked = task.status === 'in_progress' || task.status === 'review';
  const minutes = worked ? random.int(1, 16) * 15 : 0;
  const status = NEXT[task.status];
  await update(context, 'projects.task', Number(task.id), {
    status,
    assignee_id: assignee,
    spent_minutes: Number(task.spent_minutes) + minutes,
    done_at: status === 'done' ? new Date() : null,
  });
  if (worked)
    await insert(context, 'projects.time_entry', {
      task_id: task.id,
      project_id: task.project_id,
      member_id: assignee,
      minutes,
    });
  if (status === 'done') await finishProject(context, task.project_id);
  return true;
};

/** With its last task a project and its sprints are done. */
async function finishProject(context: Context, project: string): Promise<void> {
  const tenant = context.shop.tenant.id;
  const found = await claim<{ id: string }>(
    context,
    'projects.project',
    'id',
    `id = $2 AND status = 'active' AND NOT EXISTS (SELECT 1 FROM projects.task t WHERE t.tenant_id = $1
       AND t.project_id = $2 AND t.status NOT IN ('done', 'cancelled'))`,
    [project],
  );
  if (!found) return;
  await update(context, 'projects.project', Number(project), { status: 'done' });
  await context.client.query(
    `UPDATE projects.sprint SET status = 'done', updated_at = now(), version = version + 1
     WHERE tenant_id = $1 AND project_id = $2 AND status <> 'done'`,
    [tenant, project],
  );
}

const STEPS = [
  'Measure the rooms',
  'Draw the plan',
  'Order the goods',
  'Deliver',
  'Walk through with the customer',
];

/** A won deal that needs more than goods becomes a project. */
export const startProject: Flow = async (context) => {
  const { random, shop } = context;
  const deal = await claim<{ id: string; name: string; account_id: string; owner_id: string }>(
    context,
    'crm.opportunity',
    'id, name, account_id, owner_id',
    `stage = 'won' AND NOT EXISTS (SELECT 1 FROM projects.project p
       WHERE p.tenant_id = $1 AND p.opportunity_id = opportunity.id)`,
    [],
    'id DESC',
  );
  if (!deal) return false;
  const now = Date.now();
  const [project] = await insert(context, 'projects.project', {
    number: await nextNumber(context, 'projects', 'project', 'P-', 5),
    status: 'active',
    name: deal.name,
    kind: 'fit_out',
    account_id: deal.account_id,
    opportunity_id: deal.id,
    owner_id: deal.owner_id,
    starts_on: new Date(now),
    ends_on: new Date(now + 28 * DAY),
    hourly_rate: '85',
    currency: shop.tenant.currency,
  });
  const [sprint] = await insert(context, 'projects.sprint', {
    status: 'active',
    project_id: project,
    name: 'Sprint 1',
    starts_on: new Date(now),
    ends_on: new Date(now + 13 * DAY),
  });
  for (const [index, title] of STEPS.entries())
    await insert(context, 'projects.task', {
      number: await nextNumber(context, 'projects', 'task', 'TK-', 6),
      status: index === 0 ? 'todo' : 'backlog',
      project_id: project,
      sprint_id: sprint,
      title,
      assignee_id: random.pick(shop.staff.projects!),
      due_on: new Date(now + (index + 1) * 4 * DAY),
      estimate_hours: random.int(1, 12),
      spent_minutes: 0,
    });
  return true;
};

/** A document gets its next version, is published, or is revised; now and then a new one is begun. */
export const writeDocument: Flow = async (context) => {
  const { random, shop } = context;
  const author = random.pick(shop.team);
  const document = await claim<{ id: string; title: string; status: string; current_version: string }>(
    context,
    'productivity.document',
    'id, title, status, current_version',
    random.chance(0.8) ? "status IN ('draft', 'review')" : "status = 'published'",
    [],
    'updated_at, id',
  );
  if (!document || random.chance(0.08)) {
    const [id] = await insert(context, 'productivity.document', {
      number: await nextNumber(context, 'productivity', 'document', 'DOC-', 5),
      title: random.pick(['Notes on returns', 'Ideas for spring', 'How we pack', 'Plan for the quarter']),
      kind: random.pick(['guide', 'minutes', 'plan']),
      owner_id: author,
      current_version: 1,
    });
    await saveVersion(context, id!, 1, 'First draft', author);
    return true;
  }
  const version = Number(document.current_version) + 1;
  const next = { draft: 'review', review: 'published', published: 'draft' }[document.status]!;
  await update(context, 'productivity.document', Number(document.id), {
    status: next,
    current_version: version,
    ...(next === 'published' ? { published_at: new Date() } : {}),
  });
  await saveVersion(context, document.id, version, 'Read again and shortened', author);
  return true;
};

async function saveVersion(
  context: Context,
  document: number | string,
  position: number,
  summary: string,
  author: number,
): Promise<void> {
  await insert(context, 'productivity.document_version', {
    document_id: document,
    position,
    body: `State ${position}. What has been agreed and who does it.`,
    summary,
    author_id: author,
  });
}

/** A meeting is put into the calendar, or something to do is done or put down. */
export const keepCalendar: Flow = async (context) => {
  const { random, shop } = context;
  const owner = random.pick(shop.team);
  const todo = random.chance(0.5)
    ? await claim<{ id: string }>(context, 'productivity.task', 'id', "status = 'open'", [], 'due_on, id')
    : null;
  if (todo) {
    await update(context, 'productivity.task', Number(todo.id), { status: 'done', done_at: new Date() });
    return true;
  }
  const at = Math.ceil(Date.now() / DAY) * DAY + random.int(8, 16) * 3_600_000;
  const [event] = await insert(context, 'productivity.calendar_event', {
    title: random.pick(['Supplier talk', 'Stock count', 'Campaign review', 'One to one']),
    organiser_id: owner,
    starts_at: new Date(at),
    ends_at: new Date(at + 1_800_000),
  });
  const members = [...new Set([owner, random.pick(shop.team)])];
  const [first, ...rest] = members.map((member, index) => ({
    calendar_event_id: event,
    member_id: member,
    organiser_id: owner,
    answer: index === 0 ? 'accepted' : 'invited',
  }));
  await insert(context, 'productivity.attendee', first!, ...rest);
  await insert(context, 'productivity.task', {
    title: 'Prepare the meeting',
    owner_id: owner,
    regarding_type: 'productivity.calendar_event',
    regarding_id: event,
    due_on: new Date(at),
  });
  return true;
};
