import { pgIdent, pgTable } from '#kernel';
import type { Emit } from './steps.ts';
import type { ConstraintModel, IndexModel, TableModel } from './table-model.ts';

/**
 * Sets a rule. `online`, where others are writing: without looking at the rows that are there, which takes
 * a moment, and then checks those while writing goes on; a unique rule by an index that is built aside.
 */
export function addConstraint(table: TableModel, one: ConstraintModel, emit: Emit, online: boolean): void {
  const at = pgTable(table.schema, table.name);
  const name = pgIdent(one.name);
  const phase = one.kind === 'foreign' ? 'foreign' : 'rule';
  const what = `rule on ${table.schema}.${table.name}: ${one.definition}`;
  if (!online) {
    emit(phase, 'additive', `ALTER TABLE ${at} ADD CONSTRAINT ${name} ${one.definition}`, what);
    return;
  }
  if (one.kind === 'unique') {
    const columns = one.definition.replace(/^UNIQUE /, '');
    emit(
      phase,
      'additive',
      `CREATE UNIQUE INDEX CONCURRENTLY ${name} ON ${at} ${columns}`,
      `index of the ${what}`,
      {
        alone: true,
      },
    );
    emit(phase, 'additive', `ALTER TABLE ${at} ADD CONSTRAINT ${name} UNIQUE USING INDEX ${name}`, what);
    return;
  }
  emit(phase, 'additive', `ALTER TABLE ${at} ADD CONSTRAINT ${name} ${one.definition} NOT VALID`, what);
  validate(table, one, emit);
}

/** Checks the rows a rule was set without looking at; writing goes on meanwhile. */
export function validate(table: TableModel, one: ConstraintModel, emit: Emit): void {
  emit(
    one.kind === 'foreign' ? 'foreign' : 'rule',
    'additive',
    `ALTER TABLE ${pgTable(table.schema, table.name)} VALIDATE CONSTRAINT ${pgIdent(one.name)}`,
    `rows of ${table.schema}.${table.name} are checked: ${one.definition}`,
  );
}

export function addIndex(table: TableModel, index: IndexModel, emit: Emit, online: boolean): void {
  const sql = online
    ? `CREATE ${index.definition.replace(/^INDEX /, 'INDEX CONCURRENTLY ')}`
    : `CREATE ${index.definition}`;
  emit('index', 'additive', sql, `index on ${table.schema}.${table.name}`, online ? { alone: true } : {});
}
