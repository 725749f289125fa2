import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Records, Values } from './index.ts';
import { appsOf, someone, type TestRuntime, testRuntime } from './testing.ts';

const DESK = String.raw`
app: { name: desk, label: Desk }
permissions: [{ role: everyone, can: all }]
entities:
  ticket:
    titleField: title
    states:
      initial: open
      list: { open: Open, closed: Closed, lost: Lost, spinning: Spinning }
      terminal: [closed, lost]
      transitions:
        - name: answer
          from: open
          to: closed
          input: { answer: { type: text } }
          effects:
            - { set: { answer: $input.answer } }
            - { set: { closed_at: $now } }
        - { name: lose, from: open, to: lost, input: { why: { type: text } }, effects: [{ set: { why: $input.why } }] }
        - name: spin
          from: [open, spinning]
          to: spinning
          effects: [{ transition: { name: spin }, if: title = 'round' }]
        - { name: stop, from: spinning, to: open }
    checks:
      - { name: answered, rule: answer is not null, when: status = 'closed', message: Say what the answer was. }
      - { name: dated, rule: closed_at is not null or not done, message: Say when. }
      - { name: steps, rule: spent <= 60 or status = 'closed', message: That is too long for an open one. }
    actions:
      note:
        input: { wanted: { type: boolean, required: true } }
        effects:
          - { create: note, if: $input.wanted, values: { text: "'about ' || title" }, as: made }
          - { create: note, values: { text: "'second'", about: $made.id }, as: second }
          - { set: { note: $made.id } }
          - { update: note, match: { id: $second.id }, set: { text: "'changed'" } }
          - { require: $made.text != 'never' }
          - { notify: { to: $user, text: $second.text } }
          - { set: { noted: true } }
    fields:
      title: { type: text, required: true, pattern: '^[\w.\u00e4-]{2,80}(?=x|d|$)[^/\n]*$' }
      answer: { type: text }
      closed_at: { type: dateTime }
      why: { type: text, requiredIf: status = 'lost' }
      done: { type: boolean, computed: status = 'closed' }
      note: { type: reference, entity: note }
      noted: { type: boolean }
      most: { type: integer, required: true, default: 100 }
      spent: { type: integer, computed: sum(steps.minutes) }
      steps: { type: childTable, entity: step }
  step:
    checks: [{ name: short, rule: minutes <= ticket.most, message: That step is too long. }]
    fields: { minutes: { type: integer, required: true } }
  note:
    titleField: text
    fields:
      text: { type: text, required: true }
      about: { type: reference, entity: note }
`;

let db: TestRuntime;
let desk: Records;
beforeAll(async () => {
  db = await testRuntime(appsOf(DESK));
  desk = db.runtime.as(someone('ann@x.example', ['clerk']), { surface: 'web' });
});
afterAll(() => db?.[Symbol.asyncDispose]());

const ticket = async (values: Values = {}): Promise<string> =>
  (await desk.create('desk.ticket', { title: 'broken', ...values })).id;

test('rules that depend on the state see what the effects of the transition have written', async () => {
  const id = await ticket();
  await expect(desk.transition('desk.ticket', id, 'answer')).rejects.toMatchObject({
    code: 'RULE_BROKEN',
    message: 'Say what the answer was.',
    details: { path: expect.stringContaining('answer') },
  });
  expect(await desk.get('desk.ticket', id)).toMatchObject({ status: 'open', closed_at: null });
  const closed = await desk.transition('desk.ticket', id, 'answer', { answer: 'Yes' });
  expect(closed).toMatchObject({ status: 'closed', answer: 'Yes', done: true });
  for (const values of [{ answer: null }, { closed_at: null }] as Values[])
    await expect(desk.update('desk.ticket', id, values)).rejects.toMatchObject({ code: 'RULE_BROKEN' });
});

test('a value needed in a state is asked for after the effects', async () => {
  const id = await ticket();
  await expect(desk.transition('desk.ticket', id, 'lose')).rejects.toMatchObject({
    code: 'VALUE_REQUIRED',
    details: { path: 'why' },
  });
  expect(await desk.transition('desk.ticket', id, 'lose', { why: 'Late' })).toMatchObject({ why: 'Late' });
});

test('rules of rows written with their parent, and of totals over them, are held too', async () => {
  const broken = (message: string) => ({ code: 'RULE_BROKEN', message });
  await expect(ticket({ steps: [{ minutes: 101 }] })).rejects.toMatchObject(broken('That step is too long.'));
  const id = await ticket({ steps: [{ minutes: 50 }] });
  const before = await desk.get('desk.ticket', id);
  const [step] = before!.steps as { id: string }[];
  await expect(
    desk.update('desk.ticket', id, { steps: [{ id: step!.id, minutes: 101 }] }),
  ).rejects.toMatchObject(broken('That step is too long.'));
  await expect(desk.create('desk.step', { ticket: id, minutes: 20 })).rejects.toMatchObject(
    broken('That is too long for an open one.'),
  );
});

test('effects that speak of a record that was not made are left out, the others are carried out', async () => {
  const id = await ticket();
  const without = await desk.act('desk.ticket', id, 'note', { wanted: false });
  expect(without).toMatchObject({ note: null, noted: true });
  expect((await desk.list('desk.note')).rows).toEqual([]);
  const made = await desk.act('desk.ticket', id, 'note', { wanted: true });
  expect(made.note).not.toBeNull();
  const notes = await desk.list('desk.note');
  expect(notes.rows.map(({ record }) => record.text).sort()).toEqual(['about broken', 'changed']);
});

test('a transition that does itself again without end is stopped', async () => {
  const id = await ticket({ title: 'round' });
  await expect(desk.transition('desk.ticket', id, 'spin')).rejects.toMatchObject({ code: 'AUTOMATION_LOOP' });
  expect(await desk.transition('desk.ticket', await ticket(), 'spin')).toMatchObject({ status: 'spinning' });
});

test('a pattern means the same to the database', async () => {
  await expect(ticket({ title: 'bro/ken' })).rejects.toMatchObject({ details: { path: 'title' } });
  expect(await ticket({ title: 'b.ä-d' })).toBeTruthy();
});
