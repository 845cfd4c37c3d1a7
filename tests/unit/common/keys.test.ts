import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bearerKey, hashKey, keyKinds, makeKey, parseKey } from '../../../src/common/keys.ts';

describe('keys', () => {
  it.each(keyKinds)('of kind %s are read back with their kind and hash', (kind) => {
    const key = makeKey(kind);
    expect(key.text).toMatch(new RegExp(`^sx_${kind}_[0-9a-z]{52}_[0-9a-z]{6}$`));
    expect(parseKey(key.text)).toEqual({ kind, hash: hashKey(key.text) });
    expect(bearerKey(`Bearer ${key.text}`)?.hash).toEqual(key.hash);
  });

  it('are never made twice', () => {
    expect(new Set(Array.from({ length: 200 }, () => makeKey('api').text)).size).toBe(200);
  });

  it('with any one character changed are none', () => {
    const { text } = makeKey('node');
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'0123456789abcdefghjkmnpqrstvwxyz_'), (at, character) => {
        if (text.charAt(at) === character) return;
        expect(parseKey(text.slice(0, at) + character + text.slice(at + 1))).toBeUndefined();
      }),
    );
  });

  it('cut off, in another case or with spaces are none', () => {
    const { text } = makeKey('join');
    for (const wrong of ['', text.slice(0, -1), `${text} `, text.toUpperCase(), `x${text}`]) {
      expect(parseKey(wrong)).toBeUndefined();
    }
    expect(bearerKey(undefined)).toBeUndefined();
    expect(bearerKey(text)).toBeUndefined();
    expect(bearerKey(`Basic ${text}`)).toBeUndefined();
  });
});
