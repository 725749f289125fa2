import type { FieldModel } from './field-model.ts';
import { resolvePath } from './model.ts';
import type { ActionModel, AutomationModel, Effect, StatesModel, Trigger } from './model-behaviour.ts';
import type { ActionDefinition, AutomationDefinition } from './schema/behaviour.ts';
import type { EffectDefinition } from './schema/effects.ts';
import type { Field } from './schema/fields.ts';
import type { States } from './schema/life.ts';

interface Names {
  readonly app: string;
  readonly humanise: (name: string) => string;
  readonly toFields: (fields: Readonly<Record<string, Field>>) => FieldModel[];
}

export function toStates(given: States, names: Names): StatesModel {
  const { humanise, toFields } = names;
  return {
    ...given,
    list: Object.entries(given.list).map(([name, state]) => ({
      name,
      description: undefined,
      color: undefined,
      ...(typeof state === 'string' ? { label: state } : state),
    })),
    transitions: given.transitions.map((one) => {
      const name = one.name ?? one.to;
      return {
        name,
        label: one.label ?? humanise(name),
        description: one.description,
        from: [one.from].flat(),
        to: one.to,
        roles: one.roles,
        guard: one.guard,
        guardMessage: one.guardMessage,
        input: toFields(one.input ?? {}),
        effects: (one.effects ?? []).map((effect) => toEffect(effect, names.app)),
      };
    }),
  };
}

export function toAction(name: string, given: ActionDefinition, names: Names): ActionModel {
  return {
    name,
    label: given.label ?? names.humanise(name),
    description: given.description,
    roles: given.roles,
    guard: given.guard,
    guardMessage: given.guardMessage,
    input: names.toFields(given.input ?? {}),
    effects: given.effects.map((effect) => toEffect(effect, names.app)),
  };
}

export function toAutomation(given: AutomationDefinition, names: Names): AutomationModel {
  return {
    name: given.name,
    label: given.label ?? names.humanise(given.name),
    description: given.description,
    when: toTrigger(given.when),
    if: given.if,
    effects: given.effects.map((effect) => toEffect(effect, names.app)),
  };
}

const MINUTES = { m: 1, h: 60, d: 1440 } as const;

function toTrigger(when: AutomationDefinition['when']): Trigger {
  if ('created' in when) return { kind: 'created' };
  if ('deleted' in when) return { kind: 'deleted' };
  if ('changed' in when) return { kind: 'changed', fields: when.changed };
  if ('enters' in when) return { kind: 'enters', state: when.enters };
  return { kind: 'time', field: when.after, minutes: when.plus ? minutesOf(when.plus) : 0 };
}

/** Minutes of `30m`, `-2h`, `7d`. */
export const minutesOf = (duration: string): number =>
  Number(duration.slice(0, -1)) * MINUTES[duration.slice(-1) as keyof typeof MINUTES];

function toEffect(given: EffectDefinition, app: string): Effect {
  if ('require' in given) return { kind: 'require', rule: given.require, message: given.message };
  const full = (path: string): string => {
    const target = resolvePath(app, path);
    return `${target.app}.${target.entity}`;
  };
  if ('update' in given)
    return {
      kind: 'update',
      entity: full(given.update),
      each: given.each,
      if: given.if,
      match: given.match,
      set: given.set ?? {},
      add: given.add ?? {},
      orCreate: given.orCreate,
      optional: given.optional ?? false,
    };
  if ('set' in given) return { kind: 'set', values: given.set, if: given.if };
  const repeated = { each: given.each, if: given.if };
  if ('create' in given)
    return {
      kind: 'create',
      entity: full(given.create),
      ...repeated,
      values: given.values,
      children: Object.fromEntries(
        Object.entries(given.children ?? {}).map(([table, rows]) => [
          table,
          [rows].flat().map((row) => ({ each: row.each, if: row.if, values: row.values })),
        ]),
      ),
      as: given.as,
    };
  if ('transition' in given) {
    const { record, name, input } = given.transition;
    return { kind: 'transition', ...repeated, record, name, input: input ?? {} };
  }
  if ('notify' in given) {
    const { to, role, text } = given.notify;
    return { kind: 'notify', ...repeated, to, role, text };
  }
  return { kind: 'webhook', ...repeated, url: given.webhook.url, body: given.webhook.body };
}
