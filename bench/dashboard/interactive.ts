/**
 * From the navigation to the overview until it is interactive, on a slowed processor.
 *
 * Interactive means here: the overview's figures are painted, and a click on "Jobs" at that very moment has been answered by
 * the page Jobs with its heading, painted too, be it with its rows or with the shape of them; when the rows stand there is told
 * apart. The page itself takes the times, so that no remote control is in them; the network is this machine's.
 */
import { type BenchBrowser, untilTrue } from './browser.ts';

export interface Readiness {
  /** Navigation → figures painted, ms. */
  readonly shownMs: number;
  /** Navigation → the click on Jobs answered, ms. */
  readonly interactiveMs: number;
  /** Navigation → the rows of the list painted, ms. */
  readonly rowsMs: number;
}

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
      });
    } else if (times.shown > 0 && times.answered === undefined && heading === 'Jobs') {
      times.answered = 0;
      painted(() => { times.answered = performance.now(); });
    }
    if (times.answered !== undefined && times.rows === undefined && document.querySelector('[role=grid] [role=rowheader] a')) {
      times.rows = 0;
      painted(() => { times.rows = performance.now(); watch.disconnect(); });
    }
  });
  watch.observe(document, { childList: true, subtree: true, characterData: true });
})()`;

/** One cold visit. @param slowdown of the processor, ≥ 1 */
export async function measureReadiness(browser: BenchBrowser, slowdown: number): Promise<Readiness> {
  const window = await browser.open();
  try {
    await window.cdp.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
    await window.page.addInitScript(watcher);
    await window.page.goto('/', { waitUntil: 'commit' });
    await untilTrue(window.page, 'window.solyxBench?.rows > 0');
    const times = await window.page.evaluate<{ shown: number; answered: number; rows: number }>('window.solyxBench');
    return { shownMs: times.shown, interactiveMs: times.answered, rowsMs: times.rows };
  } finally {
    await window.close();
  }
}
