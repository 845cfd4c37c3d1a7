import { describe, expect, it } from 'vitest';
import { ownScript, plainText } from '../../../../dashboard/src/app/trusted-types.ts';

describe('what may become markup', () => {
  it('is the text of style elements', () => {
    const css = '@media (min-width: 48em) { .a > .b { color: red } }';
    expect(plainText(css)).toBe(css);
  });

  it('is nothing that could make an element', () => {
    expect(() => plainText('<img src=x onerror=alert(1)>')).toThrow(TypeError);
  });
});

describe('what may become a script', () => {
  const base = 'https://solyx.test/jobs';

  it('is a file of this origin', () => {
    expect(ownScript('/assets/worker-1.js', base)).toBe('/assets/worker-1.js');
  });

  it.each(['https://evil.test/a.js', '//evil.test/a.js', 'data:text/javascript,alert(1)', 'blob:https://evil.test/1'])(
    'is not %s',
    (url) => {
      expect(() => ownScript(url, base)).toThrow(TypeError);
    },
  );
});
