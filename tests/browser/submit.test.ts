/** The submit page in a real browser: by form, by YAML, by keyboard; errors at their fields; the same request for other hands. */
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { expectAccessible } from './support/accessibility.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, expectQuiet, refuse, startConsole } from './support/console.ts';
import { screenshot } from './support/screenshots.ts';

const examples = resolve(import.meta.dirname, '../../examples');

describe.skipIf(noBrowser)('the submit page', () => {
  let console: Console;
  beforeAll(async () => {
    console = await startConsole();
  }, 120_000);
  afterAll(() => console?.close(), 90_000);

  const yaml = (page: Page) => page.getByLabel('Job spec as YAML');
  const startsNow = (page: Page) => page.getByText('It would start now').waitFor();
  const close = async (page: Page) => {
    expectQuiet(page);
    await page.context().close();
  };
  const submitted = async (page: Page) => {
    await page.getByRole('button', { name: 'Submit', exact: true }).click();
    await page.waitForURL(/\/jobs\/job_/);
    return /job_\w+/.exec(page.url())![0];
  };

  it('submits the training template with its files, and its loss falls', async () => {
    const page = await console.open('/submit');
    await startsNow(page);
    await screenshot(page, 'submit', { dark: true });
    await expectAccessible(page);
    await page.getByRole('link', { name: /Training/ }).click();
    await page.getByText(/examples\/train: 4 files/).waitFor();
    await startsNow(page);
    await page.getByLabel('CPU cores').fill('1');
    await screenshot(page, 'submit-training', { dark: true });
    await submitted(page);
    await page.getByRole('tab', { name: 'Charts' }).click();
    const loss = page.getByRole('figure', { name: 'loss', exact: true });
    await loss.getByRole('button', { name: 'Table' }).click();
    await until('the loss has points', async () => (await loss.locator('tbody tr').count()) > 5, 30_000);
    const values = (await loss.locator('tbody td').allTextContents()).map(Number);
    expect(values.at(-1)!).toBeLessThan(values[0]!);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await page.locator('header [data-tone="cancelled"]').waitFor({ timeout: 30_000 });
    await close(page);
  }, 120_000);

  it('keeps form and YAML in step, with comments and fields that it does not know', async () => {
    const page = await console.open('/submit');
    await yaml(page).fill(
      '# mine\nname: both-ways # here\ncommand: echo $GREETING\nartifacts: [out]\nenv: {GREETING: "hello"}\n',
    );
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('both-ways');
    await page.getByLabel('Memory', { exact: true }).fill('64MiB');
    await page.getByLabel('Variable 1, value').fill('good evening: <b>');
    await page.getByRole('button', { name: 'Add a label' }).click();
    await page.getByLabel('Label 1, name').fill('team');
    await page.getByLabel('Label 1, value').fill('red');
    const text = await yaml(page).inputValue();
    for (const part of ['# mine', 'name: both-ways # here', 'artifacts: [out]', 'memory: 64MiB', 'team: red'])
      expect(text).toContain(part);
    await startsNow(page);

    await page.getByRole('tab', { name: 'CLI' }).click();
    expect(await page.locator('pre').textContent()).toBe(`npx solyx submit - <<'YAML'\n${text}YAML\n`);
    await page.getByRole('tab', { name: 'curl' }).click();
    await page.getByText(`${console.url}/v1/jobs`).waitFor();
    await page.getByRole('tab', { name: 'TypeScript' }).click();
    await page.getByText("GREETING: 'good evening: <b>'").waitFor();
    await expectAccessible(page);
    const id = await submitted(page);
    const job = await console.product.json<{ labels: object; spec: { env: object; artifacts: string[] } }>(['job', id]);
    expect(job.labels).toEqual({ team: 'red' });
    expect(job.spec.env).toEqual({ GREETING: 'good evening: <b>' });
    expect(job.spec.artifacts).toEqual(['out']);
    await close(page);
  }, 120_000);

  it('says at each field what is wrong with it, and elsewhere what has no field', async () => {
    const page = await console.open('/submit');
    await page.getByLabel('CPU cores').fill('many');
    await page.locator('[data-field="cpu"]').waitFor();
    await page.getByText(/expected number/i).waitFor();
    expect(await page.getByLabel('CPU cores').getAttribute('aria-invalid')).toBe('true');
    await page.getByText('The field is marked in the form.').waitFor();
    await screenshot(page, 'submit-wrong', { dark: true });
    await expectAccessible(page);
    await yaml(page).fill('name: x\ncommand: "true"\nretries: {failed: -1}\ncolour: red\nonDisconnect: never\n');
    await page.getByText('/onDisconnect').waitFor();
    await page
      .getByText(/colour/)
      .last()
      .waitFor();
    // What was folded away opens where something is wrong in it.
    await page.getByLabel('After a failure').waitFor({ state: 'visible' });
    await yaml(page).fill('name: [broken\ncommand: "true"\n');
    await page.getByText('The form waits for the YAML').waitFor();
    expect(await page.getByLabel('Name', { exact: true }).isDisabled()).toBe(true);
    expect(await page.getByRole('button', { name: 'Submit', exact: true }).isDisabled()).toBe(true);
    await screenshot(page, 'submit-broken-yaml', { dark: true });
    await expectAccessible(page);
    await page.getByRole('button', { name: /Go to line/ }).click();
    await yaml(page).fill('name: mended\ncommand: "true"\n');
    await startsNow(page);
    await close(page);
  }, 120_000);

  it('asks while one types, seldom, and drops what was overtaken', async () => {
    const page = await console.open('/submit');
    await startsNow(page);
    const sent: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('dryRun=true')) sent.push(request.postDataJSON().name);
    });
    const answered = page.waitForResponse(
      (response) => response.request().postData()?.includes('typed-by-hand') === true,
    );
    await page.getByLabel('Name', { exact: true }).fill('');
    await page.getByLabel('Name', { exact: true }).pressSequentially('typed-by-hand', { delay: 30 });
    const typed = performance.now();
    await answered;
    process.stdout.write(`verdict ${Math.round(performance.now() - typed)} ms after the last key\n`);
    expect(sent.length).toBeLessThanOrEqual(3);
    expect(sent.at(-1)).toBe('typed-by-hand');
    await close(page);
  }, 120_000);

  it('says what a job would wait for, with models of the fleet to choose from', async () => {
    const page = await console.open('/submit');
    await page.getByText('The fleet has no accelerators now').waitFor();
    await page.getByRole('button', { name: 'Add a device request' }).click();
    await page.getByRole('combobox', { name: 'Model' }).fill('H100');
    await page.getByLabel('Count').fill('8');
    await page.getByText('It would wait').waitFor();
    await page.getByText('has no device of the kind asked for').waitFor();
    expect(await yaml(page).inputValue()).toContain('count: 8');
    await screenshot(page, 'submit-would-wait', { dark: true });
    await expectAccessible(page);
    await close(page);
  }, 120_000);

  it('clones a job to be edited, and submits one again as it was', async () => {
    const id = await console.product.ok(['submit', `${examples}/retry.yaml`]);
    const page = await console.open(`/jobs/${id}`);
    await page.getByRole('link', { name: 'Clone and edit' }).click();
    await page.getByRole('heading', { name: 'Clone and edit' }).waitFor();
    expect(await yaml(page).inputValue()).toContain('checkpointPath: /checkpoints');
    await page.getByLabel('Name', { exact: true }).fill('edited-clone');
    await startsNow(page);
    await expectAccessible(page);
    const clone = await submitted(page);
    await page.getByRole('heading', { name: 'edited-clone' }).waitFor();
    expect(clone).not.toBe(id);
    await page.locator('header [data-tone="succeeded"]').waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('button', { name: 'Submit again' }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(clone));
    const specs = await Promise.all(
      [clone, /job_\w+/.exec(page.url())![0]].map((one) => console.product.json<{ spec: object }>(['job', one])),
    );
    expect(specs[1]!.spec).toEqual(specs[0]!.spec);
    await close(page);
  }, 120_000);

  it('makes one job of one wish, though its answer was lost', async () => {
    const page = await console.open('/submit');
    await page.getByLabel('Name', { exact: true }).fill('only-once');
    await startsNow(page);
    let lost = false;
    await page.route('**/v1/jobs', async (route) => {
      if (lost) return route.continue();
      lost = true;
      await route.fetch();
      await route.abort('connectionreset');
    });
    await page.getByRole('button', { name: 'Submit', exact: true }).click();
    await page.getByText('The server cannot be reached.').waitFor();
    await submitted(page);
    const { items } = await console.product.json<{ items: { name: string }[] }>(['jobs', '--limit', '50']);
    expect(items.filter(({ name }) => name === 'only-once')).toHaveLength(1);
    await page.context().close();
  }, 120_000);

  it('is used by keyboard alone', async () => {
    const page = await console.open('/submit');
    await startsNow(page);
    await tabTo(page, 'Name');
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('by-keyboard');
    await tabTo(page, 'Command');
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('echo typed');
    await until('the text followed', async () => (await yaml(page).inputValue()).includes('echo typed'));
    await tabTo(page, 'Submit');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/jobs\/job_/);
    await page.getByRole('heading', { name: 'by-keyboard' }).waitFor();
    await close(page);
  }, 120_000);

  it('lets a viewer write and tells which role submits; and has words for a server that is away', async () => {
    const { secret } = await console.product.json<{ secret: string }>([
      'keys',
      'create',
      '--name',
      'looks',
      '--role',
      'viewer',
    ]);
    const page = await console.open('/submit', { key: secret });
    await page.locator('[data-state="forbidden"]').getByText('member').waitFor();
    expect(await page.getByRole('button', { name: 'Submit', exact: true }).isDisabled()).toBe(true);
    await screenshot(page, 'submit-forbidden');
    await expectAccessible(page);
    await page.context().close();

    const away = await console.open('/submit');
    await startsNow(away);
    await away.route('**/v1/jobs?dryRun=true', (route) => route.abort('connectionrefused'));
    await away.getByLabel('Name', { exact: true }).fill('nobody-answers');
    await away.locator('[data-state="offline"]').waitFor();
    await screenshot(away, 'submit-offline');
    await away.unroute('**/v1/jobs?dryRun=true');
    await away.route('**/v1/jobs?dryRun=true', (route) => refuse(route, 500, 'internal', 'The disk is on fire.'));
    await away.getByLabel('Name', { exact: true }).fill('it-fails');
    await away.locator('[data-state="error"]').getByText('The disk is on fire.').waitFor();
    await expectAccessible(away);
    await away.context().close();
  }, 90_000);

  it('fits a window of 360 pixels', async () => {
    const page = await console.open('/submit?template=container', { viewport: { width: 360, height: 740 } });
    await page.getByText(/It would (start now|wait)/).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    await expectAccessible(page);
    await close(page);
  }, 120_000);
});

/** Walks by Tab to an input by its label, or to a button by its text. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let step = 0; step < 120; step += 1) {
    const focused = await page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement | null;
      return element?.labels?.[0]?.textContent?.trim() ?? element?.textContent?.trim();
    });
    if (focused === name) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reached "${name}"`);
}
