import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectAccessible } from './support/accessibility.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, cutNetwork, expectQuiet, refuse, startConsole } from './support/console.ts';
import { screenshot } from './support/screenshots.ts';

describe.skipIf(noBrowser)('the overview', () => {
  let console: Console;
  beforeAll(async () => {
    console = await startConsole();
  }, 120_000);
  afterAll(() => console?.close(), 90_000);

  const figure = (page: Page, label: string) => page.locator('dl > div', { hasText: label });
  const submit = (name: string, command: string) =>
    console.product.ok(['submit', '-'], {
      input: JSON.stringify({ name, command: ['sh', '-c', command], resources: { cpu: 0.1, memory: '128MiB' } }),
    });

  it('says what to do first while there is no job, and lets one copy the command', async () => {
    const page = await console.open('/');
    await page.getByRole('heading', { name: 'Get your first job running' }).waitFor();
    await page.getByText('A node is ready').waitFor();
    await page.getByRole('button', { name: 'Copy npx solyx submit examples/train.yaml --follow' }).waitFor();
    await expectAccessible(page);
    await screenshot(page, 'overview-empty', { dark: true });
    expectQuiet(page);
    await page.context().close();
  });

  it('shows a job that is submitted elsewhere, without being asked again', async () => {
    const page = await console.open('/');
    await page.getByText('live', { exact: true }).waitFor();
    await submit('long', 'sleep 600');
    await submit('broken', 'exit 3');
    await page.reload();
    const rows = page.getByRole('table', { name: 'Last jobs' }).getByRole('row');
    await rows.filter({ hasText: 'broken' }).getByText('failed').waitFor();
    await rows.filter({ hasText: 'long' }).getByText('running').waitFor();
    await submit('third', 'exit 0');
    await rows.filter({ hasText: 'third' }).getByText('succeeded').waitFor();
    await figure(page, 'Running').getByRole('link', { name: '1 job: show it' }).waitFor();
    await figure(page, 'Failed today').getByText('1 succeeded').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'overview', { dark: true });
    expectQuiet(page);
    await page.context().close();
  });

  it('answers a click on another page at once by its shape, while its code is still on the way', async () => {
    const page = await console.open('/');
    await figure(page, 'Running').waitFor();
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    await page.route(/\/assets\/jobs-.*\.js$/, async (route) => {
      await arrived;
      await route.continue();
    });
    await page.getByRole('link', { name: 'Jobs', exact: true }).first().click();
    await page.locator('main [aria-busy]').getByRole('heading', { name: 'Jobs' }).waitFor();
    expect(await page.getByRole('heading', { level: 1 }).allTextContents()).toEqual(['Jobs']);
    arrive();
    await page.getByRole('search', { name: 'Filter the jobs' }).waitFor();
    expectQuiet(page);
    await page.context().close();
  });

  it('has a title of its own, as every page has, so that tabs and screen readers tell them apart', async () => {
    const page = await console.open('/');
    const titled = (title: string) => page.waitForFunction((wanted) => document.title === wanted, title);
    await titled('Overview · Solyx');
    await page.getByRole('link', { name: 'Jobs', exact: true }).first().click();
    await titled('Jobs · Solyx');
    await page.getByRole('grid', { name: 'Jobs' }).getByRole('link', { name: 'broken' }).first().click();
    await titled('broken · Solyx');
    await page.goto('/account');
    await titled('Your account · Solyx');
    await page.goto('/nowhere');
    await titled('Solyx');
    await page.context().close();
  });

  it('leads from a figure to the jobs behind it', async () => {
    const page = await console.open('/');
    await figure(page, 'Failed today').getByRole('link').click();
    await page.waitForURL('**/jobs?state=failed');
    await page.getByRole('grid', { name: 'Jobs' }).getByRole('row').filter({ hasText: 'broken' }).waitFor();
    await page.context().close();
  });

  it('says which figures failed, with the request’s id, and gets them when asked again', async () => {
    const page = await console.open('/login', { key: null });
    await page
      .context()
      .request.post('/v1/sessions', { data: { key: console.adminKey }, headers: { origin: console.url } });
    let broken = true;
    await page.route('**/v1/overview', (route) =>
      broken ? refuse(route, 500, 'internal', 'The test broke it.') : route.continue(),
    );
    await page.goto('/');
    await page.getByText('The test broke it.').waitFor();
    await page.getByText('req_00000000000000000000000000').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'overview-error');
    broken = false;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Spend today').waitFor();
    await page.context().close();
  });

  it('says which role grants what one may not see', async () => {
    const page = await console.open('/');
    await page.route('**/v1/overview', (route) =>
      refuse(route, 403, 'forbidden', 'Role viewer is needed; this key has none.'),
    );
    await page.reload();
    await page.getByText('it takes the role viewer').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'overview-forbidden');
    await page.context().close();
  });

  it('keeps what it read when nobody answers any more, says how old it is, and is live again by itself', async () => {
    const page = await console.open('/login', { key: null });
    await console.signIn(page);
    const network = await cutNetwork(page);
    await page.goto('/');
    await figure(page, 'Spend today').waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    network.cut();
    await page.getByText(/^offline, .* old$/).waitFor();
    await page.getByText('The server cannot be reached.').first().waitFor();
    expect(await figure(page, 'Spend today').isVisible()).toBe(true);
    await expectAccessible(page);
    await screenshot(page, 'overview-offline');
    network.mend();
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByText('The server cannot be reached.').first().waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('shows a skeleton of the right shape, and only when the answer takes its time', async () => {
    const page = await console.open('/');
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route('**/v1/overview', async (route) => {
      await held;
      await route.continue();
    });
    await page.reload();
    await page.locator('[data-state=loading][data-shown=true]').first().waitFor();
    await screenshot(page, 'overview-loading');
    answer();
    await page.getByText('Spend today').waitFor();
    expect(await page.locator('[data-state=loading]').count()).toBe(0);
    await page.context().close();
  });

  it('fits a telephone', async () => {
    const page = await console.open('/', { viewport: { width: 360, height: 740 } });
    await page.getByRole('table', { name: 'Last jobs' }).getByText('broken').waitFor();
    const overflow = await page.evaluate(() => document.querySelector('main')!.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await page.getByRole('button', { name: 'Open the menu' }).click();
    await page.getByRole('link', { name: 'Jobs', exact: true }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    expect(
      await page.getByRole('button', { name: 'Open the menu' }).evaluate((one) => one === document.activeElement),
    ).toBe(true);
    expectQuiet(page);
    await page.context().close();
  });
});
