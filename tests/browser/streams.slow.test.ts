import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { hasBrowser, openBrowser } from '#tests/browser';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';

/** Set to a folder to keep what a person would see. */
const SHOTS = process.env.HUB_TEST_SCREENSHOTS;

async function shot(page: Page, name: string): Promise<void> {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

async function open(hub: TestHub): Promise<{ page: Page; problems: string[]; close(): Promise<void> }> {
  const browser = await openBrowser();
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(hub.addresses.http!);
  return { page, problems, close: () => browser.close() };
}

test.skipIf(!hasBrowser())(
  'the Streams page shows the live demo, opens a table, and takes a new source',
  async () => {
    await using hub = await testHub({ args: [], env: { BAC_DEMO_ORDERS: '1000', BAC_DEMO_RATE: '30' } });
    const { tenants } = JSON.parse((await hub.bac('tenants', 'list', '--json')).stdout);
    expect(tenants.map(({ id }: { id: string }) => id)).toEqual(['aurora', 'kestrel']);
    const { page, problems, close } = await open(hub);
    await page.getByText('commerce').first().waitFor();
    // Numbers change by themselves.
    const text = (): Promise<string> =>
      page
        .locator('main')
        .textContent()
        .then((found) => found ?? '');
    const before = await text();
    await eventually(
      async () => ((await text()) !== before ? true : undefined),
      15_000,
      () => 'the page stands still',
    );
    await shot(page, 'streams');
    // Keyboard: / filters, Enter on a row opens it, Escape closes.
    await page.keyboard.press('/');
    await page.keyboard.type('order_line');
    await eventually(
      async () => {
        // The list itself: the feed beside it names tables too.
        const rows = await page.locator('table.grid tbody tr').allTextContents();
        return rows.length > 0 && rows.every((row) => row.includes('order_line')) ? true : undefined;
      },
      5_000,
      () => 'the filter does not filter',
    );
    await page.locator('table.grid tbody tr').first().click();
    await page.getByRole('dialog').waitFor();
    await shot(page, 'table');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(problems).toEqual([]);
    await close();
  },
);

test.skipIf(!hasBrowser())(
  'an empty hub says what to do next, and says why a source is refused',
  async () => {
    await using hub = await testHub();
    const { page, close } = await open(hub);
    await page
      .getByRole('button', { name: /add (a )?source|connect/i })
      .first()
      .click();
    await page.getByRole('dialog').waitFor();
    await page.getByLabel(/name/i).first().fill('shop');
    await page
      .getByLabel(/connection|url/i)
      .first()
      .fill('postgresql://nobody:wrong@127.0.0.1:1/none');
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /add|connect|capture/i })
      .last()
      .click();
    await page.getByText('127.0.0.1:1').first().waitFor();
    await shot(page, 'refused');
    await close();
  },
);
