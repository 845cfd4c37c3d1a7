import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { expectAccessible } from './support/accessibility.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, expectQuiet, refuse, startConsole } from './support/console.ts';
import { addFleet, keepHeard, largeFleet, onDatabase, sampleFleet } from './support/large-fleet.ts';
import { screenshot } from './support/screenshots.ts';

/** A time as a form takes it, so many days from now. */
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 16);

describe.skipIf(noBrowser)('the fleet page', () => {
  let console: Console;
  let fleet: { nodes: string[]; devices: string[] };
  beforeAll(async () => {
    console = await startConsole({ args: ['--no-node'] });
  }, 120_000);
  let stopHearing = () => {};
  afterAll(async () => {
    stopHearing();
    await console?.close();
  }, 90_000);

  it('says what brings the first node, when there is none', async () => {
    const page = await console.open('/fleet');
    await page.getByText('No node has joined yet').waitFor();
    await page.getByText('solyx keys create --kind join').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'fleet-empty');
    expectQuiet(page);
    await page.context().close();
  });

  it('shows a thousand devices by site, node and device', async () => {
    fleet = await addFleet(console.product.home, largeFleet);
    stopHearing = keepHeard(console.product.home);
    expect(fleet.devices).toHaveLength(1024);
    const page = await console.open('/fleet');
    await page.getByRole('link', { name: /singapore-1: 32 nodes/ }).waitFor();
    await screenshot(page, 'fleet', { dark: true });
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Devices', exact: true }).click();
    const cells = page.locator('[data-id^="dev_"]');
    await until('every device has its cell', async () => (await cells.count()) === 1024, 15_000);
    await until(
      'cells are coloured by what was measured',
      async () => (await page.locator('[data-load="none"]').count()) === 0,
      15_000,
    );
    await screenshot(page, 'fleet-devices', { dark: true });
    // What one node's cells are like, all are; axe would look at each of them for minutes.
    await page.getByLabel('Filter nodes').fill('fra-1-n3');
    await expectAccessible(page);
    expectQuiet(page);
    await page.context().close();
  }, 120_000);

  it('follows what devices measure, and costs the page little', async () => {
    const page = await console.open('/fleet');
    await page.getByRole('button', { name: 'Devices', exact: true }).click();
    const busy = page.locator('[data-free="false"][data-id^="dev_"]').first();
    await until('it is coloured', async () => (await busy.getAttribute('data-load')) !== 'none', 15_000);
    const before = await busy.getAttribute('data-load');
    await until(
      'its colour follows the samples',
      async () => {
        await onDatabase(console.product.home, (client) =>
          sampleFleet(client, fleet.nodes, fleet.devices, Date.now() % 997),
        );
        return (await busy.getAttribute('data-load')) !== before;
      },
      20_000,
    );
    await busy.focus();
    await page.getByText(/% used, .* W, .* °C, held by a job/).waitFor();
    expectQuiet(page);
    await page.context().close();
  }, 60_000);

  it('cordons and uncordons a node, which the other browser sees too', async () => {
    const other = await console.open('/fleet');
    const page = await console.open(`/fleet/${fleet.nodes[0]}`);
    await page.getByRole('heading', { name: 'fra-1-n1' }).waitFor();
    await page.getByRole('button', { name: 'Cordon' }).click();
    await page.getByText('ready, cordoned').waitFor();
    await other.getByLabel('Filter nodes').fill('fra-1-n1');
    await other.getByText('ready, cordoned').first().waitFor();
    await screenshot(page, 'fleet-node', { dark: true });
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Uncordon' }).click();
    await page.getByRole('button', { name: 'Cordon' }).waitFor();
    expectQuiet(page);
    await Promise.all([page.context().close(), other.context().close()]);
  }, 60_000);

  it('has nodes that can be reserved for a time and given back', async () => {
    const page = await console.open('/admin/reservations');
    await page.getByText('Nothing is reserved').waitFor();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Reserve nodes' }).click();
    await page.getByLabel('What it is for').fill('demo');
    await page.getByLabel('How many nodes').fill('2');
    await page.getByLabel('From').fill('2020-01-02T00:00');
    await page.getByLabel('Until').fill('2020-01-01T00:00');
    await page.getByRole('button', { name: 'Reserve', exact: true }).click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-reservations-refused');
    await page.getByLabel('From').fill('');
    await page.getByLabel('Until').fill(inDays(2));
    await page.getByRole('button', { name: 'Reserve', exact: true }).click();
    await page.getByRole('row', { name: /^demo/ }).waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-reservations', { dark: true });
    await page.getByRole('button', { name: 'Give back' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Give back' }).click();
    await page.getByText('Nothing is reserved').waitFor();
    expectQuiet(page);
    await page.context().close();
  }, 90_000);

  it('removes a node only after asking, and says that it left', async () => {
    const page = await console.open(`/fleet/${fleet.nodes[1]}`);
    // Exactly: the dialog that goes has a button "Remove it".
    const remove = page.getByRole('button', { name: 'Remove', exact: true });
    await remove.click();
    await page.getByRole('dialog').getByText('drain it first').waitFor();
    await page.getByRole('button', { name: 'Keep' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await remove.click();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.getByText('removed', { exact: true }).waitFor();
    expect(await page.getByRole('button', { name: 'Cordon' }).count()).toBe(0);
    expectQuiet(page);
    await page.context().close();
  }, 60_000);

  it('offers a viewer no action that she may not take', async () => {
    const created = await console.product.json<{ secret: string }>([
      'keys',
      'create',
      '--name',
      'looks',
      '--role',
      'viewer',
    ]);
    const page = await console.open(`/fleet/${fleet.nodes[2]}`, { key: created.secret });
    await page.getByRole('heading', { name: 'fra-1-n3' }).waitFor();
    expect(await page.getByRole('button', { name: /Cordon|Drain|Remove/ }).count()).toBe(0);
    await page.context().close();
  }, 60_000);

  it('says what failed, with a way to try again', async () => {
    const page = await console.open('/login');
    await page.route('**/v1/nodes?**', (route) => refuse(route, 500, 'internal', 'The disk is on fire.'));
    await page.routeWebSocket(/\/v1\/live/, (socket) => socket.close());
    await page.goto('/fleet');
    await page.getByRole('button', { name: 'Try again' }).first().waitFor();
    await screenshot(page, 'fleet-error');
    await page.context().close();
  }, 60_000);
});
