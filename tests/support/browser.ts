import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const installed = process.env.CHROMIUM ?? PATHS.find((path) => existsSync(path));

/** A browser is there, or must be (CI). Elsewhere its tests say that they skip. */
export const hasBrowser = (): boolean => installed !== undefined || process.env.HUB_TEST_REQUIRE_ALL === '1';

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: installed,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
