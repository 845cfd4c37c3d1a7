/** Whether an answer is what the contract says: by the route's schema if it passed, as a documented problem if not. */
import { expect } from 'vitest';
import { problem, type Route } from '../../../../src/common/contract/routes/index.ts';
import { codesOf } from '../../../../src/common/http/index.ts';
import type { Answer } from './harness.ts';

/** Fails unless the answer stands in the contract of its route, with no field more. */
export function conforms(route: Route, answer: Answer): void {
  if (answer.status >= 400) {
    if (route.method === 'HEAD') return;
    expect(answer.headers['content-type'], answer.text).toContain('application/problem+json');
    expect(problem.strict().parse(answer.json)).toEqual(answer.json);
    expect(codesOf(route)).toContain(answer.json.code);
    return;
  }
  expect(answer.status).toBe(route.status);
  if (route.answer === 'none') expect(answer.text).toBe('');
  if (route.answer === 'json' || route.answer === 'json-or-ndjson')
    expect(route.response.parse(answer.json)).toEqual(answer.json);
}
