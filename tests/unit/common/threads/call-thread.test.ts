import { afterEach, expect, test } from 'vitest';
import { parseYaml } from '../../../../src/common/http/yaml-body.ts';
import { CallThread } from '../../../../src/common/threads/call-thread.ts';

const threads: CallThread[] = [];
afterEach(async () => {
  for (const thread of threads.splice(0)) await thread.stop();
});

function makeThread(options: { timeoutSeconds?: number; mostWaiting?: number; idleSeconds?: number } = {}): CallThread {
  const module = new URL('../../../fixtures/threads/answering.ts', import.meta.url);
  const thread = new CallThread({ name: 'test', module, timeoutSeconds: 20, mostWaiting: 10, ...options });
  threads.push(thread);
  return thread;
}

test('calls are answered in order, errors with their code, bugs without their text', async () => {
  const thread = makeThread();
  const answers = await Promise.allSettled(['a', 'refuse', 'bug', 'b'].map((input) => thread.call(input)));
  expect(answers).toMatchObject([
    { status: 'fulfilled', value: 'a!' },
    { status: 'rejected', reason: { code: 'invalid_yaml', detail: 'Line 1.' } },
    { status: 'rejected', reason: { code: 'internal', detail: undefined } },
    { status: 'fulfilled', value: 'b!' },
  ]);
});

test('a call that takes too long is refused and the next is answered by another thread', async () => {
  const thread = makeThread({ timeoutSeconds: 2 });
  await thread.call('warm');
  const [hung, next] = await Promise.allSettled([thread.call('hang'), thread.call('next')]);
  expect(hung).toMatchObject({ status: 'rejected', reason: { code: 'not_ready' } });
  expect(next).toMatchObject({ status: 'fulfilled', value: 'next!' });
});

test('a thread that dies takes one call with it', async () => {
  const thread = makeThread();
  const [died, next] = await Promise.allSettled([thread.call('die'), thread.call('next')]);
  expect(died).toMatchObject({ status: 'rejected', reason: { code: 'internal' } });
  expect(next).toMatchObject({ status: 'fulfilled', value: 'next!' });
});

test('more calls than may wait are refused at once', async () => {
  const thread = makeThread({ mostWaiting: 2 });
  const all = await Promise.allSettled(['a', 'b', 'c', 'd'].map((input) => thread.call(input)));
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
});

test('a thread that was idle is ended and started again', async () => {
  const thread = makeThread({ idleSeconds: 0.05 });
  expect(await thread.call('a')).toBe('a!');
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await thread.call('b')).toBe('b!');
});

test('large YAML is parsed while the main thread does other things', async () => {
  const text = `env:\n${Array.from({ length: 4_000 }, (_, index) => `  V${index}: "value ${index}"\n`).join('')}`;
  await parseYaml(text);
  let turns = 0;
  let done = false;
  const other = (async () => {
    for (; !done; turns += 1) await new Promise(setImmediate);
  })();
  const value = (await parseYaml(text)) as { env: Record<string, string> };
  done = true;
  await other;
  expect(value.env.V3999).toBe('value 3999');
  expect(turns).toBeGreaterThan(20);
  await expect(parseYaml(`${text}x: [`)).rejects.toMatchObject({ code: 'invalid_yaml' });
});
