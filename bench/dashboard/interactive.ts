/**
 * From the navigation to the overview until it is interactive, on a slowed processor.
 *
 * Interactive means here: the overview's figures are painted, and a click on "Jobs" at that very moment has been answered by
 * the page Jobs with its heading, painted too, be it with its rows or with the shape of them; when the rows stand there is told
 * apart, and so is when the browser had dealt with the click and painted the next picture, whatever was on it (what others call the
 * delay of an interaction). The page itself takes the times and says when it has them all; until then nobody asks it anything,
 * for the remote control of a browser runs its scripts on the page's own, slowed thread. Navigation begins when the browser
 * has set itself up: a new window is itself made of pages, which load for a second or two. The network is this machine's.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { BenchBrowser, Window } from './browser.ts';

export interface Readiness {
  /** Navigation → figures painted, ms. */
  readonly shownMs: number;
  /** Navigation → the click on Jobs answered, ms. */
  readonly interactiveMs: number;
  /** The click → the next picture, ms. */
  readonly nextPaintMs: number;
  /** Navigation → the rows of the list painted, ms. */
  readonly rowsMs: number;
}

/** What a browser needs for itself after it opened a window, ms. */
const settleMs = 2_500;
const patienceMs = 60_000;

/** Runs in the page before its own scripts: the policy of the page does not bind it. */
const watcher = `(() => {
  const painted = (then) => requestAnimationFrame(() => { const port = new MessageChannel();
    port.port1.onmessage = then; port.port2.postMessage(0); });
  const times = (window.solyxBench = {});
  const watch = new MutationObserver(() => {
    const heading = document.querySelector('main h1')?.textContent;
    if (times.shown === undefined) {
      const figures = [...document.querySelectorAll('main dl dd')];
      if (heading !== 'Overview' || figures.length < 6) return;
      times.shown = 0;
      painted(() => {
        times.shown = performance.now();
        document.querySelector('nav a[href="/jobs"]').click();
        painted(() => { times.next = performance.now(); });
      });
    } else if (times.shown > 0 && times.answered === undefined && heading === 'Jobs') {
      times.answered = 0;
      painted(() => { times.answered = performance.now(); });
    }
    if (times.answered !== undefined && times.rows === undefined && document.querySelector('[role=grid] [role=rowheader] a')) {
      times.rows = 0;
      painted(() => { times.rows = performance.now(); watch.disconnect(); solyxBenchDone(JSON.stringify(times)); });
    }
  });
  watch.observe(document, { childList: true, subtree: true, characterData: true });
})()`;

/** One cold visit. @param slowdown of the processor, ≥ 1 */
export async function measureReadiness(browser: BenchBrowser, slowdown: number): Promise<Readiness> {
  const window = await browser.open();
  try {
    const { cdp } = window;
    await cdp.send('Page.enable');
    await cdp.send('Runtime.enable');
    await cdp.send('Runtime.addBinding', { name: 'solyxBenchDone' });
    await cdp.send('Page.addScriptToEvaluateOnNewDocument', { source: watcher });
    await wait(settleMs);
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
    const times = toldBy(window);
    await window.page.goto('/', { waitUntil: 'commit' });
    const { shown, next, answered, rows } = await times;
    return { shownMs: shown, interactiveMs: answered, nextPaintMs: next - shown, rowsMs: rows };
  } finally {
    await window.close();
  }
}

interface Times {
  readonly shown: number;
  readonly next: number;
  readonly answered: number;
  readonly rows: number;
}

function toldBy({ cdp }: Window): Promise<Times> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no rows within ${patienceMs / 1000} s`)), patienceMs);
    cdp.on('Runtime.bindingCalled', ({ name, payload }) => {
      if (name !== 'solyxBenchDone') return;
      clearTimeout(late);
      resolve(JSON.parse(payload) as Times);
    });
  });
}
