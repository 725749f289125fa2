import { SqlError } from '../errors.ts';
import { type Node, names } from './ast.ts';
import type { Expr } from './expr.ts';
import { ROW_VALUES } from './governed.ts';
import type { Scope } from './scope.ts';

/** Name PostgreSQL gives a column of the result that has none; source: FigureColname. */
export function nameOf(node: Node): string {
  if ('ColumnRef' in node) return names(node.ColumnRef.fields).at(-1) ?? '?column?';
  if ('FuncCall' in node) return names(node.FuncCall.funcname).at(-1) ?? '?column?';
  if ('TypeCast' in node) {
    const inner = nameOf(node.TypeCast.arg!);
    return inner === '?column?' ? (names(node.TypeCast.typeName?.names).at(-1) ?? inner) : inner;
  }
  if ('CaseExpr' in node) {
    const inner = node.CaseExpr.defresult ? nameOf(node.CaseExpr.defresult) : '?column?';
    return inner === '?column?' ? 'case' : inner;
  }
  if ('CoalesceExpr' in node) return 'coalesce';
  if ('MinMaxExpr' in node) return node.MinMaxExpr.op === 'IS_LEAST' ? 'least' : 'greatest';
  if ('CollateClause' in node) return nameOf(node.CollateClause.arg!);
  if ('GroupingFunc' in node) return 'grouping';
  if ('A_Expr' in node && node.A_Expr.kind === 'AEXPR_NULLIF') return 'nullif';
  if ('SQLValueFunction' in node)
    return (node.SQLValueFunction.op ?? '')
      .replace(/^SVFOP_/, '')
      .replace(/_N$/, '')
      .toLowerCase();
  if ('SubLink' in node) {
    if (node.SubLink.subLinkType === 'EXISTS_SUBLINK') return 'exists';
    const select = node.SubLink.subselect;
    const target = select && 'SelectStmt' in select ? select.SelectStmt.targetList?.[0] : undefined;
    if (node.SubLink.subLinkType === 'EXPR_SUBLINK' && target && 'ResTarget' in target)
      return target.ResTarget.name ?? nameOf(target.ResTarget.val!);
  }
  return '?column?';
}

/** Columns of `*` or `table.*`: of a cube or view all that a single row has a value for. */
export function starColumns(node: Node, scope: Scope): { name: string; value: Expr }[] {
  const path = 'ColumnRef' in node ? names(node.ColumnRef.fields) : [];
  const table = path.length > 1 ? path.at(-2)! : null;
  const sources = table === null ? scope.sources : scope.sources.filter((source) => source.alias === table);
  if (sources.length === 0) throw new SqlError('42601', 'SELECT * with no tables specified is not valid');
  const columns = sources.flatMap(({ governed, columns: plain }) => {
    if (!governed)
      return plain.map((column) => ({ name: column.name, value: { sql: column.sql, type: column.type } }));
    return [...governed.relation.members.values()]
      .filter(
        (one) => one.kind === 'dimension' || (!governed.relation.view && ROW_VALUES.has(one.aggregate ?? '')),
      )
      .map((member) => ({ name: member.column, value: governed.column(member) }));
  });
  if (table !== null || scope.merged.size === 0) return columns;
  const rest = columns.filter((column) => !scope.merged.has(column.name));
  return [...[...scope.merged].map(([name, value]) => ({ name, value })), ...rest];
}
