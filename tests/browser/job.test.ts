/** The job page in a real browser: a real training run live, hostile output, a log of 200,000 lines, every state of its panels. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { expectAccessible } from './support/accessibility.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, expectQuiet, refuse, startConsole } from './support/console.ts';
import { screenshot } from './support/screenshots.ts';

const examples = resolve(import.meta.dirname, '../../examples');

describe.skipIf(noBrowser)('the job page', () => {
  let console: Console;
  beforeAll(async () => {
    console = await startConsole();
  }, 120_000);
  afterAll(() => console?.close(), 90_000);

  const submit = (spec: object | string) =>
    typeof spec === 'string'
      ? console.product.ok(['submit', spec])
      : console.product.ok(['submit', '-'], { input: JSON.stringify(spec) });
  const ended = (id: string) =>
    until(
      'the job has ended',
      async () => {
        const { state } = await console.product.json<{ state: string }>(['job', id]);
        return ['succeeded', 'failed', 'cancelled'].includes(state) && state;
      },
      60_000,
    );
  const tab = (page: Page, name: string) => page.getByRole('tab', { name }).click();
  const close = async (page: Page) => {
    expectQuiet(page);
    await page.context().close();
  };

  it('shows a training run while it runs, to its end', async () => {
    const id = await submit(`${examples}/train.yaml`);
    const page = await console.open(`/jobs/${id}`);
    await page.getByRole('heading', { name: 'train-small-model' }).waitFor();
    await page.locator('header [data-tone="running"]', { hasText: 'running' }).waitFor();
    await page.getByRole('heading', { name: 'Why here?' }).waitFor();
    await page.getByText('One node fitted and was taken').waitFor();
    await page.getByText('By the scheduler, attempt 1').waitFor();

    await tab(page, 'Logs');
    const log = page.getByRole('log');
    await log.getByText('checkpoint written at step 250').waitFor();
    await page.locator('[role="tabpanel"]').getByText('live', { exact: true }).waitFor();
    const before = Number(await log.getAttribute('data-rows'));
    await until('new lines come by themselves', async () => Number(await log.getAttribute('data-rows')) > before);

    await tab(page, 'Charts');
    const loss = page.getByRole('figure', { name: 'loss', exact: true });
    await loss.getByRole('button', { name: 'Table' }).click();
    const rows = loss.locator('tbody tr');
    const count = await until('points come by themselves', async () => {
      const now = await rows.count();
      return now > 5 ? now : undefined;
    });
    await until('and more of them', async () => (await rows.count()) > count);
    const values = (await rows.locator('td').allTextContents()).map(Number);
    expect(values.at(-1)!).toBeLessThan(values[0]!);

    // Nobody loads the page again.
    await page.locator('header [data-tone="succeeded"]', { hasText: 'succeeded' }).waitFor({ timeout: 60_000 });
    await tab(page, 'Overview');
    await page.getByText('Checkpoint', { exact: true }).waitFor();
    await page
      .getByTitle(/Wh, (measured|modelled)/)
      .first()
      .waitFor();
    for (const name of ['Overview', 'Logs', 'Charts', 'Attempts', 'Spec', 'Events']) {
      await tab(page, name);
      await page.waitForLoadState('networkidle');
      await screenshot(page, `job-${name.toLowerCase()}`, { dark: true });
      await expectAccessible(page);
    }
    await close(page);
  }, 120_000);

  it('shows hostile names, labels and bytes as text and nothing else', async () => {
    const markup = '<img src=x onerror="document.title=1">';
    const script = [
      `printf '%b' '\\033]0;owned\\007\\033[2J\\033[31mred\\033[0m \\033]8;;https://evil.example\\033\\\\link\\n'`,
      `printf '%s\\n' '${markup}'`,
      `printf 'user \\342\\200\\256nimda\\n'`,
      `printf '\\377\\376 broken \\000 bytes\\n' >&2`,
      `printf '10 %%\\r100 %% done\\n'`,
    ].join('; ');
    const id = await submit({
      name: 'hostile',
      command: script,
      labels: { markup, 'a/b': '\u202Eevil\u0027";--' },
      env: { A: '</script><script>document.title=2</script>' },
    });
    await ended(id);
    const page = await console.open(`/jobs/${id}`);
    await page.getByText(`markup: ${markup}`).waitFor();
    await tab(page, 'Spec');
    await page.getByText('</script><script>').waitFor();
    await tab(page, 'Events');
    await page.getByRole('heading', { name: 'Events' }).waitFor();
    await tab(page, 'Logs');
    const log = page.getByRole('log');
    await log.getByText(markup).waitFor();
    await log.getByText('\\u202e').waitFor();
    await log.getByText('100 % done').waitFor();
    const text = (await log.textContent()) ?? '';
    expect(text).toContain('red link');
    expect(text).not.toContain('owned');
    expect(text).not.toContain('evil.example');
    expect(text).not.toContain('10 %\r');
    const red = await log.getByText('red', { exact: true }).evaluate((element) => getComputedStyle(element).color);
    expect(red).not.toBe(
      await log.getByText('\\u202e').evaluate((element) => getComputedStyle(element.parentElement!).color),
    );
    expect(await page.locator('img[src="x"]').count()).toBe(0);
    expect(await page.title()).not.toMatch(/^[12]$/);
    await screenshot(page, 'job-hostile-log', { dark: true });
    await expectAccessible(page);
    await close(page);
  }, 120_000);

  it('scrolls, searches, links and saves a log of 200,000 lines', async () => {
    const lines = 200_000;
    const program = `let t='';for(let i=1;i<=${lines};i++){t+='line '+i+(i===123456?' the needle':'')+'\\n';if(t.length>60000){process.stdout.write(t);t=''}}process.stdout.write(t)`;
    const id = await submit({ name: 'long-log', command: ['node', '-e', program], resources: { memory: '256MiB' } });
    expect(await ended(id)).toBe('succeeded');
    const page = await console.open(`/jobs/${id}?tab=logs`);
    const log = page.getByRole('log');
    const shows = (text: string) => log.getByText(text, { exact: true }).waitFor();
    // A line that is written in two parts, with a pause between, is two records.
    const rows = async () => Number(await log.getAttribute('data-rows'));
    await until('every line is known', async () => (await rows()) >= lines && (await rows()) < lines + 20, 60_000);
    await shows(`line ${lines}`);
    expect(await log.locator('[data-line]').count()).toBeLessThan(120);

    await log.focus();
    await page.keyboard.press('Home');
    await shows('line 1');
    await page.keyboard.press('PageDown');
    await page.keyboard.press('End');
    await shows(`line ${lines}`);

    // Thirty jumps by the bar over the whole log: what is drawn follows, and the page does not choke on it.
    const longest = await log.evaluate(async (element) => {
      let worst = 0;
      for (let step = 0; step < 30; step += 1) {
        const began = performance.now();
        element.scrollTop = (element.scrollHeight * ((step * 7) % 30)) / 30;
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        worst = Math.max(worst, performance.now() - began);
      }
      return worst;
    });
    process.stdout.write(`longest jump in a log of ${lines} lines: ${Math.round(longest)} ms\n`);
    expect(longest).toBeLessThan(1_500);

    await page.getByLabel('Search in the whole log').fill('the needle');
    await page.getByText('1 matching line', { exact: true }).waitFor({ timeout: 30_000 });
    await page.keyboard.press('Enter');
    await page.locator('[data-selected="true"]').getByText('line 123456').waitFor();
    await until('the address names the line', () => /^#log=1\.0\.1234\d\d$/.test(new URL(page.url()).hash));

    const other = await console.open(`/jobs/${id}#log=1.0.77777`);
    await other
      .locator('[data-line="77776"][data-selected="true"]')
      .getByText(/^line 777[67]\d$/)
      .waitFor();
    await close(other);

    const [download] = await Promise.all([
      page.waitForEvent('download', { timeout: 60_000 }),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    const saved = readFileSync(await download.path(), 'utf8');
    expect(saved.split('\n').length).toBe(lines + 1);
    expect(saved.endsWith('\nline 200000\n')).toBe(true);
    expect(download.suggestedFilename()).toBe(`long-log-${id}-1.log`);
    await close(page);
  }, 180_000);

  it('tells attempts apart, and why one followed another', async () => {
    const id = await submit(`${examples}/retry.yaml`);
    await ended(id);
    const page = await console.open(`/jobs/${id}`);
    await page
      .getByText(/exit code 1.*tried again/i)
      .first()
      .waitFor();
    await tab(page, 'Attempts');
    await page.getByRole('heading', { name: 'Attempt 1' }).waitFor();
    await page.getByRole('region', { name: 'Attempt 1' }).getByRole('link', { name: /log/ }).click();
    await page.getByRole('combobox', { name: 'Attempt' }).waitFor();
    expect(new URL(page.url()).hash).toBe('#log=1.0.1');
    await expectAccessible(page);
    await close(page);
  }, 90_000);

  it('says why a job waits, and cancels it by keyboard alone', async () => {
    const id = await submit(`${examples}/waits.yaml`);
    const page = await console.open(`/jobs/${id}`);
    await page.getByRole('heading', { name: 'Why does it wait?' }).waitFor();
    await page.getByText('has no device of the kind asked for').waitFor();
    await screenshot(page, 'job-waits', { dark: true });
    await expectAccessible(page);
    await page.keyboard.press('Tab');
    await pressUntilFocused(page, 'Cancel');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByText('It has not begun; it leaves the queue.').waitFor();
    await expectAccessible(page);
    await pressUntilFocused(page, 'Cancel the job');
    await page.keyboard.press('Enter');
    await page.locator('header [data-tone="cancelled"]').waitFor();
    await page.getByText(/By you\. Cancellation was asked for/).waitFor();
    await page.getByRole('button', { name: 'Retry' }).waitFor();
    await close(page);
  }, 120_000);

  it('is not taken back by an answer that the live connection overtook', async () => {
    const id = await submit(`${examples}/waits.yaml`);
    const page = await console.open('/login');
    const release = Promise.withResolvers<void>();
    await page.route(`**/v1/jobs/${id}`, async (route) => {
      const response = await route.fetch();
      await release.promise;
      await route.fulfill({ response });
    });
    const answered = page.waitForResponse(`**/v1/jobs/${id}`);
    await page.goto(`/jobs/${id}`);
    await page.getByRole('heading', { name: 'Why does it wait?' }).waitFor();
    await console.product.ok(['cancel', id]);
    await page.locator('header [data-tone="cancelled"]').waitFor();
    release.resolve();
    const late = await answered;
    expect(await late.json()).toMatchObject({ state: 'queued' });
    await page.evaluate(() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 100)));
    expect(await page.locator('header [data-tone="cancelled"]').count()).toBe(1);
    expect(await page.getByRole('heading', { name: 'Why does it wait?' }).count()).toBe(0);
    await close(page);
  }, 90_000);

  it('gives a viewer the page without its actions', async () => {
    const { secret } = await console.product.json<{ secret: string }>([
      'keys',
      'create',
      '--name',
      'looks',
      '--role',
      'viewer',
    ]);
    const id = await submit({ name: 'quick', command: 'true' });
    const page = await console.open(`/jobs/${id}`, { key: secret });
    await page.getByRole('heading', { name: 'quick' }).waitFor();
    await page.getByRole('tab', { name: 'Logs' }).waitFor();
    expect(await page.getByRole('button', { name: /^(Cancel|Retry|Clone and edit)$/ }).count()).toBe(0);
    await close(page);
  }, 120_000);

  it('has words for a job that is not there, for failures, refusals and a lost connection', async () => {
    const id = await submit({ name: 'quick', command: 'echo hello' });
    await ended(id);
    const missing = await console.open('/jobs/job_00000000000000000000000000');
    await missing.getByText('There is no such thing, or it is not yours.').waitFor();
    await screenshot(missing, 'job-missing');
    await expectAccessible(missing);
    await missing.context().close();

    const page = await console.open('/login');
    await page.routeWebSocket(/\/v1\/live/, (socket) => socket.close());
    const detail = page.route('**/v1/jobs/*', (route) => route.abort('connectionrefused'));
    await detail;
    await page.goto(`/jobs/${id}`);
    await page.locator('[data-state="offline"]').waitFor();
    await screenshot(page, 'job-offline');
    await page.unroute('**/v1/jobs/*');
    await page.route('**/v1/jobs/*/metrics**', (route) => refuse(route, 500, 'internal', 'The disk is on fire.'));
    await page.route('**/v1/jobs/*/telemetry**', (route) => refuse(route, 403, 'forbidden', 'Role admin is needed.'));
    await page.getByRole('button', { name: 'Try again' }).first().click();
    await page.getByRole('heading', { name: 'quick' }).waitFor();
    await tab(page, 'Charts');
    await page.getByText('The disk is on fire.').waitFor({ timeout: 30_000 });
    await page.getByText('it takes the role admin').waitFor();
    await screenshot(page, 'job-charts-broken', { dark: true });
    await expectAccessible(page);
    await page.route('**/v1/jobs/*/logs**', (route) => refuse(route, 500, 'internal', 'No log today.'));
    await tab(page, 'Logs');
    await page.getByText('No log today.').waitFor();
    await expectAccessible(page);
    await page.context().close();
  }, 90_000);

  it('fits a window of 360 pixels', async () => {
    const id = await submit(`${examples}/array.yaml`).then((text) => /job_\w+/.exec(text)![0]);
    await ended(id);
    const page = await console.open(`/jobs/${id}`, { viewport: { width: 360, height: 740 } });
    for (const name of ['Overview', 'Logs', 'Charts', 'Attempts', 'Spec', 'Events']) {
      await tab(page, name);
      await page.waitForLoadState('networkidle');
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(width, name).toBeLessThanOrEqual(360);
    }
    await expectAccessible(page);
    await close(page);
  }, 90_000);
});

/** Walks by Tab to a button. */
async function pressUntilFocused(page: Page, name: string): Promise<void> {
  for (let step = 0; step < 60; step += 1) {
    const focused = await page.evaluate(() => document.activeElement?.textContent?.trim());
    if (focused === name) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reached "${name}"`);
}
