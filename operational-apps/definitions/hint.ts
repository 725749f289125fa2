import { nearest } from '#kernel';

/** `, did you mean \`x\`?`, or the list of what is known. */
export function hint(wrong: string, known: readonly string[]): string {
  const near = nearest(wrong, known);
  if (near) return `, did you mean \`${near}\`?`;
  return known.length === 0 ? '' : `; known here: ${known.slice(0, 20).join(', ')}`;
}
