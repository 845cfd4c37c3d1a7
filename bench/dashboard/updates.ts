/**
 * What one live update costs the fleet page while it shows every device of a large fleet.
 *
 * In every round all devices get new samples; what the browser then spends on scripts, layout and styles from the first frame
 * of the connection on, with timers, heartbeats and all, is shared out among the messages that carried samples.
 */
import type { CDPSession } from 'playwright-core';
import { onDatabase, sampleFleet } from '../../tests/browser/support/large-fleet.ts';
import { type BenchBrowser, untilTrue } from './browser.ts';

export interface UpdateCost {
  readonly updates: number;
  /** Samples in them. */
  readonly samples: number;
  /** Per update, ms. */
  readonly scriptMs: number;
  readonly layoutMs: number;
  readonly worstTaskMs: number;
}

export interface Fleet {
  readonly home: string;
  readonly nodes: readonly string[];
  readonly devices: readonly string[];
}

/** Time between rounds of samples, ms: longer than the server's between two looks. */
const roundMs = 2_200;

/** @param rounds how often all devices change, ≥ 1 */
export async function measureUpdates(browser: BenchBrowser, fleet: Fleet, rounds: number): Promise<UpdateCost> {
  const window = await browser.open();
  try {
    const { page, cdp } = window;
    const seen = countUpdates(cdp);
    await cdp.send('Network.enable');
    await page.goto('/fleet');
    await page.getByRole('button', { name: 'Devices', exact: true }).click();
    await untilTrue(page, `document.querySelectorAll('[data-id^="dev_"]').length >= ${fleet.devices.length}`);
    await page.waitForTimeout(2 * roundMs);
    await page.evaluate(longTasks);
    await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
    const before = { ...(await metrics(cdp)), ...seen() };
    for (let round = 0; round < rounds; round += 1) {
      await onDatabase(fleet.home, (client) => sampleFleet(client, fleet.nodes, fleet.devices, round + 1));
      await page.waitForTimeout(roundMs);
    }
    const after = { ...(await metrics(cdp)), ...seen() };
    const updates = after.updates - before.updates;
    if (updates === 0) throw new Error('no update came');
    // Every cell shows a measurement: otherwise the page was cheap because it did nothing.
    await untilTrue(page, `document.querySelectorAll('[data-id^="dev_"][data-load="none"]').length === 0`);
    return {
      updates,
      samples: after.samples - before.samples,
      scriptMs: ((after.script - before.script) * 1000) / updates,
      layoutMs: ((after.layout - before.layout) * 1000) / updates,
      worstTaskMs: await page.evaluate<number>('window.solyxLongest'),
    };
  } finally {
    await window.close();
  }
}

/** Keeps the longest task of the page; shorter ones than 50 ms are none to the browser: then 0. */
const longTasks = `(() => {
  window.solyxLongest = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.solyxLongest = Math.max(window.solyxLongest, duration);
  }).observe({ type: 'longtask' });
})()`;

function countUpdates(cdp: CDPSession): () => { updates: number; samples: number } {
  let updates = 0;
  let samples = 0;
  cdp.on('Network.webSocketFrameReceived', ({ response }) => {
    const message = JSON.parse(response.payloadData) as { type: string; data?: { samples?: unknown[] } };
    if (message.type !== 'delta' || message.data?.samples === undefined) return;
    updates += 1;
    samples += message.data.samples.length;
  });
  return () => ({ updates, samples });
}

async function metrics(cdp: CDPSession): Promise<{ script: number; layout: number }> {
  const { metrics } = await cdp.send('Performance.getMetrics');
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  return { script: of('ScriptDuration'), layout: of('LayoutDuration') + of('RecalcStyleDuration') };
}
