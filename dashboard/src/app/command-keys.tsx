/** Cmd-K, `?` and the `g` keys. What they open is loaded when it is opened first. */
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useShortcuts, useSingleKeys } from './keys.ts';
import { nouns, pageLoader } from './nouns.ts';
import { SearchButton } from './search-button.tsx';

const loadPalette = () => import('./palette.tsx');
const Palette = lazy(loadPalette);
const ShortcutSheet = lazy(() => import('./shortcut-sheet.tsx'));

/** After so long the page has what it needs first, ms. */
const idleMs = 1_500;

type Open = 'palette' | 'sheet' | null;

/** The search button of the top bar, and all shortcuts of the page. */
export function CommandKeys() {
  const navigate = useNavigate();
  const { on } = useSingleKeys();
  const [open, setOpen] = useState<Open>(null);
  // Once loaded they stay, so that closing can be seen and the focus goes back where it was.
  const [used, setUsed] = useState<ReadonlySet<Open>>(new Set());
  const show = (what: Open) => {
    setUsed((before) => new Set(before).add(what));
    setOpen(what);
  };
  // Loaded when there is nothing else to do: whoever presses Cmd-K types on at once.
  useEffect(() => {
    const timer = setTimeout(() => void loadPalette().catch(() => undefined), idleMs);
    return () => clearTimeout(timer);
  }, []);
  const submit = pageLoader('submit') === undefined ? [] : [{ path: '/submit', key: 's' }];
  useShortcuts(
    [
      { keys: 'mod+k', run: () => show(open === 'palette' ? null : 'palette') },
      { keys: '?', run: () => show('sheet') },
      ...[...nouns, ...submit].map(({ path, key }) => ({ keys: `g ${key}`, run: () => void navigate({ to: path }) })),
    ],
    on,
  );
  return (
    <>
      <SearchButton onClick={() => show('palette')} />
      <Suspense>
        {used.has('palette') && <Palette opened={open === 'palette'} onClose={() => setOpen(null)} />}
        {used.has('sheet') && <ShortcutSheet opened={open === 'sheet'} onClose={() => setOpen(null)} />}
      </Suspense>
    </>
  );
}
