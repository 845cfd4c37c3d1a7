/**
 * A client of registries (OCI distribution-spec): manifests and blobs, with Bearer and Basic authentication.
 *
 * Written here rather than left to `podman pull` or `docker pull`, so that images come the same way on every node, progress
 * is counted in bytes, failures have codes, and credentials stay in this process's memory: no file, no argument.
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { ImageReference } from '../../../common/contract/image.ts';
import { get, readBody } from './http.ts';
import { manifestTypes, mostJsonBytes, parseJson } from './manifest.ts';
import { PullError } from './pull-error.ts';
import type { RegistryCredentials } from './source.ts';

export type RegistryImage = Extract<ImageReference, { kind: 'registry' }>;

export interface RegistryOptions {
  readonly credentials: RegistryCredentials | null;
  /** Registries, `host` or `host:port`, that the operator trusts without encryption and at any address. */
  readonly insecure: readonly string[];
  readonly signal: AbortSignal;
}

const tokenAnswer = z.object({
  token: z.string().max(65_536).optional(),
  access_token: z.string().max(65_536).optional(),
});

export class Registry {
  readonly #image: RegistryImage;
  readonly #options: RegistryOptions;
  readonly #base: string;
  #authorization: string | undefined;

  constructor(image: RegistryImage, options: RegistryOptions) {
    this.#image = image;
    this.#options = options;
    this.#base = `${options.insecure.includes(image.host) ? 'http' : 'https'}://${image.host}/v2/${image.repository}`;
  }

  /** @param reference tag or digest @throws PullError */
  async manifest(reference: string): Promise<Buffer> {
    const answer = await this.#get(`manifests/${reference}`, { accept: manifestTypes.join(', ') });
    return readBody(answer, mostJsonBytes);
  }

  /** A blob from a byte on. @returns the answer, unread; status 206 when it begins at `from` @throws PullError */
  blob(digest: string, from: number): Promise<IncomingMessage> {
    return this.#get(`blobs/${digest}`, from > 0 ? { range: `bytes=${from}-` } : {});
  }

  async #get(path: string, headers: Record<string, string>): Promise<IncomingMessage> {
    const url = new URL(`${this.#base}/${path}`);
    const ask = () => this.#send(url, { ...headers, ...this.#authorized() });
    let answer = await ask();
    if (answer.statusCode === 401) {
      answer.resume();
      await this.#authenticate(answer.headers['www-authenticate'] ?? '');
      answer = await ask();
    }
    const status = answer.statusCode ?? 0;
    if (status === 200 || status === 206) return answer;
    answer.resume();
    throw this.#refusal(status);
  }

  #authorized(): Record<string, string> {
    return this.#authorization === undefined ? {} : { authorization: this.#authorization };
  }

  #send(url: URL, headers: Record<string, string>): Promise<IncomingMessage> {
    const { insecure, signal } = this.#options;
    return get({ url, headers, signal, trusted: (at) => insecure.includes(at.host) });
  }

  /** @param challenge the header `WWW-Authenticate` */
  async #authenticate(challenge: string): Promise<void> {
    const { credentials } = this.#options;
    const basic =
      credentials === null
        ? undefined
        : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
    const asked = parseChallenge(challenge);
    if (asked.scheme === 'basic') {
      if (basic === undefined || this.#authorization === basic) throw this.#refusal(401);
      this.#authorization = basic;
      return;
    }
    const { realm, service } = asked.parameters;
    if (asked.scheme !== 'bearer' || realm === undefined || !URL.canParse(realm)) throw this.#refusal(401);
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${this.#image.repository}:pull`);
    const answer = await this.#send(url, basic === undefined ? {} : { authorization: basic });
    if (answer.statusCode !== 200) {
      answer.resume();
      throw this.#refusal(answer.statusCode === 400 ? 401 : (answer.statusCode ?? 0));
    }
    const parsed = tokenAnswer.safeParse(parseJson((await readBody(answer, 262_144)).toString('utf8'), 'the token'));
    const token = parsed.success ? (parsed.data.token ?? parsed.data.access_token) : undefined;
    if (token === undefined || /[^\x21-\x7e]/.test(token)) throw this.#refusal(401);
    this.#authorization = `Bearer ${token}`;
  }

  #refusal(status: number): PullError {
    const { host, repository } = this.#image;
    const name = `${host}/${repository}`;
    if (status === 401 || status === 403) {
      const why =
        this.#options.credentials === null ? 'needs `imageCredentials`' : 'may not be read with these credentials';
      return new PullError('image_unauthorised', `${name} does not exist, or ${why}`);
    }
    if (status === 404) return new PullError('image_not_found', `${host} has no such image in ${repository}`);
    return new PullError('image_unreachable', `${host} answered ${status}`);
  }
}

/** Reads `Bearer realm="…",service="…"`; other schemes too. Parameters that are no quoted text are left out. */
export function parseChallenge(header: string): { scheme: string; parameters: Record<string, string> } {
  const space = header.indexOf(' ');
  const scheme = (space < 0 ? header : header.slice(0, space)).toLowerCase();
  const parameters: Record<string, string> = {};
  for (const [, name, value] of header.slice(scheme.length).matchAll(/([a-z]+)="([^"\\]*)"/gi)) {
    parameters[name!.toLowerCase()] ??= value!;
  }
  return { scheme, parameters };
}
