/** What axe finds wrong with a page, in both colour schemes. The number allowed is 0, everywhere, without a list of excuses. */
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Checks the page as it is now, in light and in dark; colours may need a moment to change, so motion is off. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.waitForSelector(`html[data-mantine-color-scheme="${colorScheme}"]`, { state: 'attached' });
    const { violations } = await new AxeBuilder({ page }).withTags(rules).analyze();
    const told = violations.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${colorScheme}: ${id}: ${help}: ${node.target.join(' ')}\n${node.failureSummary}`),
    );
    expect(told).toEqual([]);
  }
}
