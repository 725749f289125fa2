import type { ColumnType } from '#kernel';
import { elementName, warehouseTypeOf } from './map.ts';

/**
 * How a field of the snapshot's COPY text (kernel/interchange.ts) becomes a column: the type it is
 * read as, and the expression over it. Types ClickHouse reads natively have no expression.
 */
export interface FieldReader {
  readonly readAs: string;
  readonly convert: ((field: string) => string) | null;
}

const PLAIN_ELEMENTS = new Set(['bool', 'int2', 'int4', 'int8', 'numeric']);

export function fieldReader(column: { readonly type: ColumnType; readonly nullable: boolean }): FieldReader {
  const { type } = column;
  if (type.kind === 'array') {
    const target = `Array(Nullable(${elementName(type.element)}))`;
    return {
      readAs: 'Nullable(String)',
      convert: (field) => arrayExpression(type.element.kind, target, field),
    };
  }
  if (type.kind === 'bytes') {
    return { readAs: column.nullable ? 'Nullable(String)' : 'String', convert: (field) => `unhex(${field})` };
  }
  return { readAs: warehouseTypeOf(column), convert: null };
}

function arrayExpression(kind: string, target: string, nullable: string): string {
  const field = `ifNull(${nullable}, '[]')`;
  // Exact digits: JSON functions would pass numbers through a float.
  if (PLAIN_ELEMENTS.has(kind) && !target.includes('String')) {
    return `CAST(replaceAll(${field}, 'null', 'NULL') AS ${target})`;
  }
  if (kind === 'bytes') {
    return `arrayMap(x -> unhex(substring(x, 3)), JSONExtract(${field}, 'Array(Nullable(String))'))`;
  }
  if (kind === 'timestamp' || kind === 'timestamptz') {
    // array_to_json writes ISO 8601, with an offset where there is a zone.
    const zone = kind === 'timestamptz' ? ", 'UTC'" : '';
    return `arrayMap(x -> parseDateTime64BestEffortOrNull(x, 6${zone}), JSONExtract(${field}, 'Array(Nullable(String))'))`;
  }
  return `JSONExtract(${field}, '${target.replaceAll("'", "\\'")}')`;
}
