/** Least predicted work first, ranked anew in each round, with probes and backfill on predicted ends; nobody starves. The predictor is the product's. */

import { quantileSeconds } from '../../../src/cmo/scheduler/prediction/distribution.ts';
import { RunTimePredictor, type TrackedJob } from '../../../src/cmo/scheduler/prediction/run-time-predictor.ts';
import { binOf } from '../../../src/cmo/scheduler/prediction/time-bins.ts';
import { defaultStarvationRule, FirstInLine, type StarvationRule } from '../order/starvation.ts';
import { compareRanks, WorkOrder } from '../order/work-order.ts';
import type { SimJob } from '../sim-job.ts';
import type { Policy } from '../simulate.ts';
import { notBefore } from './plain.ts';

interface Followed {
  readonly job: TrackedJob;
  goesFirst: boolean;
  /** The bin for which `end` was worked out. */
  bin: number;
  end: number;
}

/** @param capacity of the cluster, devices or cores */
export function predictedWork(
  capacity: number,
  {
    rule = defaultStarvationRule,
    predictor = new RunTimePredictor(),
  }: {
    rule?: StarvationRule;
    predictor?: RunTimePredictor;
  } = {},
): Policy {
  const workOrder = new WorkOrder(predictor, rule, capacity);
  const line = new FirstInLine(rule);
  const followed = new Map<SimJob, Followed>();
  return {
    name: 'predicted work',
    passing: 'backfill',
    submitted(job) {
      followed.set(job, { job: predictor.submitted(job), goesFirst: false, bin: -1, end: 0 });
    },
    started(job, now) {
      const known = followed.get(job)!;
      if (known.goesFirst) workOrder.firstStarted({ job: known.job, size: job.size }, now);
      predictor.started(known.job, now);
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
      ranked.forEach(({ simJob, goesFirst }, i) => {
        followed.get(simJob)!.goesFirst = goesFirst;
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
    keepsNodes: (first, now) => line.needsNodesKept(first, followed.get(first)!.goesFirst, now),
  };
}
