import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { addressForServers } from '../../../../src/metapod/gateway/index.ts';

const face = (address: string, internal = false): NetworkInterfaceInfo =>
  ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo;

describe('where other servers reach this one', () => {
  const machine = { lo: [face('127.0.0.1', true)], eth0: [face('fe80::1'), face('2001:db8::7'), face('10.0.0.7')] };

  it.each([
    ['http://127.0.0.1:8000', 'http://127.0.0.1:8000'],
    ['https://10.1.2.3:8000', 'https://10.1.2.3:8000'],
    ['http://0.0.0.0:8000', 'http://10.0.0.7:8000'],
    ['https://[::]:8000', 'https://10.0.0.7:8000'],
  ])('%s → %s', (url, expected) => expect(addressForServers(url, machine)).toBe(expected));

  it('is an address of version 6 where there is no other, and loopback where there is none at all', () => {
    expect(addressForServers('http://[::]:1', { eth0: [face('2001:db8::7')] })).toBe('http://[2001:db8::7]:1');
    expect(addressForServers('http://0.0.0.0:1', { lo: [face('127.0.0.1', true)] })).toBe('http://127.0.0.1:1');
  });
});
