/** The shortest way along links from one name to another, both included; null if there is none. */
export function trailTo(
  from: string,
  wanted: string,
  links: ReadonlyMap<string, readonly { readonly to: string }[]>,
): string[] | null {
  const trails = [[from]];
  const seen = new Set([from]);
  for (const trail of trails) {
    const at = trail.at(-1)!;
    if (at === wanted) return trail;
    for (const { to } of links.get(at) ?? []) {
      if (seen.has(to)) continue;
      seen.add(to);
      trails.push([...trail, to]);
    }
  }
  return null;
}
