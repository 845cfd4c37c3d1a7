/** Who stands behind others is told when its own turn comes, and not when the first may start. */
import { describe, expect, it } from 'vitest';
import { schedule } from '../../../../../src/cmo/scheduler/core/schedule.ts';
import type { AccountRow } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import type { PendingJob, Policy } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import { devices, fleetOf, job, node, now, policy, site } from '../support/builders.ts';
import { Cluster } from '../support/cluster.ts';

const gpus = (count: number, more: object = {}) => ({ resources: { devices: [{ count, ...more }] } });
const runTime = (seconds: number, careful = seconds) => ({ likelySeconds: seconds, carefulSeconds: careful });
const minutes = (count: number) => 60 * count;
const young = (id: string, count: number, ago: number, more: Partial<PendingJob> = {}) =>
  job(id, gpus(count), { submittedAt: now - ago, runTime: runTime(minutes(10)), ...more });

/** One node of eight devices, all held for 40 minutes. */
function busy(accounts: readonly AccountRow[] = [], nodes = 1, more: Partial<Policy> = {}): Cluster {
  const fleet = Array.from({ length: nodes }, (_, i) =>
    node(`n${i}`, { cpuMilli: 64_000, devices: devices(`n${i}`, 8) }),
  );
  const cluster = new Cluster(fleet, accounts, more);
  for (let i = 0; i < nodes; i += 1) {
    const run = { tenant: 'runs', runTime: runTime(minutes(40)), submittedAt: now - 9000 };
    cluster.submit({ job: job(`job_run${i}`, gpus(8), run), seconds: minutes(40) });
  }
  cluster.round();
  return cluster;
}

function waits(cluster: Cluster, ...jobs: PendingJob[]) {
  const { pending } = schedule(cluster.snapshot(), jobs, cluster.policy, cluster.now);
  return new Map(
    pending.map(({ jobId, detail: { message, expectedAt } }) => [
      jobId as string,
      { message, minutes: expectedAt === undefined ? undefined : (Date.parse(expectedAt) - now) / 60_000 },
    ]),
  );
}

describe('jobs of one queue', () => {
  it('are expected one after the other, as long as those before them run', () => {
    const told = waits(busy(), young('job_a', 8, 3), young('job_b', 8, 2), young('job_c', 8, 1));
    expect([...told.values()].map((one) => one.minutes)).toEqual([40, 50, 60]);
    expect(told.get('job_a')!.message).toContain('Expected in about 40 min on n0');
    expect(told.get('job_b')!.message).toContain('1 job for the same goes before it; expected in about 50 min.');
    expect(told.get('job_c')!.message).toContain('2 jobs for the same go before it; expected in about 60 min.');
  });

  it('have their place beside the words, by the turns of accounts, and none beyond what is played', () => {
    const cluster = busy([{ id: 't2', parent: null, weight: 1 }]);
    const jobs = [young('job_a', 8, 30), young('job_b', 8, 20), young('job_c', 8, 10, { tenant: 't2' })];
    const aheadOf = (...waiting: PendingJob[]) => {
      const { pending } = schedule(cluster.snapshot(), waiting, cluster.policy, cluster.now);
      return new Map(pending.map(({ jobId, detail }) => [jobId as string, detail.ahead]));
    };
    expect(aheadOf(...jobs)).toEqual(
      new Map([
        ['job_a', 0],
        ['job_b', 2],
        ['job_c', 1],
      ]),
    );
    const many = aheadOf(...Array.from({ length: 130 }, (_, i) => young(`job_${1000 + i}`, 8, 1000 - i)));
    expect([many.get('job_1000'), many.get('job_1099'), many.get('job_1129')]).toEqual([0, 99, undefined]);
    // For the first nodes are kept, and it is the first all the same.
    expect(aheadOf(young('job_old', 8, 3_600_000_000), ...jobs).get('job_old')).toBe(0);
  });

  it('start when that was foreseen', () => {
    const cluster = busy();
    const all = Array.from({ length: 12 }, (_, i) => young(`job_${String(i).padStart(2, '0')}`, 3, 100 - i));
    const told = waits(cluster, ...all);
    cluster.submit(...all.map((one) => ({ job: one, seconds: minutes(10) })));
    for (let minute = 0; minute <= 120; minute += 1) {
      cluster.round();
      cluster.pass(60);
    }
    for (const { id } of all) {
      expect((cluster.startedAt.get(id)! - now) / 60_000, id).toBe(told.get(id)!.minutes);
    }
  });

  it('count by what they leave unusable: of eight devices five take all', () => {
    const told = waits(busy([], 2), young('job_a', 5, 3), young('job_b', 5, 2), young('job_c', 5, 1));
    expect([...told.values()].map((one) => one.minutes)).toEqual([40, 40, 50]);
  });

  it('say how late it becomes when those before them run long', () => {
    const long = { runTime: runTime(minutes(10), minutes(60)) };
    const told = waits(busy(), young('job_a', 8, 3, long), young('job_b', 8, 2, long));
    expect(told.get('job_b')!.message).toContain('expected in about 50 min, 100 min if they run long.');
  });

  it('are told nothing that nobody knows', () => {
    const { runTime: _, ...unknown } = young('job_a', 8, 3);
    const told = waits(busy([], 1, { order: 'arrival' }), unknown, young('job_b', 8, 2));
    expect(told.get('job_a')!.minutes).toBe(40);
    expect(told.get('job_b')!.minutes).toBeUndefined();
    expect(told.get('job_b')!.message).toContain('1 job for the same goes before it; when it starts is not foreseen.');
  });

  it('do not wait for those that want something else', () => {
    const cores = job('job_c', { resources: { cpu: 64 } }, { submittedAt: now - 1, runTime: runTime(60) });
    const told = waits(busy(), young('job_a', 8, 3), young('job_b', 8, 2), cores);
    expect(told.get('job_c')!.minutes).toBe(40);
  });

  it('take turns between accounts as rounds will', () => {
    const of = (tenant: string, i: number) => young(`job_${tenant}${i}`, 8, 100 - i, { tenant });
    const many = Array.from({ length: 9 }, (_, i) => of('many', i));
    const told = waits(busy(), ...many, of('few', 20));
    expect(told.get('job_few20')!.minutes).toBe(50);
    expect(told.get('job_many1')!.minutes).toBe(60);
  });

  it('far behind are told how many go before at least, and that they start no sooner than those', () => {
    const told = waits(busy(), ...Array.from({ length: 300 }, (_, i) => young(`job_${1000 + i}`, 8, 1000 - i)));
    const { message, minutes: when } = told.get('job_1299')!;
    expect(message).toContain('More than 100 jobs for the same go before it; it hardly starts before in about 17 h.');
    expect(when).toBeUndefined();
  });

  it('are behind those for whom nodes are kept, though their turn came before', () => {
    const long = { runTime: runTime(minutes(600)) };
    const hours = (count: number) => 3_600_000 * count;
    const told = waits(busy(), young('job_a', 8, hours(3), long), young('job_b', 8, hours(2)));
    expect(told.get('job_b')!.message).toContain('Kept for it from then on.');
    expect(told.get('job_a')!.message).toContain('1 job for the same goes before it; expected in about 50 min.');
  });

  it('are told what the first is where more runs than a round can look at', () => {
    const cluster = busy();
    const snapshot = cluster.snapshot();
    const [one] = snapshot.running!;
    const told = (count: number) => {
      const idle = Array.from({ length: count }, (_, i) => ({ ...one!, id: `job_idle${i}`, ranks: [] }));
      const jobs = [young('job_a', 8, 3), young('job_b', 8, 2)];
      const running = [...snapshot.running!, ...idle];
      return schedule({ ...snapshot, running }, jobs, cluster.policy, cluster.now).pending[1]!.detail.message;
    };
    expect(told(100)).toContain('1 job for the same goes before it');
    expect(told(20_001)).toContain('Expected in about 40 min on n0');
  });

  it('count what the round itself has placed', () => {
    const cluster = new Cluster([node('n0', { cpuMilli: 64_000, devices: devices('n0', 8) })]);
    const told = waits(cluster, young('job_a', 8, 3), young('job_b', 8, 2), young('job_c', 8, 1));
    expect(told.has('job_a')).toBe(false);
    expect(told.get('job_c')!.minutes).toBe(20);
  });
});

describe('nodes in sentences', () => {
  it('have the names that people gave them, and their site where there are several', () => {
    const told = (name: string | undefined, sites: ReturnType<typeof site>[]) => {
      const named = node('node_x', { cpuMilli: 64_000, ...(name !== undefined && { name }) });
      const rank = { nodeId: 'node_x', cpuMilli: 64_000, memoryBytes: 0, diskBytes: 0, devices: [] };
      const { shape, notBefore, notBeforeReason, ...more } = job('job_r');
      const running = {
        ...more,
        user: '',
        ranks: [rank],
        startedAt: now,
        endsAt: now + 600_000,
        checkpointAt: null,
        preemptible: false,
        stopping: null,
      };
      const full = fleetOf([{ ...named, usedCpuMilli: 64_000 }], sites);
      const { pending } = schedule({ ...full, running: [running] }, [job('job_a')], policy(), now);
      return pending[0]!.detail.message;
    };
    expect(told('gpu-17', [site()])).toContain('Expected in about 10 min on gpu-17, when job_r ends.');
    expect(told(undefined, [site()])).toContain('on node_x, when job_r ends.');
    const two = [site('s1', { labels: { name: 'fra' } }), site('s2')];
    expect(told('gpu-17', two)).toContain('on gpu-17 at fra, when job_r ends.');
  });
});
