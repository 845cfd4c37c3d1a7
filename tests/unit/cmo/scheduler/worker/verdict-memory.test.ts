import { expect, it } from 'vitest';
import { JobRecord } from '../../../../../src/cmo/scheduler/core/job-record.ts';
import type { VerdictGroup } from '../../../../../src/cmo/scheduler/core/schedule.ts';
import { Stretch } from '../../../../../src/cmo/scheduler/core/stretch.ts';
import { VerdictMemory } from '../../../../../src/cmo/scheduler/worker/verdict-memory.ts';
import { job } from '../support/builders.ts';

/** A job that is told something each time, and what of it was written. */
function told(memory: VerdictMemory) {
  const { id, ...facts } = job('job_a');
  const jobs = new Stretch([new JobRecord(facts, { reason: 'new', message: '', at: 0 }, [id])]);
  let asked = 0;
  const tell = (message: string, atSeconds: number, reason: VerdictGroup['reason'] = 'insufficient_capacity') => {
    const detail = () => {
      asked += 1;
      return { message };
    };
    return memory.changed([{ jobs, reason, detail }], 1e12 + 1000 * atSeconds).map((one) => one.detail.message);
  };
  return { tell, asked: () => asked };
}

it('writes a new sentence of the same reason after half a minute, and a new reason at once', () => {
  const { tell } = told(new VerdictMemory());
  expect(tell('in 5 min', 0)).toEqual(['in 5 min']);
  expect(tell('in 4 min', 29)).toEqual([]);
  expect(tell('in 4 min', 31)).toEqual(['in 4 min']);
  expect(tell('in 4 min', 70)).toEqual([]);
  expect(tell('behind', 71, 'behind_others')).toEqual(['behind']);
});

it('asks for no new sentence of the same reason where nobody would read it', () => {
  const { tell, asked } = told(new VerdictMemory(Number.POSITIVE_INFINITY));
  expect(tell('in 5 min', 0)).toEqual(['in 5 min']);
  expect(tell('in 4 min', 1e6)).toEqual([]);
  expect(asked()).toBe(1);
  expect(tell('behind', 1e6, 'behind_others')).toEqual(['behind']);
});
