/** Which entries of the palette fit what was typed: every word must begin some word of the entry. */
export interface Entry {
  readonly label: string;
  /** More words that it is found by. */
  readonly words?: string;
}

const fold = (text: string): string => text.toLowerCase().normalize('NFKD').replace(/\p{M}/gu, '');

/** Entries that fit, best first: those whose label begins with the text, then in their own order. */
export function matching<T extends Entry>(entries: readonly T[], typed: string): T[] {
  const wanted = fold(typed).split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [...entries];
  const fits = entries.filter(({ label, words = '' }) => {
    const has = fold(`${label} ${words}`).split(/[\s/_.-]+/);
    return wanted.every((want) => has.some((word) => word.startsWith(want)));
  });
  const first = wanted.join(' ');
  return [
    ...fits.filter(({ label }) => fold(label).startsWith(first)),
    ...fits.filter(({ label }) => !fold(label).startsWith(first)),
  ];
}
