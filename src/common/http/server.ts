/**
 * The HTTP server that every listener of Solyx is: limits, request ids, problem+json, authentication, graceful end.
 *
 * Nothing is served without the checks made here: a route without a contract has no way past `bindRoute`. Limits come
 * before authentication, authentication before the body is read, so that strangers cannot make us work.
 */
import { Readable } from 'node:stream';
import { constants } from 'node:zlib';
import compress from '@fastify/compress';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import type { Clock } from '../clock.ts';
import { SolyxError } from '../errors/index.ts';
import { newId } from '../ids.ts';
import type { ParsedKey } from '../keys.ts';
import type { Logger } from '../logger.ts';
import type { Traffic } from '../traffic.ts';
import { refuseSlowBodies } from './body-deadline.ts';
import { methodsOf, RouteShapes } from './not-found.ts';
import type { Principal } from './principal.ts';
import { asSolyxError, noteBrokenStream, rawProblem, sendProblem } from './problems.ts';
import { type RateLimit, TokenBuckets } from './rate-limit.ts';
import { StrangerGate } from './stranger-gate.ts';
import type { TlsMaterial } from './tls.ts';
import { compileValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | null;
  }
  interface FastifyInstance {
    /** Aborted when the server begins to stop: streams end, new requests are refused. */
    stopping: AbortSignal;
    limits: { readonly keys: TokenBuckets; readonly strangers: TokenBuckets; readonly gate: StrangerGate };
    authenticate: Authenticate;
    /** Origin that browsers know this server by when it is not the one they connect to (a proxy in front). */
    publicOrigin: string | undefined;
  }
}

/**
 * Finds who a key belongs to; a session only counts when no key was sent.
 * @throws unauthenticated, key_revoked, session_ended, database_unavailable
 */
export type Authenticate = (authorization: string | undefined, session?: ParsedKey) => Promise<Principal>;

export interface HttpOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly authenticate: Authenticate;
  /** Counts requests, for who makes room for them. */
  readonly traffic?: Traffic | undefined;
  /** Serves TLS by these; undefined: plain HTTP. */
  readonly tls?: TlsMaterial | undefined;
  /** `server.publicUrl`: how browsers reach this server through a proxy. */
  readonly publicUrl?: string | undefined;
  /** Longest body of a JSON or YAML request, bytes; default 1 MiB. */
  readonly bodyLimitBytes?: number;
  /** Longest time for such a body to arrive, seconds; default 30. */
  readonly bodyTimeoutSeconds?: number;
  /** Per key; default 2,000 a second, 4,000 at once. */
  readonly rateLimit?: RateLimit;
  /** Failed authentications per address; default 20 a second, 200 at once. */
  readonly strangerLimit?: RateLimit;
}

/** Smaller answers take longer to compress than to send, bytes. */
const compressFromBytes = 16_384;
const compressedTypes = /^application\/(problem\+)?json\b/;

/** Makes a server without routes; `listen` and `closeServer` are the caller's. */
export async function createHttpServer(options: HttpOptions): Promise<FastifyInstance> {
  const { logger, clock } = options;
  const app: FastifyInstance = fastify({
    // The types of fastify tell servers with TLS from those without; what is used of them here is the same.
    ...(options.tls && { https: { ...options.tls } as never }),
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => newId('request'),
    bodyLimit: options.bodyLimitBytes ?? 1_048_576,
    requestTimeout: 900_000,
    keepAliveTimeout: 72_000,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 128 },
    frameworkErrors: (error, request, reply) => {
      sendProblem(request as never, reply as never, asSolyxError(error));
    },
    clientErrorHandler: (error, socket) => {
      if (error.code !== 'ECONNRESET' && socket.writable) socket.write(rawProblem('bad_request'));
      socket.destroy();
    },
  });
  app.server.headersTimeout = 15_000;

  const stop = new AbortController();
  const shapes = new RouteShapes();
  app.decorate('stopping', stop.signal);
  app.decorate('authenticate', options.authenticate);
  app.decorate('publicOrigin', options.publicUrl === undefined ? undefined : new URL(options.publicUrl).origin);
  const strangers = new TokenBuckets(options.strangerLimit ?? { perSecond: 20, burst: 200 }, () => clock.monotonicMs());
  app.decorate('limits', {
    keys: new TokenBuckets(options.rateLimit ?? { perSecond: 2_000, burst: 4_000 }, () => clock.monotonicMs()),
    strangers,
    gate: new StrangerGate(strangers),
  });
  app.decorateRequest('principal', null);
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');

  app.addHook('onRoute', (route) => shapes.add(route.url, route.method));
  app.addHook('preClose', () => stop.abort());
  app.addHook('onRequest', async (request, reply) => {
    options.traffic?.count();
    reply.header('x-request-id', request.id);
    if (stop.signal.aborted) {
      reply.header('connection', 'close');
      throw new SolyxError('not_ready', 'The server is stopping.');
    }
  });
  refuseSlowBodies(app, (options.bodyTimeoutSeconds ?? 30) * 1000);
  app.addHook('onResponse', async (request, reply) => {
    request.log.debug(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        keyId: request.principal?.keyId,
      },
      'request',
    );
  });
  app.setErrorHandler((error, request, reply) =>
    sendProblem(request, reply, asSolyxError(error, request.routeOptions.config.bodyCode)),
  );
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(shapes, request.url);
    if (methods.length === 0) return sendProblem(request, reply, new SolyxError('route_not_found'));
    reply.header('allow', methods.join(', '));
    return sendProblem(request, reply, new SolyxError('method_not_allowed', `It takes ${methods.join(', ')}.`));
  });

  await app.register(cookie, { hook: false });
  // Whole JSON answers only: compressing would hold back the lines of a stream, and files of the console are compressed when they are built.
  // Left to itself the plugin takes every type that can be compressed, also bytes that are, which then arrive unpacked.
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' || !compressedTypes.test(String(reply.getHeader('content-type') ?? ''))) {
      request.headers['x-no-compression'] = 'true';
    }
    if (payload instanceof Readable) payload.once('error', (error) => noteBrokenStream(request, reply, error));
    return payload;
  });
  await app.register(compress, {
    encodings: ['gzip'],
    customTypes: compressedTypes,
    threshold: compressFromBytes,
    zlibOptions: { level: constants.Z_BEST_SPEED },
  });
  await app.register(helmet, {
    contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }, useDefaults: false },
    strictTransportSecurity: options.tls ? { maxAge: 31_536_000, includeSubDomains: false } : false,
  });
  return app;
}

/**
 * Stops a server: refuses new requests, ends streams, lets running requests finish.
 * @param graceMs after this time connections are cut, ≥ 0
 */
export async function closeServer(app: FastifyInstance, graceMs = 10_000): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}
