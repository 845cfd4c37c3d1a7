/** The sampler against real processes: a fake nvidia-smi that speaks, dies, hangs and is killed. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type DiscoveredDevice,
  discoverNode,
  type Outside,
  systemOutside,
} from '../../../../../src/metapod/agent/discovery/index.ts';
import {
  attemptEnergy,
  deviceJoulesBetween,
  devicePowerOf,
  NodeSampler,
} from '../../../../../src/metapod/agent/samples/index.ts';
import { NvidiaStream } from '../../../../../src/metapod/agent/samples/nvidia-stream.ts';

const UUID = 'GPU-2d4c1b7e-9a51-4a3e-8c11-0a6f5d3b9e01';
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'solyx-sampler-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The real outside, with vendors' tools taken from `tools` (a folder) instead of the PATH. */
function outsideWith(tools: string): Outside {
  const real = systemOutside();
  return {
    ...real,
    run: (tool, args, timeoutMs) => real.run(join(tools, tool), args, timeoutMs),
    follow: (tool, args, handlers) => real.follow(join(tools, tool), args, handlers),
  };
}

/** A folder with an nvidia-smi that notes its pids and, asked for a stream, runs `stream`. */
async function smi(name: string, stream: string): Promise<{ outside: Outside; pids(): Promise<number[]> }> {
  const tools = await mkdtemp(join(folder, name));
  const query = `0, ${UUID}, 00000000:3B:00.0, 590.48.01, 81559, 9.0, Disabled, 700.00, 0, No, No, [N/A], None, 0x0, NVIDIA H100 80GB HBM3`;
  const body = `case "$*" in
*-lms*) echo $$ >> ${tools}/pids; ${stream} ;;
*--query-gpu=*) echo '${query}' ;;
esac`;
  await writeFile(join(tools, 'nvidia-smi'), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return {
    outside: outsideWith(tools),
    async pids() {
      const text = await readFile(join(tools, 'pids'), 'utf8').catch(() => '');
      return text.split('\n').filter(Boolean).map(Number);
    },
  };
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function until<T>(probe: () => Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + 8000;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error('condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const TICK = `while :; do echo '${UUID}, 50, 1024, 400.00, 61, 0x0000000000000000'; sleep 0.05; done`;

async function devicesOf(outside: Outside): Promise<DiscoveredDevice[]> {
  return (await discoverNode({ outside, scratch: folder })).devices;
}

describe('sampling with a real child', () => {
  it('turns power into measured energy of an attempt, and leaves no process behind', async () => {
    const { outside, pids } = await smi('speaks', TICK);
    const devices = await devicesOf(outside);
    expect(devices.map((device) => device.uuid)).toEqual([UUID]);
    const sampler = new NodeSampler({ outside, devices });
    sampler.start();
    try {
      const first = await until(async () => (await sampler.sampleNode()).devices[0]);
      const last = await until(async () => {
        const now = (await sampler.sampleNode()).devices[0];
        return now !== undefined && now.monotonicMs - first.monotonicMs > 200 && now;
      });
      const seconds = (last.monotonicMs - first.monotonicMs) / 1000;
      const joules = deviceJoulesBetween(first, last);
      expect(joules).toBeCloseTo(400 * seconds, 6);
      const power = devicePowerOf(devices[0] as DiscoveredDevice);
      const cpu = { cores: 0, cpuSeconds: 0, node: { joules: 0, busyCpuSeconds: 0 } };
      const half = attemptEnergy(seconds, cpu, [
        { milli: 500, joules, utilizationRatio: last.utilizationRatio, power },
      ]);
      expect(half).toMatchObject({ method: 'measured' });
      expect(half.joules).toBeCloseTo(200 * seconds, 6);
    } finally {
      await sampler.stop();
    }
    const started = await pids();
    expect(started).toHaveLength(1);
    expect(started.some(isAlive)).toBe(false);
  });

  it('brings the child back after it was killed', async () => {
    const { outside, pids } = await smi('killed', TICK);
    let readings = 0;
    const stream = new NvidiaStream({ outside, onReading: () => readings++, backoffMs: 20 });
    stream.start();
    try {
      await until(async () => readings > 0);
      const [first = 0] = await pids();
      process.kill(first, 'SIGKILL');
      const again = await until(async () => (await pids())[1]);
      const before = readings;
      await until(async () => readings > before);
      expect(isAlive(first)).toBe(false);
      expect(isAlive(again)).toBe(true);
    } finally {
      await stream.stop();
    }
    expect((await pids()).some(isAlive)).toBe(false);
  });

  it('replaces a child that hangs without a word', async () => {
    const { outside, pids } = await smi('hangs', 'exec sleep 30');
    const stream = new NvidiaStream({ outside, onReading: () => undefined, backoffMs: 20, silenceMs: 100 });
    stream.start();
    try {
      await until(async () => (await pids()).length >= 2);
      const [first = 0] = await pids();
      await until(async () => !isAlive(first));
    } finally {
      await stream.stop();
    }
    expect((await pids()).some(isAlive)).toBe(false);
  });

  it('adapts to a driver that refuses a field on its standard error', async () => {
    const old = `case "$1" in
*clocks_event_reasons*) echo 'Field "clocks_event_reasons.active" is not a valid field to query.' >&2; exit 2 ;;
*) ${TICK} ;;
esac`;
    const { outside } = await smi('old', old);
    let readings = 0;
    const stream = new NvidiaStream({ outside, onReading: () => readings++, backoffMs: 60_000 });
    stream.start();
    try {
      await until(async () => readings > 0);
    } finally {
      await stream.stop();
    }
  });
});

describe.runIf(process.platform === 'linux')('sampling this machine', () => {
  it('sees CPU and memory, and no process is started without devices', async () => {
    const sampler = new NodeSampler({ outside: systemOutside(), devices: [] });
    sampler.start();
    await sampler.sampleNode();
    const sample = await until(async () => {
      const now = await sampler.sampleNode();
      return now.cpuUtilizationRatio !== null && now;
    });
    await sampler.stop();
    expect(sample.cpuUtilizationRatio).toBeLessThanOrEqual(1);
    expect(sample.memoryUsedBytes).toBeGreaterThan(2 ** 20);
    expect(sample.devices).toEqual([]);
  });
});
