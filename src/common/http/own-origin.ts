/**
 * Whether a request that carries a session cookie was made by our own pages (defence against cross-site request forgery).
 *
 * A browser adds the cookie to whatever any page makes it send. SameSite=Lax alone is not enough: a "site" has no port, so
 * the page of a job's web server on another port of this machine is the same site. Browsers tell in `Origin` and
 * `Sec-Fetch-Site`, which pages cannot set, where a request comes from; what changes something must come exactly from our
 * own origin, and a WebSocket, whose upgrade is a GET that no CORS guards, always. Bodies are JSON only, which a plain form
 * cannot send and another origin may not without a permission that we never give. No token has to be handed around, and none
 * can be forgotten.
 */
import { SolyxError } from '../errors/index.ts';

/** What is needed of a request; WebSocket upgrades (raw node requests) have it, too. */
export interface OriginSource {
  readonly method?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * Refuses a cookie's request that does not come from our own pages.
 * @param publicOrigin origin that a proxy in front serves us by, like `https://solyx.example.com`
 * @throws cross_origin
 */
export function requireOwnOrigin(source: OriginSource, publicOrigin?: string): void {
  const { origin, host } = source.headers;
  const site = source.headers['sec-fetch-site'];
  const isUpgrade = source.headers.upgrade !== undefined;
  const isRead = !isUpgrade && (source.method === 'GET' || source.method === 'HEAD');
  // A link from elsewhere may be followed: the answer is shown to the person, not to the page that had the link.
  if (isRead && source.headers['sec-fetch-mode'] === 'navigate') return;
  if (site !== undefined && site !== 'same-origin') throw refused(String(origin ?? site));
  if (origin !== undefined) {
    if (typeof origin !== 'string' || !isOwn(origin, host, publicOrigin)) throw refused(String(origin));
    return;
  }
  // Without either header it is no present browser's write; reads are guarded by CORS, which we grant nobody.
  if (site === undefined && !isRead) throw refused('nobody knows where');
}

/** The same for requests without a cookie, such as signing in: programs send no Origin, browsers always do. */
export function refuseForeignOrigin(source: OriginSource, publicOrigin?: string): void {
  const { origin } = source.headers;
  if (origin !== undefined || source.headers['sec-fetch-site'] !== undefined) requireOwnOrigin(source, publicOrigin);
}

function isOwn(origin: string, host: string | string[] | undefined, publicOrigin: string | undefined): boolean {
  if (publicOrigin !== undefined && origin === publicOrigin) return true;
  if (typeof host !== 'string' || !URL.canParse(origin)) return false;
  const { protocol, host: asking } = new URL(origin);
  if (protocol !== 'http:' && protocol !== 'https:') return false;
  const own = `${protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === asking;
}

const refused = (from: string): SolyxError =>
  new SolyxError('cross_origin', `It came from ${from.slice(0, 200).replace(/[^\x20-\x7e]/g, '?')}.`);
