/**
 * What the browser's tab and history call a page. The name that tells it from others comes first, because tabs are narrow; a screen
 * reader says it first when the page changes.
 */
import { useEffect } from 'react';
import { nouns } from './nouns.ts';

const others: Readonly<Record<string, string>> = {
  '/submit': 'Submit a job',
  '/account': 'Your account',
  '/login': 'Sign in',
  '/login/oidc': 'Sign in',
  '/invitation': 'Invitation',
};

/** Title of the page at a path; undefined where the page itself says it (a job's name), '' where there is no page. */
export function titleOf(pathname: string): string | undefined {
  if (/^\/jobs\/./.test(pathname)) return undefined;
  const top = `/${pathname.split('/')[1] ?? ''}`;
  return others[pathname] ?? nouns.find(({ path }) => path === top)?.label ?? '';
}

/** Names the page that is shown; undefined leaves the name as it is. */
export function useTitle(text: string | undefined): void {
  useEffect(() => {
    if (text !== undefined) document.title = text === '' ? 'Solyx' : `${text} · Solyx`;
  }, [text]);
}
