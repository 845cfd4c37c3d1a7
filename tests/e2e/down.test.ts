/** `solyx down` while something is only beginning. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Product, processesOf } from '../support/product.ts';
import { until } from '../support/until.ts';

const product = new Product();
beforeAll(() => product.up(), 90_000);
afterAll(() => product.dispose(), 90_000);

const agentPid = () => processesOf(product.home).find(({ command }) => / agent --data /.test(command))?.pid;

it('down waits for an agent that was started a moment ago, however slowly it comes', async () => {
  const first = await until('an agent runs', agentPid, 20_000);
  process.kill(first, 'SIGKILL');
  await until('another starts', () => agentPid() !== undefined && agentPid() !== first, 20_000);
  const slow = agentPid()!;
  process.kill(slow, 'SIGSTOP');
  const down = product.ok(['down']);
  let isOver = false;
  down.finally(() => (isOver = true)).catch(() => {});
  // Had it not known of the agent, it would stop the control plane now and be done.
  await Promise.race([product.ended(), new Promise((resolve) => setTimeout(resolve, 3_000))]);
  expect(isOver).toBe(false);
  process.kill(slow, 'SIGCONT');
  await down;
  await product.ended();
  expect(processesOf(product.home)).toEqual([]);
}, 90_000);
