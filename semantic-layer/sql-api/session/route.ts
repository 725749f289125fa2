import { functionName, type Node, walk } from '../compile/ast.ts';
import type { Model } from '../compile/relation.ts';
import { refused, SqlError } from '../errors.ts';

/** Functions that the embedded PostgreSQL does not run for anybody. */
const FORBIDDEN =
  /^(set_config|pg_sleep.*|pg_read_.*|pg_ls_.*|pg_stat_file|lo_.*|dblink.*|pg_(terminate|cancel)_backend|pg_reload_conf|pg_(try_)?advisory_.*|pg_notify|query_to_xml.*|database_to_xml.*|schema_to_xml.*|table_to_xml.*|cursor_to_xml.*|nextval|setval|repeat|lpad|rpad|pg_switch_wal|pg_create_.*|pg_export_snapshot)$/;

const CATALOGUE_SCHEMAS = new Set(['pg_catalog', 'information_schema']);

/** Functions and words that only a server can answer; with them a statement without tables goes there. */
export type Destination = 'semantic' | 'catalogue';

/** Who answers a SELECT. Errors: 0A000 for a mixture, 42501 for functions nobody may call. */
export function destination(node: Node, model: Model): Destination {
  const ctes = new Set<string>();
  const tables: { schema: string; name: string }[] = [];
  let fromFunction = false;
  walk(node, (tag, body) => {
    if (tag === 'CommonTableExpr') ctes.add(String(body.ctename ?? ''));
    if (tag === 'RangeVar')
      tables.push({ schema: String(body.schemaname ?? ''), name: String(body.relname ?? '') });
    if (tag === 'RangeFunction') fromFunction = true;
    if (tag === 'FuncCall') {
      const name = functionName(body.funcname as Node[]);
      if (FORBIDDEN.test(name)) throw new SqlError('42501', `permission denied for function ${name}`);
    }
    return true;
  });
  const isCatalogue = ({ schema, name }: { schema: string; name: string }): boolean =>
    CATALOGUE_SCHEMAS.has(schema) || (schema === '' && name.startsWith('pg_') && !model.relations.has(name));
  const real = tables.filter(({ schema, name }) => schema !== '' || !ctes.has(name));
  const catalogue = real.filter(isCatalogue);
  if (catalogue.length > 0 && catalogue.length < real.length)
    throw refused(
      'A statement cannot use cubes and the catalogue together.',
      'Ask them one after the other.',
    );
  return catalogue.length > 0 || (real.length === 0 && fromFunction) ? 'catalogue' : 'semantic';
}

/** Function calls of a statement without tables that the engine does not know but PostgreSQL may. */
export const withoutTables = (node: Node): boolean => {
  let found = false;
  walk(node, (tag) => {
    if (tag === 'RangeVar') found = true;
    return !found;
  });
  return !found;
};
