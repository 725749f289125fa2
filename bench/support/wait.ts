const POLL_MS = 20;

/** Polls until `check` is true; gives up after ten minutes. */
export async function eventually(check: () => Promise<boolean>, timeoutMs = 600_000): Promise<void> {
  const until = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > until) throw new Error('the benchmark waited in vain');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
