import { expect, test } from 'vitest';
import { SolyxError } from '../../../../src/common/errors/index.ts';
import { TokenBuckets } from '../../../../src/common/http/rate-limit.ts';
import { StrangerGate } from '../../../../src/common/http/stranger-gate.ts';

const makeGate = (burst: number) => new StrangerGate(new TokenBuckets({ perSecond: 0.001, burst }, () => 0));
const wrong = async (): Promise<never> => {
  throw new SolyxError('unauthenticated');
};

test('an address that failed too often has its wrong keys answered with 429, another address with 401', async () => {
  const gate = makeGate(2);
  for (let i = 0; i < 2; i += 1) await expect(gate.pass('a', 'k', wrong)).rejects.toMatchObject({ status: 401 });
  await expect(gate.pass('a', 'k', wrong)).rejects.toMatchObject({ code: 'rate_limited' });
  await expect(gate.pass('b', 'k', wrong)).rejects.toMatchObject({ status: 401 });
});

test('its keys are looked up one after the other, a bounded number of them', async () => {
  const gate = makeGate(1);
  await expect(gate.pass('a', 'k', wrong)).rejects.toMatchObject({ status: 401 });
  let together = 0;
  let most = 0;
  let looked = 0;
  const slow = async () => {
    looked += 1;
    most = Math.max(most, ++together);
    await new Promise(setImmediate);
    together -= 1;
    return wrong();
  };
  const all = await Promise.allSettled(Array.from({ length: 100 }, (_, index) => gate.pass('a', `k${index}`, slow)));
  expect(all.every((one) => one.status === 'rejected' && one.reason.code === 'rate_limited')).toBe(true);
  expect({ most, looked }).toEqual({ most: 1, looked: 16 });
});

test('a key that was right lately passes by the line, until it is wrong', async () => {
  const gate = makeGate(1);
  expect(await gate.pass('a', 'right', async () => 'me')).toBe('me');
  await expect(gate.pass('a', 'k', wrong)).rejects.toMatchObject({ status: 401 });
  const never = Array.from({ length: 16 }, (_, index) =>
    gate.pass('a', `k${index}`, () => new Promise<never>(() => {})),
  );
  expect(never).toHaveLength(16);
  expect(await gate.pass('a', 'right', async () => 'me')).toBe('me');
  await expect(gate.pass('a', 'right', wrong)).rejects.toMatchObject({ code: 'rate_limited' });
  await expect(gate.pass('a', 'right', async () => 'me')).rejects.toMatchObject({ code: 'rate_limited' });
});

test('what is not about the key is no failure of the address', async () => {
  const gate = makeGate(1);
  const away = async (): Promise<never> => {
    throw new SolyxError('database_unavailable');
  };
  for (let i = 0; i < 5; i += 1) await expect(gate.pass('a', 'k', away)).rejects.toMatchObject({ status: 503 });
  await expect(gate.pass('a', 'k', wrong)).rejects.toMatchObject({ status: 401 });
});
