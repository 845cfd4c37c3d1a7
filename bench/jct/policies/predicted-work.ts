/** Ours: least predicted work first, probes, backfill on predicted ends, nobody starves. Everything that decides is the product's code. */
import { Drain, defaultStarvationRule, type StarvationRule } from '../../../src/cmo/scheduler/order/starvation.ts';
import { compareRanks, WorkOrder } from '../../../src/cmo/scheduler/order/work-order.ts';
import { quantileSeconds } from '../../../src/cmo/scheduler/prediction/distribution.ts';
import { RunTimePredictor, type TrackedJob } from '../../../src/cmo/scheduler/prediction/run-time-predictor.ts';
import { binOf } from '../../../src/cmo/scheduler/prediction/time-bins.ts';
import type { SimJob } from '../sim-job.ts';
import type { Policy } from '../simulate.ts';
import { notBefore } from './plain.ts';

interface Followed {
  readonly job: TrackedJob;
  isDue: boolean;
  /** The bin for which `end` was worked out. */
  bin: number;
  end: number;
}

export function predictedWork({
  rule = defaultStarvationRule,
  predictor = new RunTimePredictor(),
}: {
  rule?: StarvationRule;
  predictor?: RunTimePredictor;
} = {}): Policy {
  const workOrder = new WorkOrder(predictor, rule);
  const drain = new Drain(rule);
  const followed = new Map<SimJob, Followed>();
  return {
    name: 'predicted work',
    passing: 'backfill',
    submitted(job) {
      followed.set(job, { job: predictor.submitted(job), isDue: false, bin: -1, end: 0 });
    },
    started(job, now) {
      predictor.started(followed.get(job)!.job, now);
    },
    ended(job, now) {
      predictor.ended(followed.get(job)!.job, now);
      followed.delete(job);
    },
    order(queue, now) {
      const works = queue.map((simJob) => ({
        simJob,
        job: followed.get(simJob)!.job,
        size: simJob.size,
        submittedAt: simJob.submittedAt,
        sequence: simJob.index,
      }));
      const ranks = workOrder.rank(works, now);
      const ranked = works.map((work, i) => ({ ...work, ...ranks[i]! })).sort(compareRanks);
      ranked.forEach(({ simJob, isDue }, i) => {
        followed.get(simJob)!.isDue = isDue;
        queue[i] = simJob;
      });
    },
    endsAt(job, now) {
      const known = followed.get(job)!;
      const elapsed = now - job.startedAt;
      const bin = binOf(elapsed);
      if (known.bin !== bin) {
        known.bin = bin;
        known.end = job.startedAt + quantileSeconds(predictor.distribution(known.job, elapsed), 0.5);
      }
      return notBefore(now, known.end);
    },
    runSeconds: (job, now) => workOrder.backfillSeconds(followed.get(job)!.job, now),
    drains: (first, now) => drain.isOn(first, followed.get(first)!.isDue, now),
  };
}
