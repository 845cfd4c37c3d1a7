import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact } from '../../../src/cli/support-bundle.ts';
import { keyKinds, makeKey } from '../../../src/common/keys.ts';

/** Where secrets turn up in logs, errors and configuration. */
const places = [
  (secret: string) => `{"password":"${secret}","level":30}`,
  (secret: string) => `apiKey: ${secret}\nnext: 1`,
  (secret: string) => `SMTP_PASSWORD='${secret}' node x`,
  (secret: string) => `Authorization: Bearer ${secret}`,
  (secret: string) => `connecting to postgres://solyx:${secret}@db.example:5432/solyx failed`,
  (secret: string) => `"headers":{"cookie":"${secret}"}`,
  (secret: string) => `"client_secret" : "${secret}"`,
];

describe('what goes into a support bundle', () => {
  it('has no key or token of Solyx, wherever it stands, also cut short', () => {
    for (const kind of keyKinds) {
      const { text } = makeKey(kind);
      expect(redact(`seen ${text}, then ${text.slice(0, 30)}…`)).not.toMatch(/sx_[a-z]+_[0-9a-z]{8}/);
    }
  });

  it('has no value that is named as a secret', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9_.~+/-]{8,40}$/);
    fc.assert(
      fc.property(secret, fc.constantFrom(...places), (value, place) => {
        expect(redact(place(value))).not.toContain(value);
      }),
    );
  });

  it('has nothing of what this installation knows as secret, even unnamed', () => {
    expect(redact('it said hunter2-hunter2 aloud', ['hunter2-hunter2'])).toBe('it said [redacted] aloud');
  });

  it('has no private keys, web tokens, or keys of clouds and forges', () => {
    const text = [
      '-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----',
      'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
      `AKIA${'ABCDEFGH12345678'}`,
      `hf_${'a'.repeat(24)}`,
    ];
    for (const secret of text) expect(redact(`x ${secret} y`)).toBe('x [redacted] y');
  });

  it('keeps what is needed to help', () => {
    const line =
      '{"level":50,"job":"job_01m80njfbyfcx92mba44hn4b40","err":{"code":"disk_full"},"msg":"a node connected"}';
    expect(redact(line)).toBe(line);
  });
});
