import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fleet } from '../../../../src/cmo/scheduler/core/fleet.ts';
import { defaultPolicy } from '../../../../src/cmo/scheduler/core/policy.ts';
import type { RunningJob } from '../../../../src/cmo/scheduler/core/running.ts';
import { RunningBook } from '../../../../src/cmo/scheduler/core/running-book.ts';
import { AccountTree } from '../../../../src/cmo/scheduler/core/shares/account.ts';
import { Ledger } from '../../../../src/cmo/scheduler/core/shares/ledger.ts';
import { devices, fleetOf, node, now } from './support/builders.ts';

const running = (id: string, tenant: string, deviceId: string, milli: number): RunningJob => ({
  id,
  tenant,
  project: 'p',
  user: 'u',
  priority: 0,
  ranks: [
    {
      nodeId: deviceId.slice(0, 2),
      cpuMilli: milli,
      memoryBytes: 7,
      diskBytes: 0,
      devices: [{ deviceId, milli }],
    },
  ],
  startedAt: now,
  checkpointAt: null,
  endsAt: null,
  preemptible: true,
  stopping: null,
});

const jobArb = fc.option(
  fc.record({
    tenant: fc.constantFrom('a', 'b'),
    device: fc.constantFrom('n1-d0', 'n1-d1', 'n2-d0', 'gone'),
    milli: fc.integer({ min: 1, max: 1000 }),
  }),
  { nil: null },
);
const changeArb = fc.record({ id: fc.constantFrom('j1', 'j2', 'j3', 'j4'), job: jobArb });

describe('the book of what runs', () => {
  it('charges after any changes what a book that is made anew charges', () => {
    const rows = [
      node('n1', { devices: devices('n1', 2) }),
      node('n2', { devices: devices('n2', 1, { model: 'A100' }) }),
    ];
    const tree = new AccountTree([]);
    const charged = (book: RunningBook, fleet: Fleet) => {
      const ledger = new Ledger(tree, fleet.amounts, defaultPolicy, now);
      book.charge(ledger);
      const accounts = ['a', 'b'].map((id) => {
        const { used, models, jobs } = ledger.account(id);
        return { used: [...used], models: [...models].sort(), jobs };
      });
      return { accounts, holders: book.holders(ledger).map(({ job, ranks }) => ({ job, ranks })) };
    };
    fc.assert(
      fc.property(fc.array(changeArb, { maxLength: 20 }), (changes) => {
        const fleet = new Fleet(fleetOf(rows));
        const book = new RunningBook(fleet, tree);
        const left = new Map<string, RunningJob>();
        for (const { id, job } of changes) {
          const next = job === null ? null : running(id, job.tenant, job.device, job.milli);
          book.set(id, next);
          if (next === null) left.delete(id);
          else left.set(id, next);
        }
        const after = new Fleet({ ...fleetOf(rows), running: [...left.values()] });
        expect(charged(book, fleet)).toEqual(charged(new RunningBook(after, tree), after));
      }),
      { numRuns: 200 },
    );
  });
});
