import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { hasBrowser, openBrowser } from '#tests/browser';
import { type TestHub, testHub } from '#tests/hub';
import { fromBase32, stepAt, totp } from '../../hub/identity/totp.ts';

const SHOTS = process.env.HUB_TEST_SCREENSHOTS;

async function shot(page: Page, name: string): Promise<void> {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

async function add(hub: TestHub, path: string, body: object): Promise<void> {
  const answer = await fetch(`${hub.addresses.http}/api/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${hub.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(201);
}

test.skipIf(!hasBrowser())(
  'people sign in by keyboard, are told what is wrong, see who they are, and sign out',
  async () => {
    // Beyond loopback nobody is the owner by being there.
    await using hub = await testHub({ env: { BAC_HTTP_HOST: '0.0.0.0' } });
    const password = 'correct horse battery';
    await add(hub, 'tenants', { id: 'aurora', name: 'Aurora' });
    await add(hub, 'users', { email: 'op@hub.example', password });
    await add(hub, 'users', { email: 'ann@aurora.example', password, tenant: 'aurora' });
    const browser = await openBrowser();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));

    await page.goto(hub.addresses.http!);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await shot(page, 'sign-in');
    // The first field has the focus.
    await page.keyboard.type('op@hub.example');
    await page.keyboard.press('Tab');
    await page.keyboard.type('not the password');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('SIGN_IN_REFUSED').waitFor();
    await shot(page, 'sign-in-refused');
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByText('op@hub.example').waitFor();
    await page.getByText('Point the hub at a database').waitFor();
    await shot(page, 'signed-in');
    await page.reload();

    // A second factor, set up and asked for.
    await page.getByRole('button', { name: 'op@hub.example' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Password', { exact: true }).fill(password);
    await dialog.getByRole('button', { name: 'Set it up' }).click();
    const secret = (await dialog.locator('code').first().textContent())!.replaceAll(' ', '');
    const code = (ahead: number): string => totp(fromBase32(secret), stepAt(Date.now()) + ahead);
    await dialog.getByLabel('Code').fill(code(0));
    await page.keyboard.press('Enter');
    await dialog.getByText('lets you in once').waitFor();
    await shot(page, 'recovery-codes');
    await dialog.getByRole('button', { name: 'I have kept them' }).click();
    await shot(page, 'account');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.keyboard.type('op@hub.example');
    await page.keyboard.press('Tab');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await page.getByLabel('Code').waitFor();
    await shot(page, 'code');
    await page.keyboard.type(code(1));
    await page.keyboard.press('Enter');
    await page.getByText('op@hub.example').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();

    // A user of a tenant is not shown what is of all tenants.
    await page.getByLabel('E-mail').fill('ann@aurora.example');
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'You are signed in' }).waitFor();
    await shot(page, 'confined');
    await page.getByRole('button', { name: 'Sign out' }).click();

    // A key instead.
    await page.getByRole('button', { name: 'Use an API key' }).click();
    await page.keyboard.type(hub.key);
    await page.keyboard.press('Enter');
    await page.getByText('owner', { exact: true }).waitFor();
    expect(problems).toEqual([]);
    await browser.close();
  },
);

test.skipIf(!hasBrowser())(
  'the owner of a loopback hub may become somebody else, and comes back',
  async () => {
    await using hub = await testHub();
    const password = 'correct horse battery';
    await add(hub, 'users', { email: 'op@hub.example', password });
    const browser = await openBrowser();
    const page = await browser.newPage();
    await page.goto(hub.addresses.http!);
    await page.getByText('Local owner').waitFor();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('E-mail').fill('op@hub.example');
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByText('op@hub.example').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('Local owner').waitFor();
    await browser.close();
  },
);
