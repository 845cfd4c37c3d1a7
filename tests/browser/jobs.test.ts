import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { expectAccessible } from './support/accessibility.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, cutNetwork, expectQuiet, refuse, startConsole } from './support/console.ts';
import { screenshot } from './support/screenshots.ts';

const total = 140;

describe.skipIf(noBrowser)('the list of jobs', () => {
  let console: Console;
  beforeAll(async () => {
    console = await startConsole({ args: ['--no-node'] });
    await cancel(await submit('given-up'));
    for (let count = 0; count < total; count += 1) {
      await submit(`job-${String(count).padStart(3, '0')}`, { team: count % 2 ? 'vision' : 'language' });
    }
  }, 120_000);
  afterAll(() => console?.close(), 90_000);

  const ask = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(console.url + path, {
      method,
      headers: {
        authorization: `Bearer ${console.adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return JSON.parse(text);
  };
  const submit = async (name: string, labels: Record<string, string> = {}): Promise<string> =>
    (await ask('POST', '/v1/jobs', { name, command: ['true'], labels })).id;
  const cancel = (id: string) => ask('POST', `/v1/jobs/${id}/cancel`);
  const grid = (page: Page) => page.getByRole('grid', { name: 'Jobs' });
  const row = (page: Page, name: string) => grid(page).getByRole('row').filter({ hasText: name });

  it('says how to get a job when there is none', async () => {
    const tenant = await ask('POST', '/v1/tenants', { name: 'newcomers' });
    const page = await console.open('/jobs', { key: tenant.key.secret });
    await page.getByText('No job was submitted yet').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'jobs-empty');
    expectQuiet(page);
    await page.context().close();
  });

  it('shows jobs with why they wait, and more of them as one scrolls', async () => {
    const page = await console.open('/jobs');
    await row(page, 'job-139').getByText('queued').waitFor();
    await page
      .getByText(/no node/i)
      .first()
      .waitFor();
    expect(await grid(page).getAttribute('aria-rowcount')).toBe('-1');
    await screenshot(page, 'jobs', { dark: true });
    await expectAccessible(page);
    await until('the oldest job is reached', async () => {
      await grid(page).evaluate((element) => element.scrollTo({ top: element.scrollHeight }));
      return row(page, 'given-up').isVisible();
    });
    expect(await grid(page).getAttribute('aria-rowcount')).toBe(String(total + 2));
    // Only what is seen is drawn.
    expect(await grid(page).getByRole('row').count()).toBeLessThan(60);
    expectQuiet(page);
    await page.context().close();
  });

  it('keeps its filters in the address, so that a link is what one sees', async () => {
    const page = await console.open('/jobs');
    await page.getByRole('button', { name: 'queued', exact: true }).click();
    await page.waitForURL('**/jobs?state=queued');
    await page.keyboard.press('/');
    await page.keyboard.type('job-01');
    await page.waitForURL('**/jobs?state=queued&name=job-01');
    await until('ten fit', async () => (await grid(page).getByRole('row').count()) === 11);
    await page.getByPlaceholder('Label key:value').fill('team:vision');
    await page.keyboard.press('Enter');
    await page.waitForURL('**&label=team%3Avision');
    await until('five fit', async () => (await grid(page).getByRole('row').count()) === 6);
    const other = await page.context().newPage();
    await other.goto(page.url());
    await until('five fit there, too', async () => (await grid(other).getByRole('row').count()) === 6);
    await other.getByRole('button', { name: 'Clear' }).click();
    await other.waitForURL(`${console.url}/jobs`);
    expectQuiet(page);
    await page.context().close();
  });

  it('says that nothing fits, and takes one back to everything', async () => {
    const page = await console.open('/jobs?state=failed&name=nothing');
    await page.getByText('No job fits these filters.').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'jobs-nothing-fits');
    await page.getByRole('button', { name: 'Show all jobs' }).click();
    await row(page, 'job-139').waitFor();
    await page.context().close();
  });

  it('changes the rows that one sees in their places, and lets new ones wait to be asked for', async () => {
    const page = await console.open('/jobs');
    await row(page, 'job-139').waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    const { items } = await ask('GET', '/v1/jobs?namePrefix=job-138');
    await cancel(items[0].id);
    await row(page, 'job-138').getByText('cancelled').waitFor();
    await submit('newcomer');
    const pill = page.getByRole('button', { name: '1 new' });
    await pill.waitFor();
    expect(await row(page, 'newcomer').count()).toBe(0);
    await screenshot(page, 'jobs-new');
    await pill.click();
    await row(page, 'newcomer').waitFor();
    await pill.waitFor({ state: 'detached' });
    expectQuiet(page);
    await page.context().close();
  });

  it('cancels what was chosen, after saying what that is', async () => {
    const page = await console.open('/jobs?name=job-05');
    await row(page, 'job-059').waitFor();
    await page.getByRole('checkbox', { name: 'Choose job-059' }).click();
    await page.getByRole('checkbox', { name: 'Choose job-057' }).click({ modifiers: ['Shift'] });
    await page.getByText('3 chosen').waitFor();
    await page.getByRole('button', { name: 'Cancel jobs' }).click();
    await page.getByRole('dialog', { name: 'Cancel 3 jobs?' }).getByText('job-059, job-058, job-057').waitFor();
    await screenshot(page, 'jobs-cancel');
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Cancel 3 jobs' }).click();
    for (const name of ['job-059', 'job-058', 'job-057']) await row(page, name).getByText('cancelled').waitFor();
    await row(page, 'job-056').getByText('queued').waitFor();
    expect(await page.getByText('chosen').count()).toBe(0);
    expectQuiet(page);
    await page.context().close();
  });

  it('can be used by the keyboard alone', async () => {
    const page = await console.open('/jobs?name=job-04');
    await row(page, 'job-049').waitFor();
    // One stop for the whole grid, whatever its cells hold.
    await grid(page).getByRole('link', { name: 'job-049' }).focus();
    await page.keyboard.press('ArrowDown');
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    expect(await focused()).toBe('job-048');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Space');
    await page.getByText('1 chosen').waitFor();
    await page.keyboard.press('Control+End');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('job-040');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/jobs/job_*');
    await page.context().close();
  });

  it('finds jobs and pages by Cmd-K, and says all keys at a ?', async () => {
    const page = await console.open('/jobs');
    await row(page, 'job-139').waitFor();
    await page.keyboard.press('Control+k');
    const palette = page.getByRole('dialog', { name: 'Commands' });
    await palette.getByRole('combobox').fill('job-13');
    await palette.getByRole('option', { name: /job-137/ }).waitFor();
    await expectAccessible(page);
    await screenshot(page, 'palette');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/jobs/job_*');
    await palette.waitFor({ state: 'detached' });
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.waitForURL(`${console.url}/`);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await expectAccessible(page);
    await screenshot(page, 'shortcuts');
    await page.getByLabel('Single keys work').click();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.keyboard.press('Control+k');
    await palette.waitFor();
    expect(await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).count()).toBe(0);
    expectQuiet(page);
    await page.context().close();
  });

  it('gives the whole list as a file, not only what was scrolled to', async () => {
    const page = await console.open('/jobs?name=job-');
    await row(page, 'job-139').waitFor();
    const file = async (format: RegExp) => {
      await page.getByRole('button', { name: 'Export' }).click();
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('menuitem', { name: format }).click(),
      ]);
      return readFile(await download.path(), 'utf8');
    };
    expect((await file(/CSV/)).trim().split('\r\n')).toHaveLength(total + 1);
    expect(JSON.parse(await file(/JSON/))).toHaveLength(total);
    await page.getByText('140 exported').waitFor();
    expectQuiet(page);
    await page.context().close();
  });

  it('remembers columns, density and saved filters in the browser', async () => {
    const page = await console.open('/jobs?state=cancelled');
    await row(page, 'given-up').waitFor();
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('menuitemcheckbox', { name: 'Labels' }).click();
    await page.getByRole('menuitemcheckbox', { name: 'Dense rows' }).click();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await grid(page).getByRole('columnheader', { name: 'Labels' }).waitFor();
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'Save these filters' }).click();
    await page.getByLabel('Name', { exact: true }).fill('the cancelled');
    await page.keyboard.press('Enter');
    await page.goto('/jobs');
    await row(page, 'job-139').waitFor();
    await grid(page).getByRole('columnheader', { name: 'Labels' }).waitFor();
    expect(await grid(page).getAttribute('data-density')).toBe('compact');
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'the cancelled' }).click();
    await page.waitForURL('**/jobs?state=cancelled');
    expectQuiet(page);
    await page.context().close();
  });

  it('shows no way to change anything to those who may only look', async () => {
    const key = await ask('POST', '/v1/keys', { name: 'viewer', role: 'viewer' });
    const page = await console.open('/jobs', { key: key.secret });
    await row(page, 'job-139').waitFor();
    expect(await page.getByRole('checkbox', { name: /Choose/ }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'Submit a job' }).count()).toBe(0);
    await page.context().close();
  });

  it.each([
    ['error', 500, 'internal', 'The test broke it.', 'The test broke it.'],
    ['forbidden', 403, 'forbidden', 'Role viewer is needed; this key has none.', 'it takes the role viewer'],
  ])('tells an answer that is %s', async (state, status, code, detail, text) => {
    const page = await console.open('/login', { key: null });
    await console.signIn(page);
    await page.route('**/v1/jobs?*', (route) => refuse(route, status, code, detail));
    await page.goto('/jobs');
    await page.getByText(text).waitFor();
    await expectAccessible(page);
    await screenshot(page, `jobs-${state}`);
    await page.context().close();
  });

  it('tells that nobody answers, and shows the list as soon as somebody does', async () => {
    const page = await console.open('/login', { key: null });
    await console.signIn(page);
    const network = await cutNetwork(page);
    await page.goto('/jobs');
    await row(page, 'job-139').waitFor();
    network.cut();
    await page.getByRole('button', { name: 'queued', exact: true }).click();
    await page.getByText('The server cannot be reached.').waitFor();
    await screenshot(page, 'jobs-offline');
    network.mend();
    await row(page, 'job-139').waitFor();
    await page.context().close();
  });

  it('shows hostile names and labels as the text that they are', async () => {
    const label = '<img src=x onerror=alert(1)>"; drop table';
    await submit('hostile', { note: label });
    const page = await console.open('/jobs?name=hostile');
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('menuitemcheckbox', { name: 'Labels' }).click();
    await page.keyboard.press('Escape');
    await row(page, 'hostile').getByText(`note:${label}`).waitFor();
    expectQuiet(page);
    await page.context().close();
  });

  it('is a list of cards on a telephone', async () => {
    const page = await console.open('/jobs', { viewport: { width: 360, height: 740 } });
    const cards = page.getByRole('list', { name: 'Jobs' }).getByRole('listitem');
    await cards.first().waitFor();
    expect(await cards.count()).toBe(100);
    const overflow = await page.evaluate(() => document.querySelector('main')!.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await page.getByRole('button', { name: 'Load more' }).click();
    await until('all are loaded', async () => (await cards.count()) > 100);
    await page.getByRole('button', { name: 'Filters' }).click();
    await page.getByRole('button', { name: 'cancelled', exact: true }).click();
    await page.getByRole('button', { name: 'Filters (1)' }).waitFor();
    await expectAccessible(page);
    expectQuiet(page);
    await page.context().close();
  });
});
