/**
 * The contract table as types: `'GET /v1/jobs'` names an endpoint, and its parameters, query, body and answer follow.
 * Nothing of the table reaches the browser at run time (zod alone would cost 75 KiB there).
 */
import type { z } from 'zod';
import type { endpoints } from '../../../src/common/contract/endpoints.ts';
import type { Routes } from '../../../src/common/contract/routes/index.ts';

type Endpoints = typeof endpoints;
type Id = keyof Endpoints & keyof Routes;
type KeyOf<I extends Id> = `${Endpoints[I]['method']} ${Endpoints[I]['path']}`;

/** Method and path of an endpoint, like `GET /v1/jobs/:id`. */
export type Endpoint = { [I in Id]: KeyOf<I> }[Id];
export type GetEndpoint = Extract<Endpoint, `GET ${string}`>;

type RouteOf<E extends Endpoint> = Routes[{ [I in Id]: KeyOf<I> extends E ? I : never }[Id]];
type Part<R, Name extends string> = R extends { readonly [P in Name]: infer S extends z.ZodType } ? z.output<S> : never;
type Body<R> = R extends { readonly body: infer S extends z.ZodType } ? z.input<S> : never;
type Field<Name extends string, Value> = [Value] extends [never] ? unknown : { readonly [P in Name]: Value };
type Optional<Name extends string, Value> = [Value] extends [never] ? unknown : { readonly [P in Name]?: Value };

/** What goes into a request: path parameters, query, body. */
export type Input<E extends Endpoint> = Field<'params', Part<RouteOf<E>, 'params'>> &
  Optional<'query', { readonly [K in keyof Part<RouteOf<E>, 'query'>]?: Part<RouteOf<E>, 'query'>[K] | undefined }> &
  Field<'body', Body<RouteOf<E>>>;

/** What comes out of it. */
export type Output<E extends Endpoint> =
  RouteOf<E> extends { readonly response: infer S extends z.ZodType } ? z.output<S> : never;

/** Item of a list endpoint. */
export type Item<E extends Endpoint> = Output<E> extends { items: readonly (infer T)[] } ? T : never;

export type Job = Item<'GET /v1/jobs'>;
export type JobDetail = Output<'GET /v1/jobs/:id'>;
export type JobState = Job['state'];
export type Node = Item<'GET /v1/nodes'>;
export type Whoami = Output<'GET /v1/whoami'>;
export type Role = Whoami['role'];
