/**
 * Serves the dashboard: its built files, and its page for every address that a browser asks for and no endpoint has.
 *
 * These files hold no data and are the same for everybody, so they are public; whatever they show comes from endpoints that
 * authenticate. Files are named by their hash and kept by browsers for ever; the page itself is never kept. Its policy
 * allows scripts of this origin alone, none of them inline; `<style>` elements need the nonce that each page gets anew,
 * because Mantine writes its theme into one, and no text may become markup (dashboard/src/app/trusted-types.ts).
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const placeholder = '__STYLE_NONCE__';

/** First parts of paths that belong to programs: a browser that mistypes one gets the API's answer, not a page. */
const programPaths = /^\/(v1|assets|healthz|readyz|metrics|openapi\.json)(\/|$)/;

/** What the page may do. `connect-src 'self'` covers the WebSocket of the same host and port. */
export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "font-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types default',
  ].join('; ');
}

/**
 * Registers the dashboard; call it after the endpoints.
 * @param folder of a build; null when there is none: browsers are then told so
 */
export async function serveDashboard(app: FastifyInstance, folder: string | null): Promise<void> {
  const page = folder === null ? null : await readFile(join(folder, 'index.html'), 'utf8');
  if (folder !== null) {
    await app.register(fastifyStatic, {
      root: join(folder, 'assets'),
      prefix: '/assets/',
      // One route a file: what does not exist has no route, so it gets the server's own 404.
      wildcard: false,
      index: false,
      preCompressed: true,
      immutable: true,
      maxAge: '365d',
      schemaHide: true,
    });
  }
  app.route({
    method: ['GET', 'HEAD'],
    url: '/*',
    schema: { hide: true },
    handler: (request, reply) => {
      if (!wantsPage(request)) return reply.callNotFound();
      return page === null ? sendMissing(reply) : sendPage(reply, page);
    },
  });
}

/** Whether a browser asks for something to look at. Programs and scripts of pages do not ask for HTML. */
function wantsPage({ url, headers }: FastifyRequest): boolean {
  const path = url.split('?', 1)[0]!;
  return !programPaths.test(path) && headers.accept?.includes('text/html') === true;
}

function sendPage(reply: FastifyReply, page: string): FastifyReply {
  const nonce = randomBytes(16).toString('base64url');
  return reply
    .header('content-security-policy', pagePolicy(nonce))
    .header('cache-control', 'no-store')
    .header('vary', 'accept')
    .type('text/html; charset=utf-8')
    .send(page.replaceAll(placeholder, nonce));
}

function sendMissing(reply: FastifyReply): FastifyReply {
  return reply
    .code(503)
    .header('cache-control', 'no-store')
    .type('text/plain; charset=utf-8')
    .send('The dashboard is not built here. Run: node tools/scripts/build-dashboard.mjs\nThe API is at /v1.\n');
}
