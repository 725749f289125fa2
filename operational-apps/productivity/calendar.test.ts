import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadApps } from '../definitions/index.ts';
import type { Records, Values } from '../runtime/index.ts';
import { someone, type TestRuntime, testRuntime } from '../runtime/testing.ts';

let db: TestRuntime;
const member: Record<string, string> = {};
const as = (name: string, role = 'sales'): Records =>
  db.runtime.as(someone(`${name}@x.example`, [role]), { surface: 'web' });

beforeAll(async () => {
  db = await testRuntime(await loadApps(fileURLToPath(new URL('..', import.meta.url))));
  for (const name of ['ann', 'bob', 'cleo']) {
    const values: Values = {
      name,
      email: `${name}@x.example`,
      role: 'sales',
      region: 'DACH',
      currency: 'EUR',
      hired_on: '2026-01-01',
    };
    member[name] = (await as('max', 'owner').create('crm.team_member', values)).id;
  }
});
afterAll(() => db?.[Symbol.asyncDispose]());

const meeting = (organiser: string): Promise<{ id: string }> =>
  as(organiser).create('productivity.calendar_event', {
    title: 'Review',
    organiser: member[organiser]!,
    starts_at: '2026-12-01T09:00:00Z',
    ends_at: '2026-12-01T10:00:00Z',
  });
const sees = async (name: string, id: string): Promise<boolean> =>
  (await as(name).get('productivity.calendar_event', id)) !== null;
const invitations = async (name: string, event: string): Promise<unknown[]> => {
  const { rows } = await as(name).list('productivity.attendee', {
    filter: { calendar_event: { eq: event } },
  });
  return rows.map(({ record }) => [(record.member as { id: string }).id ?? record.member, record.answer]);
};

test('those who are invited see the event and answer; others see neither it nor who takes part', async () => {
  const { id } = await meeting('ann');
  expect([await sees('ann', id), await sees('bob', id), await sees('cleo', id)]).toEqual([
    true,
    false,
    false,
  ]);
  await as('ann').act('productivity.calendar_event', id, 'invite', { member: member.bob! });
  expect([await sees('ann', id), await sees('bob', id), await sees('cleo', id)]).toEqual([true, true, false]);
  const list = await as('bob').list('productivity.calendar_event', { count: true });
  expect(list.total).toBe(1);
  expect(await invitations('ann', id)).toEqual([
    [member.ann, 'accepted'],
    [member.bob, 'invited'],
  ]);
  const { rows } = await as('bob').list('productivity.attendee');
  const own = rows[0]!.record.id;
  await as('bob').update('productivity.attendee', own, { answer: 'declined' });
  expect(await invitations('ann', id)).toContainEqual([member.bob, 'declined']);
  expect(await invitations('cleo', id)).toEqual([]);
});

test('nobody invites to what they do not organise, nor changes the answer of others', async () => {
  const { id } = await meeting('ann');
  await as('ann').act('productivity.calendar_event', id, 'invite', { member: member.bob! });
  await expect(
    as('bob').act('productivity.calendar_event', id, 'invite', { member: member.cleo! }),
  ).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  await expect(
    as('cleo').create('productivity.attendee', {
      calendar_event: id,
      member: member.cleo!,
      organiser: member.cleo!,
    }),
  ).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  await expect(
    as('max', 'manager').create('productivity.attendee', {
      calendar_event: id,
      member: member.cleo!,
      organiser: member.cleo!,
    }),
  ).rejects.toMatchObject({ code: 'RULE_BROKEN' });
  const { rows } = await as('bob').list('productivity.attendee', { filter: { calendar_event: { eq: id } } });
  await expect(
    as('ann').update('productivity.attendee', rows[0]!.record.id, { answer: 'accepted' }),
  ).rejects.toMatchObject({ disposition: 'user' });
  expect(await sees('cleo', id)).toBe(false);
});

test('whoever gets an event handed over takes part and sees the answers', async () => {
  const { id } = await meeting('ann');
  await as('max', 'manager').update('productivity.calendar_event', id, { organiser: member.cleo! });
  expect(await sees('cleo', id)).toBe(true);
  expect(await sees('ann', id)).toBe(true);
  expect(await invitations('cleo', id)).toEqual([
    [member.ann, 'accepted'],
    [member.cleo, 'accepted'],
  ]);
});

test('an event that was made by mistake can be deleted once nobody is invited any more', async () => {
  const { id } = await meeting('ann');
  await expect(as('ann').delete('productivity.calendar_event', id)).rejects.toMatchObject({
    code: 'RECORD_IN_USE',
  });
  const { rows } = await as('ann').list('productivity.attendee', { filter: { calendar_event: { eq: id } } });
  for (const { record } of rows) await as('ann').delete('productivity.attendee', record.id);
  await as('ann').delete('productivity.calendar_event', id);
  expect(await sees('ann', id)).toBe(false);
});
