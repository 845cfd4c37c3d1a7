/** Where other servers of an installation reach this one. */
import { networkInterfaces } from 'node:os';

/**
 * A server that listens everywhere is reached by the first address of the machine that is not its own loopback (in Kubernetes, the
 * pod's); any other by the address on which it listens.
 *
 * @param url on which it listens, as `main.ts` prints it
 */
export function addressForServers(
  url: string,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): string {
  const parsed = new URL(url);
  if (parsed.hostname !== '0.0.0.0' && parsed.hostname !== '[::]') return url;
  const all = Object.values(interfaces).flatMap((list) => list ?? []);
  const outside = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80'));
  const best = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  parsed.hostname = best === undefined ? '127.0.0.1' : best.family === 'IPv6' ? `[${best.address}]` : best.address;
  return parsed.origin;
}
