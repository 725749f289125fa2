/** What a piece of SQL of a member, join or segment refers to. */
export interface References {
  /** [cube, column]; cube is `CUBE` for the own one. */
  readonly columns: readonly (readonly [string, string])[];
  /** [cube, member] with `CUBE` for the own one; `{a.b.c}` means member c of b. */
  readonly members: readonly (readonly [string, string])[];
}

const REFERENCE =
  /\{([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\}(?:\.(?:`([^`]+)`|"([^"]+)"|([A-Za-z_][A-Za-z0-9_]*)))?/g;

/** `cubes` tells `{crm_account}.id`, a column, from `{count}.5`, which nobody writes but Cube would take. */
export function referencesOf(sql: string, cubes: ReadonlySet<string>): References {
  const columns: [string, string][] = [];
  const members: [string, string][] = [];
  for (const [, path, ...quoted] of sql.matchAll(REFERENCE)) {
    const parts = path!.split('.');
    const column = quoted.find((name) => name !== undefined);
    const last = parts.at(-1)!;
    if (column !== undefined && (last === 'CUBE' || cubes.has(last))) columns.push([last, column]);
    else if (parts.length > 1) members.push([parts.at(-2)!, last]);
    else members.push(['CUBE', last]);
  }
  return { columns, members };
}

/** The SQL as the inside of a JavaScript template: references as expressions, all else as text. */
export function template(sql: string, cubes: ReadonlySet<string>): string {
  let result = '';
  let from = 0;
  for (const match of sql.matchAll(REFERENCE)) {
    const path = match[1]!;
    const own = !path.includes('.') && path !== 'CUBE' && !cubes.has(path);
    const length = path.length + 2;
    result += `${escapeTemplate(sql.slice(from, match.index))}\${${own ? `CUBE.${path}` : path}}`;
    from = match.index + length;
  }
  return result + escapeTemplate(sql.slice(from));
}

export const escapeTemplate = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('`', '\\`').replaceAll('${', '\\${');
