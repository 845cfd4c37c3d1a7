/**
 * Keyboard shortcuts of the whole page. Single keys can be switched off (WCAG 2.1.4), and none works while one types.
 */
import { useEffect, useRef } from 'react';
import { oneOf, usePreference } from './preference.ts';

const accept = oneOf('on', 'off');

export function useSingleKeys(): { on: boolean; setOn: (on: boolean) => void } {
  const [value, setValue] = usePreference<'on' | 'off'>('single-keys', accept, 'on');
  return { on: value === 'on', setOn: (on) => setValue(on ? 'on' : 'off') };
}

/** After the first key of a pair the second must come within, ms. */
const pairMs = 1_500;

export interface Shortcut {
  /** `?`, a pair like `g j`, or `mod+k` (Control or Command). */
  readonly keys: string;
  readonly run: () => void;
}

interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** What a key press is called; null for those that shortcuts never are. */
export function nameOfPress({ key, ctrlKey, metaKey, altKey }: KeyPress): string | null {
  if (altKey) return null;
  if (ctrlKey || metaKey) return `mod+${key.toLowerCase()}`;
  return key.length === 1 ? key : null;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable || target.closest('input:not([type=checkbox]), textarea, select, [role=textbox]') !== null
  );
}

/** Listens to shortcuts of the whole page. */
export function useShortcuts(shortcuts: readonly Shortcut[], singleKeys: boolean): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  useEffect(() => {
    let first: { key: string; at: number } | null = null;
    const onKey = (event: KeyboardEvent) => {
      const name = nameOfPress(event);
      if (name === null || event.defaultPrevented) return;
      const isSingle = !name.startsWith('mod+');
      if (isSingle && (!singleKeys || isTyping(event.target) || document.querySelector('[role=dialog]') !== null))
        return;
      const pair = first && event.timeStamp - first.at < pairMs ? `${first.key} ${name}` : null;
      const found =
        latest.current.find(({ keys }) => keys === pair) ?? latest.current.find(({ keys }) => keys === name);
      first = isSingle && found === undefined ? { key: name, at: event.timeStamp } : null;
      if (!found) return;
      event.preventDefault();
      found.run();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [singleKeys]);
}
