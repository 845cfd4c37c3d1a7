/** Whatever is sent, the answer is one of the contract: never a 5xx, never a field that its schema lacks. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { allRoutes, type Route } from '../../../../src/common/contract/routes/index.ts';
import { conforms } from './conformance.ts';
import { startApi, type TestApi } from './harness.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

type Json = Record<string, unknown>;

/** Text that breaks things: NUL, half surrogates, control characters, markup, numbers, very long. */
const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    '\0',
    '\ud800',
    '💥',
    "'; drop table cmo_jobs; --",
    '../../etc',
    '1e999',
    '%00',
    'a'.repeat(5_000),
    '__proto__',
    'constructor',
  ),
);
const hostile = fc.oneof(
  { depthSize: 'small' },
  hostileText,
  fc.jsonValue(),
  fc.double(),
  fc.bigInt().map(Number),
  fc.constantFrom(null, true, -1, 2 ** 53, 1e300, [], {}),
);

/** Values that a JSON schema asks for, now and then spoilt. */
function fromSchema(schema: Json, depth = 0): fc.Arbitrary<unknown> {
  const right = valid(schema, depth);
  return fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: hostile });
}

function valid(schema: Json, depth: number): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  const union = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
  if (union) return fc.oneof(...union.map((branch) => fromSchema(branch, depth + 1)));
  if (depth > 6) return hostile;
  switch (schema.type) {
    case 'object': {
      const properties = (schema.properties ?? {}) as Record<string, Json>;
      const known = fc.record(
        Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, fromSchema(inner, depth + 1)])),
        {
          requiredKeys: ((schema.required ?? []) as string[]).filter((name) => name in properties),
        },
      );
      const open = typeof schema.additionalProperties === 'object';
      return open
        ? fc
            .tuple(
              known,
              fc.dictionary(hostileText, fromSchema(schema.additionalProperties as Json, depth + 1), { maxKeys: 3 }),
            )
            .map(([a, b]) => ({ ...b, ...a }))
        : known;
    }
    case 'array':
      return fc.array(fromSchema((schema.items ?? {}) as Json, depth + 1), { maxLength: 3 });
    case 'string':
      return typeof schema.pattern === 'string'
        ? matching(schema.pattern)
        : fc.oneof(fc.constantFrom('4GiB', '90s', '2.49', '2026-11-22T02:00:00Z', 'name'), hostileText);
    case 'integer':
      return fc.integer({ min: Number(schema.minimum ?? -5), max: Math.min(Number(schema.maximum ?? 100), 100) });
    case 'number':
      return fc.double({ min: Number(schema.minimum ?? -5), max: Number(schema.maximum ?? 100), noNaN: true });
    case 'boolean':
      return fc.boolean();
    default:
      return hostile;
  }
}

function matching(pattern: string): fc.Arbitrary<string> {
  try {
    return fc.stringMatching(new RegExp(pattern, pattern.includes('\\p') ? 'u' : ''));
  } catch {
    return hostileText;
  }
}

const toJson = (schema: z.ZodType): Json => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Json;

function requests(route: Route) {
  const query = route.query ? fromSchema(toJson(route.query)) : fc.constant({});
  const body = route.body instanceof z.ZodType ? fromSchema(toJson(route.body)) : fc.constant(undefined);
  const names = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1]!);
  const params = fc.tuple(
    ...names.map((name) =>
      fc.oneof(fromSchema((toJson(route.params!).properties as Record<string, Json>)[name]!), hostileText),
    ),
  );
  return fc.tuple(params, query, body).map(([values, q, b]) => {
    let index = 0;
    const path = route.path.replace(/:\w+/g, () => encode(values[index++]));
    return { url: `${path}${queryText(q)}`, body: b };
  });
}

/** URLs cannot hold half surrogates; everything else is sent as it is. */
const encode = (value: unknown): string =>
  encodeURIComponent(String(typeof value === 'object' ? JSON.stringify(value) : value).toWellFormed()) || 'x';

function queryText(query: unknown): string {
  if (typeof query !== 'object' || query === null) return `?${encode(query)}`;
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${encode(name)}=${encode(one)}`),
  );
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}

// Bytes are tested elsewhere, streams and probes take no input; followed logs never end.
const fuzzed = allRoutes.filter(
  (route) => route.body !== 'bytes' && route.access !== 'public' && route.answer !== 'text',
);

describe.each(fuzzed.map((route) => [route.id, route] as const))('%s', (_id, route) => {
  it('answers anything within its contract', async () => {
    await fc.assert(
      fc.asyncProperty(requests(route), async ({ url, body }) => {
        const answer = await api.ask(
          api.adminKey,
          route.method,
          url.replace('follow=true', 'follow=false'),
          body === undefined ? undefined : body,
          {},
        );
        expect(answer.status, answer.text).toBeLessThan(500);
        // A path that is no longer this route's is answered by none or another.
        if (
          answer.status < 400 ||
          !['route_not_found', 'method_not_allowed', 'bad_request'].includes(answer.json?.code)
        )
          conforms(route, answer);
      }),
      { numRuns: route.body ? 150 : 50, seed: 20261122, endOnFailure: true },
    );
  });
});
