/**
 * Validation by zod with errors that name places by JSON pointer.
 *
 * zod reports a union that nothing matched as one issue at the union; people need the issue inside the branch that they
 * meant. We take the branch that got deepest, which is the one whose outer form was right.
 */
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import type { Issue } from '../errors/index.ts';

type ZodIssue = z.core.$ZodIssue;

/** Fastify adds `validationContext`: which part of the request failed. */
export class ValidationFailure extends Error {
  readonly issues: Issue[];
  validationContext?: string;

  constructor(error: z.ZodError) {
    super('validation failed');
    this.name = 'ValidationFailure';
    this.issues = issuesOf(error.issues);
  }
}

export const compileValidator: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data) => {
    const result = schema.safeParse(data);
    return result.success ? { value: result.data } : { error: new ValidationFailure(result.error) };
  };

const mostIssues = 50;

/** Issues as places and messages; at most 50, since one bad list can have a million. */
export function issuesOf(issues: readonly ZodIssue[], base: readonly PropertyKey[] = []): Issue[] {
  return issues.flatMap((issue) => one(issue, base)).slice(0, mostIssues);
}

function one(issue: ZodIssue, base: readonly PropertyKey[]): Issue[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ at: pointer([...path, key]), message: 'there is no such field' }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const depth = (branch: readonly ZodIssue[]) =>
      Math.max(0, ...branch.map((inner) => inner.path.length + (inner.code === 'invalid_type' ? 0 : 0.5)));
    const deepest = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0]!;
    if (depth(deepest) > 0) return issuesOf(deepest, path);
  }
  if (issue.code === 'invalid_key') return issuesOf(issue.issues, path);
  return [{ at: pointer(path), message: issue.message }];
}

/** RFC 6901; the whole document is the empty pointer. */
function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).slice(0, 200).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
