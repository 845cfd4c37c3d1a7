/**
 * The product's server as a process of a benchmark: composed as `solyx serve` composes it, and asked over IPC how late its event
 * loop was.
 *
 * Arguments: home, then the components. Writes `{url}` to its parent when it is ready.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { loadConfig } from '../../src/common/config/index.ts';
import { createLogger } from '../../src/common/logger.ts';
import { type ComponentName, startControlPlane } from '../../src/main.ts';
import type { ServerCost } from './server-process.ts';

const [home, ...components] = process.argv.slice(2) as [string, ...ComponentName[]];
const plane = await startControlPlane({
  config: loadConfig({}),
  home,
  logger: createLogger({ name: 'solyx', level: process.env.SOLYX_LOG_LEVEL ?? 'warn' }),
  components,
  port: 0,
});

/** The monitor's own period, which every value has in it, ms. */
const periodMs = 5;
const delay = monitorEventLoopDelay({ resolution: periodMs });
delay.enable();

let began = { at: performance.now(), cpu: process.cpuUsage() };

process.on('message', (message: 'reset' | 'read') => {
  if (message === 'reset') {
    delay.reset();
    began = { at: performance.now(), cpu: process.cpuUsage() };
    return;
  }
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - periodMs);
  const { user, system } = process.cpuUsage(began.cpu);
  process.send!({
    loopDelayP99Ms: late(delay.percentile(99)),
    loopDelayMaxMs: late(delay.max),
    cores: (user + system) / 1000 / (performance.now() - began.at),
  } satisfies ServerCost);
});
process.on('disconnect', async () => {
  await plane.stop();
  process.exit(0);
});
process.send!({ url: Object.values(plane.urls)[0] });
