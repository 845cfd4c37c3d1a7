/** Wire forms that many endpoints share (contracts §9): ids, instants, money, pages. */
import { z } from 'zod';
import { errorCodes } from '../../errors/codes.ts';
import { type IdKind, idPattern } from '../../ids.ts';

export const id = (kind: IdKind) => z.string().regex(new RegExp(idPattern(kind)), `expected an id like ${kind}_…`);

/** Instant in ISO 8601, UTC. */
export const instant = z.iso.datetime();

/** Decimal dollars with six places. */
export const usd = z.string().regex(/^-?\d{1,13}\.\d{6}$/);

/** Dollars as people send them: at most six places, ≥ 0. */
export const usdInput = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,6})?$/, 'expected dollars ≥ 0 with at most six places, like "2.49"');

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');

/** Name of a site, tenant, project or key. */
export const name = z
  .string()
  .regex(
    /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/,
    'use 1–63 letters, digits, ".", "_" or "-", starting and ending with a letter or digit',
  );

/** Whole number in a query; the text must be digits only. */
export const whole = (minimum: number, maximum: number) => z.coerce.number<number>().int().min(minimum).max(maximum);

/** `true` or `false` in a query. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** A parameter that may be repeated. */
export const repeated = <T extends z.ZodType>(item: T, most = 32) =>
  z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), z.array(item).max(most));

/** Opaque text of an earlier answer's `nextCursor`. */
const cursor = z.string().min(1).max(256);

/** Query of a list: `limit` 1–500, default 50, and the cursor of the page before. */
export const page = { limit: whole(1, 500).default(50), cursor: cursor.optional() };

/** A list: `nextCursor` is null on the last page. */
export const list = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

const codes = Object.keys(errorCodes) as [string, ...string[]];

/** RFC 9457 problem details. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.enum(codes),
    detail: z.string().optional(),
    remedy: z.string(),
    issues: z.array(z.object({ at: z.string(), message: z.string() })).optional(),
    instance: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details; `instance` is the request id.' });

export const nothing = z.undefined();
