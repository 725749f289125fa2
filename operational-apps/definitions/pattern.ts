const GROUPS = ['(?:', '(?=', '(?!'];
/** Letters behind a backslash that mean the same to both; `\b` is a word's edge to one and a control sign to the other. */
const ESCAPES = new Set([...'dDsSwWtnrfv']);
const NEGATED = new Set([...'DSW']);
const MOST_REPEATED = 255;

/**
 * What is wrong with a regular expression that PostgreSQL (ARE) and JavaScript (flag `u`) must both read,
 * and read alike; null if nothing is.
 */
export function patternProblem(pattern: string): string | null {
  const foreign = foreignPart(pattern);
  if (foreign !== null) return foreign;
  try {
    new RegExp(pattern, 'u');
    return null;
  } catch (error) {
    return `is no regular expression: ${(error as Error).message.split(': ').at(-1)}`;
  }
}

/** Parts that only one of the two knows. */
function foreignPart(pattern: string): string | null {
  let inClass = false;
  for (let at = 0; at < pattern.length; at += 1) {
    const rest = pattern.slice(at);
    if (rest.startsWith('\\')) {
      const sign = rest[1] ?? '';
      if (sign === 'u' && /^\\u[0-9a-fA-F]{4}/.test(rest)) at += 4;
      else if (/[a-zA-Z0-9]/.test(sign) && !ESCAPES.has(sign))
        return `\`\\${sign}\` does not mean the same to PostgreSQL and to browsers; of letters behind a backslash, ${[...ESCAPES].join(' ')} do`;
      else if (inClass && NEGATED.has(sign)) return `\`\\${sign}\` cannot stand in brackets`;
      at += 1;
    } else if (inClass) {
      if (/^\[[.:=]/.test(rest)) return `\`${rest.slice(0, 2)}\` in brackets is for PostgreSQL alone`;
      if (rest.startsWith(']')) inClass = false;
    } else if (rest.startsWith('[')) {
      if (/^\[\^?\]/.test(rest)) return 'empty brackets do not mean the same to PostgreSQL and to browsers';
      inClass = true;
    } else if (rest.startsWith('(?')) {
      if (!GROUPS.includes(rest.slice(0, 3)))
        return `\`${rest.slice(0, 3)}\` is not for both PostgreSQL and browsers; ${GROUPS.join(' ')} are`;
    } else if (/^\{\d/.test(rest)) {
      const counts = /^\{(\d+)(?:,(\d*))?\}/.exec(rest)!;
      if ([counts[1], counts[2]].some((count) => Number(count ?? 0) > MOST_REPEATED))
        return `nothing can be repeated more than ${MOST_REPEATED} times`;
    }
  }
  return null;
}
