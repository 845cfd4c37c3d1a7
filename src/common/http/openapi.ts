/** The OpenAPI 3.1 document, from the contract table alone; every answer that a route may give stands in it. */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { problem, type Route } from '../contract/routes/index.ts';
import { logFrame } from '../contract/routes/jobs.ts';
import { type Code, errorCodes } from '../errors/index.ts';

/** Prepares the document; register before the routes. */
export async function documentApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    exposeHeadRoutes: true,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Solyx',
        version,
        description:
          'Instants are ISO 8601 UTC, durations seconds, money decimal dollars with six places, ids prefixed and sortable.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'An API key, `sx_api_…`.' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: '__Host-solyx',
            description: 'A browser session, set by `createSession`. Requests must come from pages of this server.',
          },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withoutUnused(jsonSchemaTransformObject(document)),
  });
}

/** Each named schema comes in an input and an output form; most are used in one of them only. */
function withoutUnused(document: ReturnType<typeof jsonSchemaTransformObject>): typeof document {
  const schemas = 'components' in document ? document.components?.schemas : undefined;
  if (!schemas) return document;
  for (let found = true; found; ) {
    const text = JSON.stringify(document);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    for (const name of unused) delete schemas[name];
    found = unused.length > 0;
  }
  return document;
}

/** Everything of a route's fastify schema that only documents, and the answers. */
export function describeRoute(route: Route) {
  return {
    operationId: route.id,
    summary: route.summary,
    tags: [route.path.split('/')[2] ?? 'service'],
    security: route.access === 'public' ? [] : [{ key: [] }, { session: [] }],
    ...(route.access !== 'public' && {
      description: `Needs role \`${route.access.role}\`${route.access.operator ? ' of the operator’s tenant' : ''}.`,
    }),
    ...(route.body !== undefined && { consumes: consumed(route) }),
    response: { ...answers(route), ...problems(route) },
  };
}

function consumed(route: Route): string[] {
  if (route.body === 'bytes') return ['application/octet-stream'];
  return route.yaml ? ['application/json', 'application/yaml'] : ['application/json'];
}

function answers(route: Route) {
  if (route.answer === 'none') return { [route.status]: route.response.describe(route.summary) };
  const json = { 'application/json': { schema: route.response } };
  const content = {
    json,
    text: { 'text/plain': { schema: route.response } },
    bytes: { 'application/octet-stream': { schema: route.response } },
    'json-or-ndjson': { ...json, 'application/x-ndjson': { schema: logFrame } },
  }[route.answer];
  return { [route.status]: { description: route.summary, content } };
}

/** The codes that a route may answer with: its own, and those that come with what it takes. */
export function codesOf(route: Route): Code[] {
  const codes: Code[] = ['bad_request', 'internal', 'not_ready', ...route.errors];
  if (route.access !== 'public')
    codes.push(
      'unauthenticated',
      'key_revoked',
      'session_ended',
      'cross_origin',
      'rate_limited',
      'database_unavailable',
      'database_timeout',
    );
  if (route.access !== 'public' && (route.access.role !== 'viewer' || route.access.operator)) codes.push('forbidden');
  if (route.params) codes.push('not_found');
  codes.push('invalid_query');
  if (route.body) codes.push(route.bodyCode ?? 'invalid_body', 'body_too_large', 'unsupported_media_type');
  return [...new Set(codes)];
}

function problems(route: Route) {
  const byStatus = Map.groupBy(codesOf(route), (code) => errorCodes[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      { description: codes.join(', '), content: { 'application/problem+json': { schema: problem } } },
    ]),
  );
}
