/**
 * Pictures of pages. With SOLYX_SCREENSHOTS set to a folder the browser tests leave them there, and the documentation
 * takes its own from them; without it nothing is drawn.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

const folder = process.env.SOLYX_SCREENSHOTS;

/** A desk and a telephone, px. */
const sizes = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };

/** Wide and narrow pictures of the page as it is, `<name>-wide.png` and `<name>-narrow.png`; `dark` for the dark ones too. */
export async function screenshot(page: Page, name: string, options: { dark?: boolean } = {}): Promise<void> {
  if (folder === undefined || folder === '') return;
  mkdirSync(folder, { recursive: true });
  const before = page.viewportSize() ?? { width: 1280, height: 800 };
  const schemes = options.dark ? (['light', 'dark'] as const) : (['light'] as const);
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewportSize(viewport);
      await untilStill(page);
      const scheme = colorScheme === 'dark' ? '-dark' : '';
      await page.screenshot({ path: join(folder, `${name}-${size}${scheme}.png`) });
    }
    await page.setViewportSize(before);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Colours change over some frames; a picture taken meanwhile shows neither the one scheme nor the other. */
export function untilStill(page: Page): Promise<void> {
  return page.evaluate(async () => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const changing = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    await Promise.allSettled(changing.map(({ finished }) => finished));
  });
}
