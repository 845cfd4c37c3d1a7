/**
 * The token of a one-time link: it stands in the fragment of the address, and is taken out of it at once, so that it is in
 * no history, no bookmark and nobody's view.
 */
import { useEffect, useState } from 'react';

/** The token that the page was opened with, if it is of this kind. */
export function useToken(kind: 'login' | 'invite'): string | undefined {
  const [token] = useState(() => tokenIn(window.location.hash, kind));
  useEffect(() => {
    if (token !== undefined) {
      window.history.replaceState(window.history.state, '', `${window.location.pathname}${window.location.search}`);
    }
  }, [token]);
  return token;
}

/** @param hash fragment with its `#` */
export function tokenIn(hash: string, kind: 'login' | 'invite'): string | undefined {
  const text = hash.replace(/^#/, '');
  return text.startsWith(`sx_${kind}_`) && text.length <= 200 ? text : undefined;
}
