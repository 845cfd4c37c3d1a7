/**
 * Makes a route of a contract and a handler. Access, rate limit, validation, serialization and documentation all come
 * from the contract, so that a handler can neither forget them nor say something else.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { z } from 'zod';
import type { Route, RouteId, Routes } from '../contract/routes/index.ts';
import { SolyxError } from '../errors/index.ts';
import { admit } from './admission.ts';
import { describeRoute } from './openapi.ts';
import { type Principal, requireAccess } from './principal.ts';
import { parseYaml } from './yaml-body.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Code of a body that does not match its schema. */
    bodyCode?: Route['bodyCode'];
    /** The handler reads the body itself. */
    streamsBody?: boolean;
  }
}

type Parsed<R, Part extends string> = R extends { readonly [P in Part]: infer S extends z.ZodType }
  ? z.output<S>
  : undefined;

/** One call of an endpoint, parsed and permitted. */
export interface Call<R> {
  readonly principal: R extends { readonly access: 'public' } ? null : Principal;
  readonly params: Parsed<R, 'params'>;
  readonly query: Parsed<R, 'query'>;
  readonly body: Parsed<R, 'body'>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

type Answer<R> = R extends { readonly response: infer S extends z.ZodType } ? z.output<S> : never;

/** Returns the answer, or the reply when it has sent one itself (streams). */
export type Handler<R> = (call: Call<R>) => Promise<Answer<R> | FastifyReply>;

/** Handlers of some endpoints, by id. */
export type Handlers<I extends RouteId = RouteId> = { readonly [K in I]: Handler<Routes[K]> };

const noQuery = z.strictObject({});
const idempotencyHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'expected 1–255 visible ASCII characters')
    .optional()
    .describe('A key of your own; a repeat with the same key and body gets the first answer and makes nothing.'),
});

/** YAML costs a hundred times what JSON does. */
const yamlLimitBytes = 262_144;

/** Most bytes of an uploaded blob. */
export const blobLimitBytes = 16 * 2 ** 30;

/** Registers an endpoint. Paths, methods and everything else come from `route`. */
export function bindRoute<R extends Route>(app: FastifyInstance, route: R, handler: Handler<R>): void {
  app.register(async (scope) => {
    if (route.yaml) {
      scope.addContentTypeParser(
        ['application/yaml', 'application/x-yaml', 'text/yaml'],
        { parseAs: 'string', bodyLimit: yamlLimitBytes },
        (_request: FastifyRequest, text: string) => parseYaml(text),
      );
    }
    if (route.body === 'bytes') {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser(
        'application/octet-stream',
        async (_request: FastifyRequest, stream: unknown) => stream,
      );
    }
    scope.route({
      method: route.method,
      url: route.path,
      config: { ...(route.bodyCode && { bodyCode: route.bodyCode }), streamsBody: route.body === 'bytes' },
      ...(route.body === 'bytes' && { bodyLimit: blobLimitBytes }),
      schema: {
        ...describeRoute(route),
        ...(route.params && { params: route.params }),
        querystring: route.query ?? noQuery,
        ...(route.idempotencyKey && { headers: idempotencyHeaders }),
        ...(route.body instanceof z.ZodType && { body: route.body }),
        ...(route.body === 'bytes' && { body: z.unknown() }),
      },
      onRequest: (request) => permit(app, route, request),
      handler: run(route, handler) as RouteHandlerMethod,
    });
  });
}

async function permit(app: FastifyInstance, route: Route, request: FastifyRequest): Promise<void> {
  if (route.access === 'public') return;
  // The cookie of a session that ended is left alone: this answer may come after that of a new sign-in.
  const principal = await admit(app, request, request.ip);
  requireAccess(principal, route.access);
  request.principal = principal;
}

function run<R extends Route>(route: R, handler: Handler<R>) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    if (!route.body && request.body !== undefined && request.body !== null) {
      throw new SolyxError('invalid_body', 'This endpoint takes no body.');
    }
    const { principal, params, query, body } = request;
    const answer = await handler({ principal, params, query, body, request, reply } as Call<R>);
    // A reply that was sent is a promise of nothing: awaited, it is no longer itself. One that was cut off has not ended as
    // "sent" means it, yet can be given nothing more.
    if (answer === reply || reply.sent || reply.raw.headersSent || reply.raw.destroyed) return reply;
    reply.code(route.status);
    return answer === undefined ? reply.send() : answer;
  };
}
