/** Views that a person saved: a name and the filters behind it, in this browser. */
import type { Search } from '../../app/search.ts';

export interface SavedView {
  readonly name: string;
  /** The filters as in the address. */
  readonly search: Search;
}

/** Most views that are kept. */
export const mostViews = 50;

const isSearch = (value: unknown): value is Search =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every(
    (one) => typeof one === 'string' || (Array.isArray(one) && one.every((text) => typeof text === 'string')),
  );

/** Guards against what else may stand in local storage. */
export const areViews = (value: unknown): value is readonly SavedView[] =>
  Array.isArray(value) &&
  value.length <= mostViews &&
  value.every((one) => typeof one === 'object' && one !== null && typeof one.name === 'string' && isSearch(one.search));

/** Puts a view in, in the place of one with its name; the oldest goes when there are too many. */
export function putView(views: readonly SavedView[], view: SavedView): readonly SavedView[] {
  const others = views.filter(({ name }) => name !== view.name);
  return [...others, view].slice(-mostViews);
}

export const withoutView = (views: readonly SavedView[], name: string): readonly SavedView[] =>
  views.filter((view) => view.name !== name);
