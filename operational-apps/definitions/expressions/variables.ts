import { hint } from '../hint.ts';
import { columnsOf, type EntityModel } from '../model.ts';
import { lookUp, type Scope } from './scope.ts';
import { ExpressionError, type Step } from './tree.ts';
import type { Row, Typed } from './typed.ts';
import { entityPathOf, TEXT, typeOfField } from './types.ts';

/** Entity of a variable that holds a record. */
export function rowVariable(scope: Scope, name: string): EntityModel | null {
  const variable = scope.variables.get(name);
  return variable?.kind === 'row' ? variable.entity : null;
}

/** `$user`, `$attributes.region`, `$input.reason`, `$each.variant.price`. Throws ExpressionError. */
export function variableValue(scope: Scope, name: string, steps: readonly Step[]): Typed {
  const variable = scope.variables.get(name);
  const [first, ...rest] = steps;
  if (!variable) {
    const known = [...scope.variables.keys(), ...(scope.clock ? ['now', 'today'] : [])].map(
      (one) => `$${one}`,
    );
    const here = known.length === 0 ? '; none can be used here' : hint(`$${name}`, known);
    throw new ExpressionError(`unknown variable \`$${name}\`${here}`);
  }
  const row: Row = { kind: 'variable', name };
  switch (variable.kind) {
    case 'value':
      if (first) throw new ExpressionError(`\`$${name}\` is a single value`);
      return { kind: 'variable', type: variable.type, name, member: null };
    case 'attributes':
      if (!first || rest.length > 0) throw new ExpressionError('name one attribute, as `$attributes.region`');
      return { kind: 'variable', type: TEXT, name, member: first.name };
    case 'row': {
      if (!first) {
        const type = { kind: 'reference', entities: [entityPathOf(variable.entity)] } as const;
        return { kind: 'column', type, row, columns: ['id'] };
      }
      const found = lookUp(scope.apps, row, variable.entity, steps);
      if (found.kind === 'rows')
        throw new ExpressionError(`\`$${name}.${first.name}\` speaks of many rows: use it in an aggregate`);
      return found.value;
    }
    case 'fields': {
      const names = variable.fields.map((one) => one.name);
      if (!first) throw new ExpressionError(`name one of its fields: ${names.join(', ') || 'there is none'}`);
      const field = variable.fields.find((one) => one.name === first.name);
      const type = field && typeOfField(field, variable.app);
      if (!field || !type)
        throw new ExpressionError(`unknown input \`${first.name}\`${hint(first.name, names)}`);
      const columns = columnsOf(field);
      if (rest.length === 0) return { kind: 'column', type, row, columns };
      if (type.kind !== 'reference') throw new ExpressionError(`\`$${name}.${first.name}\` has no fields`);
      const [app, entity] = type.entities[0]!.split('.');
      const target = scope.apps.get(app!)?.entities.find((one) => one.name === entity);
      if (!target) throw new ExpressionError(`\`$${name}.${first.name}\` points to an unknown entity`);
      const found = lookUp(
        scope.apps,
        { kind: 'through', from: row, column: columns[0]!, entity: target },
        target,
        rest,
      );
      if (found.kind === 'rows') throw new ExpressionError(`\`$${name}\` leads to many rows here`);
      return found.value;
    }
  }
}
