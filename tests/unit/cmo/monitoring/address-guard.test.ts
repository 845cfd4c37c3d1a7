import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isAllowed,
  parseNetworks,
  refusalOfUrl,
  resolveTarget,
} from '../../../../src/cmo/monitoring/notifications/address-guard.ts';

const allowed = (address: string, ...networks: string[]) => isAllowed(address, parseNetworks(networks));

describe('the addresses that a web-hook may go to', () => {
  it.each([
    '127.0.0.1',
    '127.1.2.3',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '192.0.0.192',
    '240.0.0.1',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '::ffff:169.254.169.254',
    '::ffff:7f00:1',
    '64:ff9b::a9fe:a9fe',
    '2002:7f00:1::',
    '2001:db8::1',
    '::127.0.0.1',
    '::a9fe:a9fe',
    '4000::1',
    '168.63.129.16',
    '::ffff:168.63.129.16',
    'nonsense',
    '',
  ])('are not %s', (address) => {
    expect(allowed(address)).toBe(false);
  });

  it.each(['8.8.8.8', '93.184.216.34', '2606:4700::1111', '::ffff:8.8.8.8'])('are, say, %s', (address) => {
    expect(allowed(address)).toBe(true);
  });

  it('are those of networks that the operator allowed, and no others beside', () => {
    expect(allowed('10.1.2.3', '10.1.0.0/16')).toBe(true);
    expect(allowed('::ffff:10.1.2.3', '10.1.0.0/16')).toBe(true);
    expect(allowed('10.2.2.3', '10.1.0.0/16')).toBe(false);
    expect(allowed('127.0.0.1', '127.0.0.1')).toBe(true);
    expect(allowed('127.0.0.2', '127.0.0.1')).toBe(false);
    expect(allowed('fd00::1', '10.0.0.0/8', 'fd00::/8')).toBe(true);
    expect(() => parseNetworks(['10.0.0.0/33'])).toThrow();
  });

  it('are never private, in whatever clothes', () => {
    const privateAddress = fc.tuple(
      fc.constantFrom([10], [127], [192, 168], [169, 254], [172, 16], [0]),
      fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }),
    );
    fc.assert(
      fc.property(privateAddress, ([prefix, rest]) => {
        const parts = [...prefix, ...rest].slice(0, 4);
        const hex = parts.map((part) => part.toString(16).padStart(2, '0')).join('');
        const dotted = parts.join('.');
        for (const text of [dotted, `::ffff:${dotted}`, `::ffff:${hex.slice(0, 4)}:${hex.slice(4)}`]) {
          expect(allowed(text), text).toBe(false);
        }
      }),
    );
  });
});

describe('the target of a web-hook', () => {
  it.each([
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[::1]/',
    'http://[::ffff:169.254.169.254]/latest/meta-data',
    'http://[::127.0.0.1]/',
    'http://localhost/',
  ])('is refused for %s', async (url) => {
    expect(await resolveTarget(new URL(url), [])).toMatchObject({ kind: 'refused' });
  });

  it('is refused for a low port, whatever stands there', async () => {
    expect(await resolveTarget(new URL('http://8.8.8.8:25/'), [])).toMatchObject({
      kind: 'refused',
      why: 'port 25 is not allowed',
    });
  });

  it('is the address to connect to, for one that is allowed', async () => {
    const target = await resolveTarget(new URL('http://127.0.0.1:8080/'), ['127.0.0.0/8']);
    expect(target).toEqual({ kind: 'allowed', address: '127.0.0.1', family: 4 });
  });
});

describe('the URL of a web-hook', () => {
  it.each([
    ['http://10.0.0.1/', '10.0.0.1'],
    ['https://192.168.0.7:8443/hook', '192.168.0.7'],
    ['http://127.0.0.1/', '127.0.0.1'],
    ['http://2130706433/', '127.0.0.1'],
    ['http://0x7f000001/', '127.0.0.1'],
    ['http://0177.0.0.1/', '127.0.0.1'],
    ['http://127.1/', '127.0.0.1'],
    ['http://127.0.0.1./', '127.0.0.1'],
    ['http://169.254.169.254/latest/meta-data', '169.254.169.254'],
    ['http://[::1]/', '::1'],
    ['http://[fe80::1]/', 'fe80::1'],
    ['http://[::ffff:10.0.0.1]/', '::ffff:a00:1'],
    ['http://0/', '0.0.0.0'],
  ])('%s is refused before anything is sent', (url, address) => {
    expect(refusalOfUrl(new URL(url), [])).toBe(
      `${address} is no address of the public internet; the operator can allow its network (notifications.allowNetworks)`,
    );
  });

  it('is refused for a port that no web-hook goes to', () => {
    expect(refusalOfUrl(new URL('http://hooks.example.com:22/'), [])).toBe('port 22 is not allowed');
  });

  it.each([
    'http://8.8.8.8/',
    'https://[2606:4700::1111]/',
    'http://localhost/',
    'https://intranet.example.com:8443/x',
  ])('%s is taken: public, or a name that is looked up when something is sent', (url) => {
    expect(refusalOfUrl(new URL(url), [])).toBeNull();
  });

  it('is taken in a network that the operator allowed', () => {
    expect(refusalOfUrl(new URL('http://2130706433:8080/'), ['127.0.0.0/8'])).toBeNull();
    expect(refusalOfUrl(new URL('http://10.0.0.1/'), ['127.0.0.0/8'])).not.toBeNull();
  });
});
