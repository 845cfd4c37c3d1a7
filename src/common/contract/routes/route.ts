/**
 * What the contract says of one endpoint beside method and path: who may call it, what goes in, what comes out, and
 * which errors it has of its own. Server, OpenAPI document, client types and the access matrix all derive from it.
 */
import type { z } from 'zod';
import type { Code } from '../../errors/index.ts';
import { type EndpointId, endpoints, type Method } from '../endpoints.ts';

/** Weakest first: each role may do what those before it may. */
export const roles = ['viewer', 'member', 'admin'] as const;
export type Role = (typeof roles)[number];

/** `operator`: only keys of the operator's tenant. */
export type Access = 'public' | { readonly role: Role; readonly operator?: true };

/** Media types of answers; JSON is checked against the schema, the others are written by the handler. */
export type AnswerType = 'json' | 'none' | 'text' | 'bytes' | 'json-or-ndjson';

export interface RouteSpec {
  readonly summary: string;
  readonly access: Access;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** JSON body; `bytes` is a stream of any length up to the blob limit. */
  readonly body?: z.ZodType | 'bytes';
  /** The body may also be YAML of the same schema. */
  readonly yaml?: true;
  /** Code of a body that does not match; default `invalid_body`. */
  readonly bodyCode?: Code;
  /** Takes an Idempotency-Key header; a repeat with the same body gets the first answer. */
  readonly idempotencyKey?: true;
  readonly status: 200 | 201 | 204;
  readonly answer: AnswerType;
  readonly response: z.ZodType;
  /** Codes beside those that every route of its kind may answer. */
  readonly errors: readonly Code[];
}

export type Route<I extends EndpointId = EndpointId, S extends RouteSpec = RouteSpec> = S & {
  readonly id: I;
  readonly method: Method;
  readonly path: string;
};

/** Joins an endpoint's method and path with the rest of its contract; keeps the exact types for the client. */
export function defineRoute<const I extends EndpointId, const S extends RouteSpec>(id: I, spec: S): Route<I, S> {
  return { ...spec, id, method: endpoints[id].method, path: endpoints[id].path };
}
