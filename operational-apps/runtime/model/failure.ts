import { HubError } from '#kernel';
import type { App } from '../../definitions/index.ts';
import { tablesOf } from '../../planner/model.ts';
import type { Catalogue, EntityInfo } from './catalogue.ts';
import { problem } from './problem.ts';

interface Rule {
  readonly entity: EntityInfo;
  readonly kind: 'unique' | 'check' | 'foreign';
  /** Of the columns it speaks of. */
  readonly fields: readonly string[];
  readonly message: string | undefined;
  /** The field that must have a value when the rule's condition holds. */
  readonly requires: string | undefined;
}

/** What pg says about an error of the server. */
interface ServerError {
  readonly code?: unknown;
  readonly constraint?: unknown;
  readonly table?: unknown;
  readonly schema?: unknown;
  readonly column?: unknown;
  readonly message?: unknown;
}

export interface Failures {
  /** An error of the database as what the caller did wrong; what nobody did wrong is returned as it is. */
  explain(error: unknown, entity: EntityInfo, operation: 'read' | 'write' | 'delete'): unknown;
}

export function createFailures(apps: readonly App[], catalogue: Catalogue): Failures {
  const rules = new Map<string, Rule>();
  for (const table of tablesOf(apps)) {
    const entity = catalogue.entities.get(`${table.schema}.${table.name}`);
    if (!entity) continue;
    for (const constraint of table.constraints) {
      const fields = fieldsIn(
        entity,
        constraint.kind === 'foreign'
          ? constraint.definition.split(' REFERENCES ')[0]!
          : constraint.definition,
      );
      const check = entity.model.checks.find((one) => constraint.name.includes(`_${one.name}_`));
      rules.set(`${table.schema}.${constraint.name}`, {
        entity,
        kind: constraint.kind,
        fields,
        message: constraint.kind === 'check' ? check?.message : undefined,
        requires: fields.find((name) => constraint.name.includes(`_${name}_required_`)),
      });
    }
  }
  return {
    explain(error, entity, operation) {
      if (error instanceof HubError || !(error instanceof Error)) return error;
      const { code, constraint, schema, table, column } = error as ServerError;
      if (typeof code !== 'string') return error;
      const rule = rules.get(`${String(schema)}.${String(constraint)}`);
      const here = catalogue.entities.get(`${String(schema)}.${String(table)}`) ?? entity;
      const path = rule ? rule.fields.join(',') : undefined;
      const label = rule && rule.fields.length > 0 ? labels(rule) : here.model.label;
      switch (code) {
        case '23505':
          return problem('VALUE_TAKEN', `${label}: another ${here.model.label} has this value.`, path);
        case '23503':
          return operation === 'delete' || (rule && rule.entity !== entity && operation !== 'write')
            ? problem('RECORD_IN_USE', `${here.model.plural} still refer to it.`, undefined, {
                entity: here.path,
              })
            : problem('REFERENCE_UNKNOWN', `${label}: there is no such record.`, path);
        case '23514':
          if (rule?.requires !== undefined)
            return problem(
              'VALUE_REQUIRED',
              `${here.fields.get(rule.requires)!.label} needs a value here.`,
              rule.requires,
            );
          return problem('RULE_BROKEN', rule?.message ?? `${label}: the value breaks a rule.`, path, {
            ...(rule ? { entity: rule.entity.path } : {}),
          });
        case '23502':
          return problem(
            'VALUE_REQUIRED',
            `${String(column)} needs a value.`,
            fieldOfColumn(here, String(column)),
          );
        case '42501':
          return problem('PERMISSION_DENIED', `${here.model.label}: this is not yours to write.`, undefined, {
            entity: here.path,
          });
        case '22001':
        case '22003':
        case '22008':
        case '22021':
        case '22P02':
        case '22P05':
        case '22012':
          return problem(
            'VALUE_INVALID',
            'A value does not fit its field or makes a calculation impossible.',
          );
        case '54000':
        case '54001':
        case '57014':
          return new HubError('TOO_SLOW', 'The database gave up on it: it took too long.', {
            disposition: 'transient',
            next: 'Ask for less, or filter by an indexed field.',
          });
        case '55P03':
          return new HubError('BUSY', 'Somebody else is writing the same records.', {
            disposition: 'transient',
            next: 'Try again in a moment.',
          });
        case '53300':
        case '57P01':
        case '57P02':
        case '57P03':
          return new HubError('BUSY', 'The database is not ready.', {
            disposition: 'transient',
            next: 'Try again in a moment.',
            cause: error,
          });
        default:
          return error;
      }
    },
  };
}

const labels = (rule: Rule): string =>
  rule.fields.map((name) => rule.entity.fields.get(name)?.label ?? name).join(', ');

function fieldsIn(entity: EntityInfo, definition: string): string[] {
  const columns = new Set([...definition.matchAll(/"([^"]+)"/g)].map((match) => match[1]!));
  return [...entity.fields.values()]
    .filter((field) => field.name !== 'id' && field.columns.some((column) => columns.has(column)))
    .map((field) => field.name);
}

const fieldOfColumn = (entity: EntityInfo, column: string): string =>
  [...entity.fields.values()].find((field) => field.columns.includes(column))?.name ?? column;
