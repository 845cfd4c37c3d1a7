/**
 * Draws the pictures of the documentation, and only when told to:
 *
 *   SOLYX_IMAGES=docs/images npx vitest run tests/browser/images.test.ts
 *
 * What they show is a real product: a model that was trained, jobs that failed and wait, and a fleet of 1,024 devices, whose
 * rows stand in the database as agents would have made them.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, startConsole } from './support/console.ts';
import { addFleet, keepHeard, largeFleet, onDatabase, sampleFleet } from './support/large-fleet.ts';
import { untilStill } from './support/screenshots.ts';

const folder = process.env.SOLYX_IMAGES;
const examples = resolve(import.meta.dirname, '..', '..', 'examples');
const patienceMs = 240_000;
/** What a reader's page may weigh. */
const mostBytes = 150_000;

describe.skipIf(noBrowser || folder === undefined)('the pictures of the documentation', () => {
  let console: Console;
  let job: string;
  const submit = async (file: string) => (await console.product.json<{ id: string }>(['submit', file])).id;
  const submitText = async (input: string) =>
    (await console.product.json<{ id: string }>(['submit', '-'], { input })).id;
  const untilState = (id: string, state: string) =>
    until(
      `${id} is ${state}`,
      async () => (await console.product.json<{ state: string }>(['job', id])).state === state,
      patienceMs,
    );

  beforeAll(async () => {
    console = await startConsole();
    const failed = await submitText('name: evaluate\ncommand: echo no such checkpoint >&2; exit 3\n');
    await untilState(failed, 'failed');
    job = await submit(join(examples, 'train.yaml'));
    await untilState(job, 'succeeded');
    await submitText('name: tokenize\ncommand: [sleep, "600"]\n');
    await submit(join(examples, 'waits.yaml'));
  }, 2 * patienceMs);
  afterAll(() => console?.close(), 90_000);

  async function open(path: string): Promise<Page> {
    const page = await console.open(path);
    page.setDefaultTimeout(patienceMs);
    return page;
  }

  async function draw(page: Page, name: string, colorScheme: 'light' | 'dark' = 'light'): Promise<void> {
    mkdirSync(folder!, { recursive: true });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.mouse.move(0, 0);
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await untilStill(page);
    const png = await page.screenshot({ path: join(folder!, `${name}.png`) });
    expect(png.length, `${name}.png`).toBeLessThanOrEqual(mostBytes);
  }

  it(
    'show a job: why it ran there, its loss, its place among others',
    async () => {
      const page = await open(`/jobs/${job}`);
      await page.getByText('One node fitted and was taken').waitFor();
      await page.getByText('By the orchestrator, attempt 1').first().waitFor();
      await draw(page, 'job');
      await page.getByRole('tab', { name: 'Charts' }).click();
      await page.getByRole('figure', { name: 'loss', exact: true }).waitFor();
      await draw(page, 'job-charts', 'dark');
      await page.goto('/jobs');
      await page.getByRole('button', { name: 'Columns' }).click();
      for (const column of ['Waited', 'Cost', 'Energy']) {
        await page.getByRole('menuitemcheckbox', { name: column, exact: true }).click();
      }
      await page.keyboard.press('Escape');
      await page.getByText(/Wh/).first().waitFor();
      await draw(page, 'jobs');
      await page.context().close();
    },
    patienceMs,
  );

  it(
    'show the form',
    async () => {
      const page = await open('/submit');
      await page.getByRole('link', { name: /Training/ }).click();
      await page.getByText(/examples\/train: 4 files/).waitFor();
      await page.getByText('It would start now').waitFor();
      await page.evaluate(() => window.scrollTo(0, 0));
      await draw(page, 'submit');
      await page.context().close();
    },
    patienceMs,
  );

  it(
    'show the overview and a fleet',
    async () => {
      const fleet = await addFleet(console.product.home, largeFleet);
      const stop = keepHeard(console.product.home);
      try {
        const page = await open('/');
        await page.getByText(/of 1\s?024 devices/).waitFor();
        await page.getByRole('link', { name: 'train-small-model' }).waitFor();
        await draw(page, 'overview', 'dark');
        await page.goto('/fleet');
        await page.getByRole('link', { name: /singapore-1: 32 nodes/ }).waitFor();
        await draw(page, 'fleet');
        await page.getByRole('button', { name: 'Devices', exact: true }).click();
        await until(
          'every cell shows a measurement',
          async () => {
            await onDatabase(console.product.home, (client) => sampleFleet(client, fleet.nodes, fleet.devices, 3));
            return (await page.locator('[data-id^="dev_"][data-load="none"]').count()) === 0;
          },
          patienceMs,
        );
        await page.getByRole('heading', { name: 'Nodes' }).scrollIntoViewIfNeeded();
        await draw(page, 'fleet-devices', 'dark');
        await page.context().close();
      } finally {
        stop();
      }
    },
    patienceMs,
  );
});
