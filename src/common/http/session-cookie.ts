/**
 * The cookie of a browser session: its name, its attributes, how it is read.
 *
 * Under TLS it is `__Host-solyx` with Secure: the browser then refuses it from subdomains, other paths and plain HTTP, so
 * nobody else can plant one. On plain HTTP (a console on this machine) that is not to be had; there the name carries the
 * port, because cookies know no ports and two servers on one machine would sign each other's users out.
 */
import { fastifyCookie } from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ParsedKey, parseKey } from '../keys.ts';

/** What is needed of a request, so that WebSocket upgrades (raw node requests) can be asked, too. */
export interface CookieSource {
  readonly headers: { readonly cookie?: string | undefined; readonly host?: string | undefined };
}

/** The session secret in a request's cookie, or undefined. Both names are read: the cookie may be older than the TLS. */
export function sessionKey(source: CookieSource): ParsedKey | undefined {
  const { cookie } = source.headers;
  if (cookie === undefined) return undefined;
  // Usable once the plugin is registered, which `createHttpServer` does.
  const cookies = fastifyCookie.parse(cookie);
  const text = cookies[nameOf(true, source)] ?? cookies[nameOf(false, source)];
  const key = text === undefined ? undefined : parseKey(text);
  return key?.kind === 'session' ? key : undefined;
}

/** Hands a session to the browser. @param expires when it ends whatever happens */
export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, secret: string, expires: Date): void {
  const secure = isSecure(request);
  reply.setCookie(nameOf(secure, request), secret, { ...attributes(secure), expires });
}

/** Takes the session from the browser, under both names. */
export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  for (const secure of isSecure(request) ? [true, false] : [false]) {
    reply.clearCookie(nameOf(secure, request), attributes(secure));
  }
}

function nameOf(secure: boolean, source: CookieSource): string {
  if (secure) return '__Host-solyx';
  const port = /:(\d{1,5})$/.exec(source.headers.host ?? '')?.[1] ?? '80';
  return `solyx-${port}`;
}

/** Lax, not Strict: a link to a job in a chat must open signed in. What changes state is guarded by `own-origin.ts`. */
const attributes = (secure: boolean) => ({ path: '/', httpOnly: true, sameSite: 'lax', secure }) as const;

/** Whether the browser talks TLS, to us or to a proxy in front that `server.publicUrl` speaks of. */
function isSecure(request: FastifyRequest): boolean {
  return request.protocol === 'https' || request.server.publicOrigin?.startsWith('https:') === true;
}
