/**
 * A policy out of a file: what differs from the product's defaults. Names are those of the `Policy` type, so a file
 * tried here can be put into the configuration as it is. An unknown name is refused, since the default would be simulated in its place.
 */
import { checkPolicy, defaultPolicy } from '../../core/policy.ts';
import type { Policy } from '../../core/snapshot.ts';
import { InputError, type InputIssue, issueAt } from './input-error.ts';

/**
 * @param value the parsed file: an object, or null for an empty file
 * @throws InputError naming the fields that nobody knows or that are of another type; InvalidPolicyError for what is out of range
 */
export function readPolicy(value: unknown): Policy {
  if (value === null || value === undefined) return defaultPolicy;
  const issues: InputIssue[] = [];
  const merged = merge(defaultPolicy, value, [], issues);
  if (issues.length > 0) throw new InputError(issues);
  const policy = merged as Policy;
  checkPolicy(policy);
  return policy;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const kindOf = (value: unknown): string =>
  value === null
    ? 'nothing'
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object'
        ? 'keys and values'
        : typeof value;

/** The defaults with what the file says; every default says which type its field has. */
function merge(standard: object, given: unknown, keys: readonly string[], issues: InputIssue[]): object {
  if (!isObject(given)) {
    issues.push(issueAt(keys, `expected keys and values, not ${kindOf(given)}`));
    return standard;
  }
  const merged: Record<string, unknown> = { ...standard };
  for (const [key, value] of Object.entries(given)) {
    const path = [...keys, key];
    const normal = (standard as Record<string, unknown>)[key];
    if (!Object.hasOwn(standard, key)) {
      issues.push(issueAt(path, `no policy has this; there are: ${Object.keys(standard).join(', ')}`));
    } else if (isObject(normal)) merged[key] = merge(normal, value, path, issues);
    else if (normal !== null && kindOf(value) !== kindOf(normal)) {
      const example = JSON.stringify(normal);
      issues.push(issueAt(path, `expected a ${kindOf(normal)} like ${example}, not ${kindOf(value)}`));
    } else merged[key] = value;
  }
  return merged;
}
