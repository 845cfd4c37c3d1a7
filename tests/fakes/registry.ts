/**
 * A registry that speaks as much of the OCI distribution-spec as pulling needs, and can be told to fail: wrong answers,
 * downloads that break, silence.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ImageBlobs } from '../support/oci-image.ts';

export interface FakeRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** Paths that were asked for, with the method's name left out. */
  readonly asked: string[];
  /** Values of the header `Authorization` that came. */
  readonly authorizations: string[];
  put(repository: string, tag: string, image: ImageBlobs): void;
  /** What happens instead of the answer; undefined: the answer. @returns whether it took the request over */
  disturb: ((path: string, request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  close(): Promise<void>;
}

export interface FakeRegistryOptions {
  /** Whom the registry knows; without it everybody may pull. */
  readonly credentials?: string;
  readonly scheme?: 'bearer' | 'basic';
}

export async function startRegistry({
  credentials,
  scheme = 'bearer',
}: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const repositories = new Map<string, { tags: Map<string, ImageBlobs>; blobs: Map<string, Buffer> }>();
  const tokens = new Set<string>();
  const asked: string[] = [];
  const authorizations: string[] = [];
  const basic = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;

  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://registry');
    asked.push(url.pathname);
    const shown = request.headers.authorization;
    if (shown !== undefined) authorizations.push(shown);
    if (registry.disturb?.(url.pathname, request, response)) return;
    if (url.pathname === '/token') {
      if (basic !== undefined && shown !== basic) return void response.writeHead(401).end('{}');
      const token = randomUUID();
      tokens.add(token);
      return void response.end(JSON.stringify({ token }));
    }
    const mayPull =
      basic === undefined || (scheme === 'basic' ? shown === basic : tokens.has(shown?.slice('Bearer '.length) ?? ''));
    if (!mayPull) {
      const realm =
        scheme === 'basic' ? 'Basic realm="test"' : `Bearer realm="http://${registry.host}/token",service="test"`;
      return void response.writeHead(401, { 'www-authenticate': realm }).end('{}');
    }
    const [, name, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    const found = repositories.get(name ?? '');
    const bytes =
      kind === 'manifests'
        ? (found?.tags.get(reference!)?.manifest ?? found?.blobs.get(reference!))
        : found?.blobs.get(reference ?? '');
    if (bytes === undefined) return void response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
    const from = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    if (from !== undefined) return void response.writeHead(206).end(bytes.subarray(Number(from)));
    return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const registry: FakeRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    authorizations,
    disturb: undefined,
    put(repository, tag, image) {
      const known = repositories.get(repository) ?? { tags: new Map(), blobs: new Map() };
      known.tags.set(tag, image);
      for (const [digest, bytes] of image.blobs) known.blobs.set(digest, bytes);
      repositories.set(repository, known);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return registry;
}
