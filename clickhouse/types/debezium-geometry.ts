import type { ExactJson } from './exact-json.ts';

type Fields = Readonly<Record<string, ExactJson | undefined>>;

/** Little-endian WKB: byte order, type, for polygons the number of rings, number of points, points. */
const POINT_BYTES = 16;
const LINE_HEADER = 9;
const POLYGON_HEADER = 13;

/**
 * PostgreSQL's text of what Debezium 3.7 and later sends as a structure: a circle by centre and radius, a line
 * by its coefficients, the others as well-known binary. Null if it is none of them.
 * A polygon's ring is closed there: whether its last point was given twice is not told.
 */
export function geometryText(type: string, value: ExactJson): string | null {
  const fields = fieldsOf(value);
  if (fields === null) return null;
  if (type === 'line') {
    const { a, b, c } = fields;
    return a === undefined || b === undefined || c === undefined ? null : `{${[a, b, c].map(floatText)}}`;
  }
  if (type === 'circle') {
    const center = fieldsOf(fields.center);
    if (center?.x === undefined || center.y === undefined || fields.radius === undefined) return null;
    return `<(${floatText(center.x)},${floatText(center.y)}),${floatText(fields.radius)}>`;
  }
  if (typeof fields.wkb !== 'string') return null;
  const bytes = Buffer.from(fields.wkb, 'base64');
  switch (type) {
    case 'box': {
      const corners = points(bytes, POLYGON_HEADER);
      return corners[0] === undefined || corners[2] === undefined ? null : `${corners[0]},${corners[2]}`;
    }
    case 'lseg':
      return `[${points(bytes, LINE_HEADER)}]`;
    case 'path': {
      const closed = String(fieldsOf(fields.extensions)?.closed) === 'true';
      return closed ? `(${points(bytes, LINE_HEADER)})` : `[${points(bytes, LINE_HEADER)}]`;
    }
    case 'polygon':
      return `(${points(bytes, POLYGON_HEADER).slice(0, -1)})`;
    default:
      return null;
  }
}

const fieldsOf = (value: ExactJson | undefined): Fields | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;

function points(bytes: Buffer, from: number): string[] {
  const found: string[] = [];
  for (let at = from; at + POINT_BYTES <= bytes.length; at += POINT_BYTES)
    found.push(`(${floatText(bytes.readDoubleLE(at))},${floatText(bytes.readDoubleLE(at + 8))})`);
  return found;
}

/** A double as PostgreSQL prints it: shortest digits, an exponent below 1e-4 and from 1e15 on. */
export function floatText(value: ExactJson): string {
  const number = Number(value);
  const size = Math.abs(number);
  if (!Number.isFinite(number) || number === 0 || (size >= 1e-4 && size < 1e15)) {
    return Object.is(number, -0) ? '-0' : String(number);
  }
  return number.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
