/**
 * Which addresses a web-hook may go to (defence against server-side request forgery).
 *
 * A tenant names a URL and our server calls it, from inside the operator's network. So a name is resolved once, every address that
 * is not of the public internet is refused unless the operator has allowed its network, and the connection goes to exactly the
 * address that was checked: a name that changes its mind in between (DNS rebinding) changes nothing. IPv4 in IPv6 clothes is looked
 * at as what it is. Low ports other than 80 and 443 are refused, because services behind them may take an HTTP request for a
 * command of their own.
 */
import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';

export type Resolved =
  | { readonly kind: 'allowed'; readonly address: string; readonly family: 4 | 6 }
  | { readonly kind: 'refused'; readonly why: string };

const resolveMs = 5_000;
const leastOpenPort = 1024;

/** All of IPv6 that is routed in the public internet; the rest is local, or not given to anybody (`::127.0.0.1` among it). */
const publicIpv6 = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number];
/** A public address that means the host's own metadata and agent service on Azure. */
const azureHost = '168.63.129.16';

/** Networks that an operator allowed, such as `10.0.0.0/8`, parsed. @throws Error for what is no network */
export function parseNetworks(texts: readonly string[]): [ipaddr.IPv4 | ipaddr.IPv6, number][] {
  return texts.map((text) => ipaddr.parseCIDR(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`));
}

/** Whether an address is of the public internet, or of a network that was allowed. */
export function isAllowed(address: string, networks: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][]): boolean {
  if (!ipaddr.isValid(address)) return false;
  // ::ffff:169.254.169.254 is 169.254.169.254.
  const parsed = ipaddr.process(address);
  const isPublic =
    parsed.range() === 'unicast' &&
    (parsed instanceof ipaddr.IPv6 ? parsed.match(publicIpv6) : parsed.toString() !== azureHost);
  if (isPublic) return true;
  return networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
}

/**
 * Why no web-hook will ever go to a URL: its port, or its host where that is an address and no name. Null when it may; what a name
 * means is asked when something is sent. The URL's parser has made 2130706433 and 0x7f.1 what they are before this looks.
 */
export function refusalOfUrl(url: URL, allowed: readonly string[]): string | null {
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  if (port < leastOpenPort && port !== 80 && port !== 443) return `port ${port} is not allowed`;
  const host = hostOf(url);
  return ipaddr.isValid(host) && !isAllowed(host, parseNetworks(allowed)) ? notPublic(host) : null;
}

/** Resolves the host of a web-hook and picks the address to connect to. Never throws. */
export async function resolveTarget(url: URL, allowed: readonly string[]): Promise<Resolved> {
  const refusal = refusalOfUrl(url, allowed);
  if (refusal !== null) return refused(refusal);
  const host = hostOf(url);
  let addresses: { address: string; family: number }[];
  try {
    addresses = await within(resolveMs, lookup(host, { all: true, verbatim: true }));
  } catch (error) {
    return refused(`${host} cannot be resolved (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`);
  }
  const networks = parseNetworks(allowed);
  const fit = addresses.find(({ address }) => isAllowed(address, networks));
  if (fit) return { kind: 'allowed', address: fit.address, family: fit.family === 6 ? 6 : 4 };
  return refused(notPublic(host));
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');

const notPublic = (host: string): string =>
  `${host} is no address of the public internet; the operator can allow its network (notifications.allowNetworks)`;

const refused = (why: string): Resolved => ({ kind: 'refused', why });

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
