import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser } from './support/chromium.ts';
import { type Console, startConsole } from './support/console.ts';

describe.skipIf(noBrowser)('the page’s policy in a browser', () => {
  let served: Console;
  beforeAll(async () => {
    served = await startConsole({ args: ['--no-node'] });
  }, 120_000);
  afterAll(() => served?.close(), 90_000);

  it('lets no text become markup, no script from elsewhere load, and nothing inline run', async () => {
    const page = await served.open('/');
    await page.getByText('Spend today').waitFor();
    const outcome = await page.evaluate(async () => {
      const attempt = (run: () => void): string => {
        try {
          run();
          return 'allowed';
        } catch (error) {
          return (error as Error).name;
        }
      };
      const refused: string[] = [];
      document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));
      const host = document.createElement('div');
      document.body.append(host);
      const markup = attempt(() => {
        host.innerHTML = '<img src=x>';
      });
      const worker = attempt(() => new Worker('data:text/javascript,1'));
      const inline = attempt(() => {
        document.createElement('script').text = 'document.title = "run"';
      });
      const style = document.createElement('style');
      style.textContent = 'body { --from-nowhere: 1 }';
      host.append(style);
      const image = document.createElement('img');
      image.src = 'https://example.org/x.png';
      host.append(image);
      const elsewhere = await fetch('https://example.org/').then(
        () => 'allowed',
        (error: Error) => error.name,
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      const styled = getComputedStyle(document.body).getPropertyValue('--from-nowhere');
      return { markup, worker, inline, elsewhere, styled, refused: [...new Set(refused)].sort() };
    });
    expect(outcome).toEqual({
      markup: 'TypeError',
      worker: 'TypeError',
      inline: 'TypeError',
      elsewhere: 'TypeError',
      styled: '',
      refused: expect.arrayContaining(['connect-src', 'img-src', 'style-src-elem']),
    });
    await page.context().close();
  });

  it('is kept by the page itself: no violation on any page that there is', async () => {
    const page = await served.open('/');
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`violation: ${event.effectiveDirective} ${event.blockedURI}`),
      );
    });
    const violations: string[] = [];
    page.on('console', (message) => {
      if (message.text().includes('violation') || message.text().includes('Content Security Policy'))
        violations.push(message.text());
    });
    for (const path of ['/', '/jobs', '/submit', '/fleet', '/admin', '/account', '/login', '/nowhere']) {
      await page.goto(path);
      await page.getByRole('heading', { level: 1 }).first().waitFor();
    }
    expect(violations).toEqual([]);
    await page.context().close();
  });
});
