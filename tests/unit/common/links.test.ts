import { describe, expect, it } from 'vitest';
import { linkStaysInside } from '../../../src/common/links.ts';

describe('a link in a folder', () => {
  it.each([
    ['a', 'b'],
    ['a/b', '../c'],
    ['a/b/c', '../../d/e'],
    ['a', 'b/../c'],
    ['a/b', '..'],
  ])('%s → %s stays inside', (path, target) => expect(linkStaysInside(path, target)).toBe(true));

  it.each([
    ['a', '..'],
    ['a', '../b'],
    ['a/b', '../../c'],
    ['a', '/etc'],
    ['a', 'b/../../c'],
    ['a', ''],
    ['a', 'b\0'],
  ])('%s → %j leaves it', (path, target) => expect(linkStaysInside(path, target)).toBe(false));
});
