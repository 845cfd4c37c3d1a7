/** Cmd-K, `?` and the `g` keys. What they open is loaded when it is opened first. */
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useShortcuts, useSingleKeys } from './keys.ts';
import { nouns, pageLoader } from './nouns.ts';
import { SearchButton } from './search-button.tsx';

const loadPalette = () => import('./palette.tsx');
const Palette = lazy(loadPalette);
const prepare = () => void loadPalette().catch(() => undefined);
const ShortcutSheet = lazy(() => import('./shortcut-sheet.tsx'));

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
  // Whoever presses Cmd-K types on at once: the first of the two keys already asks for it, and most visits never do.
  useEffect(() => {
    const onKey = ({ key }: KeyboardEvent) => {
      if (key === 'Control' || key === 'Meta') prepare();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
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
      <SearchButton onIntent={prepare} onClick={() => show('palette')} />
      <Suspense>
        {used.has('palette') && <Palette opened={open === 'palette'} onClose={() => setOpen(null)} />}
        {used.has('sheet') && <ShortcutSheet opened={open === 'sheet'} onClose={() => setOpen(null)} />}
      </Suspense>
    </>
  );
}
