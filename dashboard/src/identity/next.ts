/**
 * Where to go after signing in: a page of this dashboard and nothing else, whatever the address says. A link with
 * `?next=//evil.example` must not carry a person who just signed in to somebody who asks her again.
 */
const gates = /^\/(login|invitation)(\/|$)/;

/** A path of the dashboard with its query and fragment; the overview when the text is none. */
export function safeNext(text: string | undefined): string {
  if (text === undefined || !text.startsWith('/')) return '/';
  const base = 'http://dashboard.invalid';
  if (!URL.canParse(text, base)) return '/';
  const { origin, pathname, search, hash } = new URL(text, base);
  return origin === base && !pathname.startsWith('//') && !gates.test(pathname) ? `${pathname}${search}${hash}` : '/';
}
