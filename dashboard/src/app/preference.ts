/**
 * Choices of a person that this browser remembers. Kept in local storage, where it may be refused or hold anything: what
 * cannot be read is the default.
 */
import { useSyncExternalStore } from 'react';

const listeners = new Map<string, Set<() => void>>();

function readText(key: string): string | null {
  try {
    return localStorage.getItem(`solyx.${key}`);
  } catch {
    return null;
  }
}

function parse<T>(text: string | null, accept: (value: unknown) => value is T, fallback: T): T {
  if (text === null) return fallback;
  try {
    const value: unknown = JSON.parse(text);
    return accept(value) ? value : fallback;
  } catch {
    return fallback;
  }
}

function writePreference(key: string, value: unknown): void {
  try {
    localStorage.setItem(`solyx.${key}`, JSON.stringify(value));
  } catch {
    // Full or refused: the choice holds until the page is left.
  }
  memory.set(key, JSON.stringify(value));
  for (const listener of listeners.get(key) ?? []) listener();
}

/** What was chosen in this page, in case it could not be stored. */
const memory = new Map<string, string>();

/** A remembered choice. `accept` guards against what older versions or other people wrote there. */
export function usePreference<T>(
  key: string,
  accept: (value: unknown) => value is T,
  fallback: T,
): [T, (value: T) => void] {
  const subscribe = (listener: () => void) => {
    const set = listeners.get(key) ?? new Set();
    listeners.set(key, set.add(listener));
    const other = ({ key: changed }: StorageEvent) => {
      if (changed !== `solyx.${key}`) return;
      memory.delete(key);
      listener();
    };
    addEventListener('storage', other);
    return () => {
      set.delete(listener);
      removeEventListener('storage', other);
    };
  };
  const text = useSyncExternalStore(subscribe, () => memory.get(key) ?? readText(key));
  return [parse(text, accept, fallback), (value) => writePreference(key, value)];
}

/** Guard for a choice among words. */
export const oneOf =
  <const T extends string>(...words: readonly T[]) =>
  (value: unknown): value is T =>
    typeof value === 'string' && (words as readonly string[]).includes(value);
