/** Least work first keeps what was promised: through the running scheduler's own engine, in virtual time. */
import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../../../src/cmo/scheduler/core/policy.ts';
import type { Policy } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import type { JobTraits } from '../../../../src/cmo/scheduler/job-traits.ts';
import { jobsOf, readCluster, simulate } from '../../../../src/cmo/scheduler/simulation/index.ts';
import { RoundEngine, type RoundRecord } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import { devices, job as made, node, now, policy, site } from './support/builders.ts';

/** Two nodes of four devices. */
const cluster = readCluster({ sites: [{ name: 's', nodes: [{ count: 2, cpu: 8, devices: { count: 4 } }] }] });

/** A job, its limit being what it runs. */
const job = (submittedAt: number, size: number, runSeconds: number) => ({
  id: `${submittedAt} ${size} ${runSeconds}`,
  submittedAt,
  runSeconds,
  size,
  estimateSeconds: runSeconds,
  user: '',
  name: '',
});
/** More short work of one device than the fleet does: eight at a time, each for five minutes, one every half a minute. */
const flood = Array.from({ length: 1500 }, (_, i) => job(30 * i, 1, 300));

/** When a job starts that comes with the flood, seconds after it came. */
async function waitOf(one: ReturnType<typeof job>, more: Partial<Policy> = {}): Promise<number> {
  const traces = [...flood, one].sort((a, b) => a.submittedAt - b.submittedAt);
  const jobs = jobsOf(traces, 'device', cluster);
  const { outcomes } = await simulate({ cluster, jobs, policy: { ...defaultPolicy, ...more }, seed: 1 });
  return outcomes[traces.indexOf(one)]!.lastStart - one.submittedAt;
}

describe('least work first, while more short work comes than fits', () => {
  it('starts a gang when it was told to, once nodes are kept for it', async () => {
    // Its turn would come after 48,000 s; after ten times its run time nodes are kept for it, and what runs there ends in 300 s.
    const gang = job(1, 8, 600);
    const wait = await waitOf(gang);
    expect(wait).toBeGreaterThanOrEqual(6000);
    expect(wait).toBeLessThanOrEqual(6000 + 2 * 300);
  });

  it('lets nobody who comes after its turn go before a job, though no nodes are kept', async () => {
    // Its turn is after 20,000 s, that of each of the flood after 3,000: what comes in the 17,000 s after it goes before it, and nothing later.
    const first = 3000;
    const wait = await waitOf(job(first, 1, 2000), { maxReservations: 0 });
    expect(wait).toBeGreaterThan(17_000);
    const before = (first + 17_000) / 30;
    expect(wait).toBeLessThanOrEqual((before * 300) / 8 - first + 300);
  });
});

describe('a promised start', () => {
  it('stands when the row of the job is written again, and is part of a recorded round', () => {
    const engine = new RoundEngine();
    const queued = (id: string, count: number, runSeconds: number, revision: bigint) => {
      const job = made(id, { resources: { devices: [{ count }] } }, { submittedAt: now - 7_200_000, revision });
      const traits: JobTraits = { user: 'u', name: id, size: count, runSeconds };
      return [id, { job, reason: 'new', traits }] as const;
    };
    const nodes = [['n1', node('n1', { devices: devices('n1', 4) })]] as const;
    engine.apply({ now, sites: [['s1', site()]], nodes });
    engine.apply({ now, jobs: [queued('job_1', 3, 400, 1n), queued('job_2', 4, 600, 1n)] });
    const since: (number | undefined)[] = [];
    const look = ({ jobs }: RoundRecord) => since.push(jobs.find(({ id }) => id === 'job_2')?.keptSince);
    engine.run(policy(), now, look);
    engine.settle({ committed: ['job_1'], refused: [], unknown: [] });
    engine.run(policy(), now + 1000, look);
    engine.apply({ now: now + 2000, jobs: [queued('job_2', 4, 600, 2n)] });
    engine.run(policy(), now + 2000, look);
    expect(since).toEqual([undefined, now, now]);
  });
});
