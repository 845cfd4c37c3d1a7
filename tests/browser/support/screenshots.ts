/**
 * Pictures of pages. With SOLYX_SCREENSHOTS set to a folder the browser tests leave them there, and the documentation
 * takes its own from them; without it nothing is drawn.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

const folder = process.env.SOLYX_SCREENSHOTS;

/** Wide and narrow pictures of the page as it is, `<name>-wide.png` and `<name>-narrow.png`; `dark` for the dark ones too. */
export async function screenshot(page: Page, name: string, options: { dark?: boolean } = {}): Promise<void> {
  if (folder === undefined || folder === '') return;
  mkdirSync(folder, { recursive: true });
  const before = page.viewportSize() ?? { width: 1280, height: 800 };
  const schemes = options.dark ? (['light', 'dark'] as const) : (['light'] as const);
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const [size, width] of Object.entries({ wide: before.width, narrow: 360 })) {
      await page.setViewportSize({ width, height: before.height });
      const scheme = colorScheme === 'dark' ? '-dark' : '';
      await page.screenshot({ path: join(folder, `${name}-${size}${scheme}.png`) });
    }
    await page.setViewportSize(before);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}
