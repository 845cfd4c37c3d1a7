import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safeNext } from '../../../dashboard/src/identity/next.ts';
import { tokenIn } from '../../../dashboard/src/identity/token.ts';
import { browserName } from '../../../dashboard/src/pages/account/browser-name.ts';

describe('where signing in leads', () => {
  it.each(['/', '/jobs?state=running&state=failed', '/jobs/job_1#log-L10', '/admin/keys'])(
    'is %s when that was asked for',
    (path) => {
      expect(safeNext(path)).toBe(path);
    },
  );

  it.each([
    undefined,
    '',
    'jobs',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '/./\\/evil.example',
    '/..//evil.example',
    'https://evil.example',
    'javascript:alert(1)',
    '/login',
    '/login?next=/jobs',
    '/login/oidc?code=x',
    '/invitation#sx_invite_x',
    '/./login',
  ])('is the overview for %j', (text) => {
    expect(safeNext(text)).toBe('/');
  });

  it('is never another origin, whatever the text', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^[/\\.\t\n:@?#a]{1,12}$/), fc.webUrl());
    fc.assert(
      fc.property(texts, (text) => {
        const url = new URL(safeNext(text), 'https://own.example');
        expect(url.origin).toBe('https://own.example');
      }),
    );
  });
});

describe('a token', () => {
  it('is taken from the fragment when it is of the page’s kind', () => {
    expect(tokenIn('#sx_login_abc', 'login')).toBe('sx_login_abc');
    for (const hash of ['', '#', '#section', '#sx_invite_abc', `#sx_login_${'x'.repeat(200)}`]) {
      expect(tokenIn(hash, 'login')).toBeUndefined();
    }
  });
});

describe('a browser', () => {
  it.each([
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36',
      'Chrome on Linux',
    ],
    ['Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0', 'Edge on Windows'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Safari/604', 'Safari on iOS'],
    ['curl/8.0', 'Another program'],
    [null, 'Another program'],
  ])('that calls itself %j is %s', (userAgent, name) => {
    expect(browserName(userAgent)).toBe(name);
  });
});
