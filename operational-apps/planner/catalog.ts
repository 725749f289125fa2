import type { ClientBase, Pool } from 'pg';
import { pgTable } from '#kernel';

/** Anything that runs one statement: a client or a pool. */
export type Queryable = Pick<ClientBase | Pool, 'query'>;

export interface CatalogColumn {
  readonly name: string;
  readonly type: string;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly comment: string | null;
}

interface CatalogConstraint {
  readonly name: string;
  readonly kind: 'p' | 'u' | 'c' | 'f';
  readonly definition: string;
  readonly valid: boolean;
}

export interface CatalogTable {
  readonly schema: string;
  readonly name: string;
  readonly comment: string | null;
  readonly empty: boolean;
  readonly columns: readonly CatalogColumn[];
  readonly constraints: readonly CatalogConstraint[];
  /** Those that belong to no constraint. */
  readonly indexes: readonly { readonly name: string; readonly valid: boolean }[];
  readonly rowSecurity: boolean;
  readonly forced: boolean;
  /** `text`: the expressions, as the catalog prints them. */
  readonly policies: readonly {
    readonly name: string;
    readonly permissive: boolean;
    readonly text: string;
  }[];
  /** `role PRIVILEGE` */
  readonly grants: readonly string[];
}

/** Who there is and what they may use. */
interface CatalogAccess {
  readonly roles: ReadonlySet<string>;
  /** Body of bac.has_role. */
  readonly hasRole: string | null;
  /** `schema role` */
  readonly usage: ReadonlySet<string>;
}

/** Extension pg_trgm: where it is, or that it could be made; null where neither. */
type Trigrams = { readonly schema: string; readonly there: boolean } | null;

export interface Catalog {
  readonly schemas: ReadonlySet<string>;
  readonly access: CatalogAccess;
  readonly trigrams: Trigrams;
  /** Comparisons that row-level security keeps from indexes, as `name(type, type)`; empty where they cannot be changed. */
  readonly leaky: readonly string[];
  /** By `schema.table`. */
  readonly tables: ReadonlyMap<string, CatalogTable>;
}

interface TableRow extends Omit<CatalogTable, 'empty'> {
  readonly oid: string;
}

/** What the database holds of these schemas: ordinary tables only. */
export async function readCatalog(client: Queryable, schemas: readonly string[]): Promise<Catalog> {
  const present = await client.query<{ nspname: string }>(
    'SELECT nspname FROM pg_namespace WHERE nspname = ANY($1::text[])',
    [['bac', ...schemas]],
  );
  const { rows } = await client.query<TableRow>(TABLES, [schemas]);
  const tables = new Map<string, CatalogTable>();
  for (const { oid: _oid, ...row } of rows) {
    const filled = await client.query(`SELECT 1 FROM ${pgTable(row.schema, row.name)} LIMIT 1`);
    tables.set(`${row.schema}.${row.name}`, { ...row, empty: filled.rowCount === 0 });
  }
  const access = await client.query<{
    roles: string[];
    function: string | null;
    usage: string[];
    trigrams: string | null;
    can_make: boolean;
    leaky: string[];
  }>(ACCESS, [['bac', ...schemas]]);
  const { roles, function: hasRole, usage, trigrams, can_make, leaky } = access.rows[0]!;
  return {
    schemas: new Set(present.rows.map((row) => row.nspname)),
    access: { roles: new Set(roles), hasRole, usage: new Set(usage) },
    trigrams:
      trigrams === null
        ? can_make
          ? { schema: 'public', there: false }
          : null
        : { schema: trigrams, there: true },
    leaky,
    tables,
  };
}

const ACCESS = `
SELECT ARRAY(SELECT rolname::text FROM pg_roles) AS roles,
  (SELECT p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'bac' AND p.proname = 'has_role') AS function,
  ARRAY(SELECT n.nspname || ' ' || r.rolname FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
    WHERE n.nspname = ANY($1::text[]) AND a.privilege_type = 'USAGE') AS usage,
  (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm') AS trigrams,
  EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')
    AND (version() !~ '-YB-' OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
    AND has_database_privilege(current_database(), 'CREATE')
    AND has_schema_privilege('public', 'CREATE') AS can_make,
  ARRAY(SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND NOT p.proleakproof AND version() !~ '-YB-'
      AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
      AND (p.proname ~ '^numeric_(eq|ne|lt|le|gt|ge)$' OR (p.proname IN ('textlike', 'texticlike') AND p.pronargs = 2))
    ORDER BY 1) AS leaky`;

const TABLES = `
SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, obj_description(c.oid, 'pg_class') AS comment,
  coalesce((SELECT json_agg(json_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
      'default', pg_get_expr(d.adbin, d.adrelid), 'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns,
  coalesce((SELECT json_agg(json_build_object(
      'name', k.conname, 'kind', k.contype, 'definition', pg_get_constraintdef(k.oid), 'valid', k.convalidated) ORDER BY k.conname)
    FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'c', 'f')), '[]') AS constraints,
  coalesce((SELECT json_agg(json_build_object('name', i.relname, 'valid', x.indisvalid) ORDER BY i.relname)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    WHERE x.indrelid = c.oid AND NOT EXISTS (
      SELECT 1 FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.conrelid = c.oid)), '[]') AS indexes,
  c.relrowsecurity AS "rowSecurity", c.relforcerowsecurity AS forced,
  coalesce((SELECT json_agg(json_build_object('name', l.polname, 'permissive', l.polpermissive, 'text', concat_ws(' ',
      pg_get_expr(l.polqual, c.oid), pg_get_expr(l.polwithcheck, c.oid))) ORDER BY l.polname)
    FROM pg_policy l WHERE l.polrelid = c.oid), '[]') AS policies,
  ARRAY(SELECT r.rolname || ' ' || a.privilege_type FROM aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee) AS grants
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p')
ORDER BY n.nspname, c.relname`;
