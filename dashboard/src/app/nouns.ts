/**
 * The pages: where they are, and which of them exist.
 *
 * A page exists when its folder has an index.tsx that exports `Page`; the rail, the palette and the shortcuts show only
 * those. So later work adds a page by adding a folder (and its line here), and nothing shows an empty shell meanwhile.
 */
import type { ComponentType } from 'react';

export interface PageModule {
  readonly Page: ComponentType;
}

const modules = import.meta.glob<PageModule>('../pages/*/index.tsx');

const loaded = new Set<string>();

/** Loads a page's chunk; undefined when there is no such page. */
export function pageLoader(folder: string): (() => Promise<PageModule>) | undefined {
  const load = modules[`../pages/${folder}/index.tsx`];
  if (load === undefined) return undefined;
  return async () => {
    const module = await load();
    loaded.add(folder);
    return module;
  };
}

/** Whether a page's chunk is here. */
export const isPageLoaded = (folder: string): boolean => loaded.has(folder);

export interface Noun {
  readonly folder: string;
  readonly label: string;
  readonly path: string;
  /** Second key after `g`. */
  readonly key: string;
  /** Path of a 20 × 20 icon. */
  readonly icon: string;
}

const all: readonly Noun[] = [
  {
    folder: 'overview',
    label: 'Overview',
    path: '/',
    key: 'o',
    icon: 'M3 3h6v8H3zM11 3h6v5h-6zM11 10h6v7h-6zM3 13h6v4H3z',
  },
  { folder: 'jobs', label: 'Jobs', path: '/jobs', key: 'j', icon: 'M4 5h12M4 10h12M4 15h8' },
  { folder: 'fleet', label: 'Fleet', path: '/fleet', key: 'f', icon: 'M3 4h14v4H3zM3 12h14v4H3zM6 6h.01M6 14h.01' },
  {
    folder: 'network',
    label: 'Network',
    path: '/network',
    key: 'n',
    icon: 'M10 4v4M5 15l4-6M15 15l-4-6M10 4h.01M4 16h.01M16 16h.01',
  },
  { folder: 'energy', label: 'Energy', path: '/energy', key: 'e', icon: 'M11 2L4 11h5l-1 7 7-10h-5z' },
  { folder: 'offers', label: 'Offers', path: '/offers', key: 'r', icon: 'M3 9l7-6h7v7l-6 7zM13 7h.01' },
  {
    folder: 'marketplace',
    label: 'Marketplace',
    path: '/marketplace',
    key: 'm',
    icon: 'M3 8l1-4h12l1 4M4 8v8h12V8M8 16v-4h4v4',
  },
  {
    folder: 'billing',
    label: 'Billing',
    path: '/billing',
    key: 'b',
    icon: 'M5 3h10v14l-2-1-1.5 1-1.5-1-1.5 1-1.5-1-2 1zM8 7h4M8 10h4',
  },
  {
    folder: 'alerts',
    label: 'Alerts',
    path: '/alerts',
    key: 'l',
    icon: 'M10 3a4 4 0 0 1 4 4v4l2 3H4l2-3V7a4 4 0 0 1 4-4zM8.5 16.5h3',
  },
  { folder: 'admin', label: 'Admin', path: '/admin', key: 'a', icon: 'M10 3l6 2v5c0 4-3 6-6 7-3-1-6-3-6-7V5z' },
];

/** Pages of the rail, in its order. */
export const nouns: readonly Noun[] = all.filter(({ folder }) => pageLoader(folder) !== undefined);
