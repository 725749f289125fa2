/** HTTP status of a ClickHouse exception, as ClickHouse's HTTP interface maps them. */
export function statusOf(code: number): number {
  return STATUSES.get(code) ?? 500;
}

const STATUSES: ReadonlyMap<number, number> = new Map([
  ...([194] as const).map((code) => [code, 401] as const),
  ...[192, 193, 497, 516, 164].map((code) => [code, 403] as const),
  ...[6, 25, 26, 27, 28, 33, 36, 38, 41, 43, 44, 53, 62, 69, 72, 117, 130, 177, 441, 456, 457].map(
    (code) => [code, 400] as const,
  ),
  ...[46, 47, 50, 56, 60, 63, 73, 81, 115, 336].map((code) => [code, 404] as const),
  ...[229].map((code) => [code, 413] as const),
  ...[48].map((code) => [code, 501] as const),
  ...[159].map((code) => [code, 408] as const),
  ...[202, 439].map((code) => [code, 503] as const),
]);
