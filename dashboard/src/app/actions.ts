/**
 * Actions of the page that is open, for the command palette: a page registers what can be done with what it shows
 * ("Cancel job train-7"), and takes it back when it is left.
 */
import { useEffect, useRef, useSyncExternalStore } from 'react';

export interface PageAction {
  readonly id: string;
  /** The verb and its object: `Cancel job train-7`. */
  readonly label: string;
  readonly run: () => void;
}

const registered = new Map<symbol, readonly PageAction[]>();
const listeners = new Set<() => void>();
let all: readonly PageAction[] = [];

function changed(): void {
  all = [...registered.values()].flat();
  for (const listener of listeners) listener();
}

/** Offers actions in the palette while the component is there. */
export function usePageActions(actions: readonly PageAction[]): void {
  const latest = useRef(actions);
  latest.current = actions;
  const shape = actions.map(({ id, label }) => `${id}\n${label}`).join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: actions are compared by what they are called
  useEffect(() => {
    const key = Symbol('actions');
    registered.set(
      key,
      latest.current.map((action, index) => ({ ...action, run: () => latest.current[index]?.run() })),
    );
    changed();
    return () => {
      registered.delete(key);
      changed();
    };
  }, [shape]);
}

export const useRegisteredActions = (): readonly PageAction[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => all,
  );
