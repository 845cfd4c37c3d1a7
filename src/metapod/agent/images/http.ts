/**
 * HTTP for registries: one GET, its redirects followed by us, its addresses looked at.
 *
 * The name of an image is written by whoever submits a job, and an agent stands inside a network that the submitter may
 * not reach. So addresses of this machine, of its link and of cloud metadata services are never connected to, unless the
 * operator named the registry; the address that was looked at is the one that is connected to. Credentials go to the
 * registry and to the token service that it names, never along a redirect to another host.
 */
import { lookup as systemLookup } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { PullError } from './pull-error.ts';

const idleMs = 30_000;
const mostRedirects = 5;

const inner = new BlockList();
inner.addSubnet('0.0.0.0', 8, 'ipv4');
inner.addSubnet('127.0.0.0', 8, 'ipv4');
inner.addSubnet('169.254.0.0', 16, 'ipv4');
inner.addSubnet('224.0.0.0', 3, 'ipv4');
inner.addAddress('::', 'ipv6');
inner.addAddress('::1', 'ipv6');
inner.addSubnet('fe80::', 10, 'ipv6');
inner.addSubnet('ff00::', 8, 'ipv6');
inner.addSubnet('fd00:ec2::', 32, 'ipv6');

/** Whether an address is this machine's own, its link's or nobody's. IPv4 inside IPv6 counts as what it is. */
export function isInnerAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  const family = isIP(plain);
  return family === 0 || inner.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

const guardedLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    const bad = addresses.find(({ address }) => isInnerAddress(address));
    if (bad !== undefined) {
      return callback(
        new PullError('image_not_allowed', `${hostname} means ${bad.address}, an address of the node's own`),
        [],
      );
    }
    if (options.all) return callback(null, addresses);
    const first = addresses[0]!;
    return callback(null, first.address, first.family);
  });
};

const agents = {
  http: new HttpAgent({ keepAlive: true, proxyEnv: process.env }),
  https: new HttpsAgent({ keepAlive: true, proxyEnv: process.env }),
};

export interface HttpRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** The operator named the host: any address, and plain HTTP. */
  readonly trusted: (url: URL) => boolean;
  readonly signal: AbortSignal;
}

/** The answer, its body unread. @throws PullError `image_unreachable`, `image_timeout`, `image_not_allowed` */
export async function get(request: HttpRequest, redirects = 0): Promise<IncomingMessage> {
  const answer = await send(request);
  const { statusCode = 0, headers } = answer;
  if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) return answer;
  answer.resume();
  if (redirects >= mostRedirects) throw new PullError('image_unreachable', `${request.url.host} redirects for ever`);
  if (!URL.canParse(headers.location, request.url.href)) {
    throw new PullError('image_unreachable', `${request.url.host} redirects to nowhere`);
  }
  const url = new URL(headers.location, request.url);
  const { authorization: _credentials, ...others } = request.headers;
  return get({ ...request, url, headers: url.host === request.url.host ? request.headers : others }, redirects + 1);
}

function send({ url, headers, trusted, signal }: HttpRequest): Promise<IncomingMessage> {
  const isTrusted = trusted(url);
  if (url.protocol !== 'https:' && !(isTrusted && url.protocol === 'http:')) {
    throw new PullError(
      'image_not_allowed',
      `${url.host} is asked for without encryption, which the operator allows by name only (option --insecure-registry)`,
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!isTrusted && isIP(host) !== 0 && isInnerAddress(host)) {
    throw new PullError('image_not_allowed', `${host} is an address of the node's own`);
  }
  return new Promise((resolve, reject) => {
    const isPlain = url.protocol === 'http:';
    const request = (isPlain ? httpRequest : httpsRequest)(url, {
      headers: { 'user-agent': 'solyx', ...headers },
      agent: isPlain ? agents.http : agents.https,
      signal,
      timeout: idleMs,
      ...(!isTrusted && { lookup: guardedLookup }),
    });
    request.on('response', resolve);
    request.on('timeout', () => {
      request.destroy(new PullError('image_timeout', `${url.host} was silent for ${idleMs / 1000} s`));
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error instanceof PullError) reject(error);
      else if (signal.aborted) reject(error);
      else reject(new PullError('image_unreachable', `${url.host}: ${error.code ?? error.message}`, { cause: error }));
    });
    request.end();
  });
}

/** Reads a body whole. @throws PullError `image_invalid` when it is larger */
export async function readBody(answer: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > mostBytes) {
      answer.destroy();
      throw new PullError('image_invalid', `an answer has more than ${mostBytes} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}
