/** What jobs ask for: a hundred and more kinds at once. */
import { shapeOf } from '../../src/cmo/scheduler/core/shape.ts';
import type { Shape } from '../../src/cmo/scheduler/core/snapshot.ts';
import { type JobSpec, type JobSpecInput, jobSpecSchema } from '../../src/common/contract/job-spec.ts';

type Wanted = Omit<JobSpecInput, 'name' | 'command'>;

const specOf = (spec: Wanted): JobSpec => jobSpecSchema.parse({ name: 'job', command: 'true', ...spec });

/** The shape of a job as it is submitted. */
export const shape = (spec: Wanted): Shape => shapeOf(specOf(spec));

const models = [undefined, 'H100', 'A100', 'L4', 'T4'];

/** 120 kinds: shares of devices, whole ones, several, gangs, and work without devices; each with cpu and memory to match. */
export const mixedShapes = (): Shape[] => mixedSpecs().map(shapeOf);

/** The same as specs. */
export function mixedSpecs(): JobSpec[] {
  const found: JobSpec[] = [];
  for (const model of models) {
    const of = model === undefined ? {} : { model };
    for (const cpu of [1, 2, 4]) {
      for (const fraction of [0.2, 0.25, 0.5]) {
        found.push(specOf({ resources: { cpu, memory: `${4 * cpu}GiB`, devices: [{ ...of, fraction }] } }));
      }
      for (const count of [1, 2, 4].slice(0, model === 'T4' ? 2 : 3)) {
        const wanted = { cpu: 2 * cpu * count, memory: `${16 * count}GiB` };
        found.push(specOf({ resources: { ...wanted, devices: [{ ...of, count }] } }));
      }
    }
    found.push(specOf({ resources: { cpu: 8, memory: '32GiB', nodes: 2, devices: [{ ...of, count: 2 }] } }));
  }
  for (let i = 1; i <= 31; i += 1) found.push(specOf({ resources: { cpu: i / 2, memory: `${i}GiB` } }));
  return found;
}
