import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldReports, type ReportRow } from '../../../../src/cmo/orchestrator/backends/agent/fold-reports.ts';
import type { RankObservation } from '../../../../src/cmo/orchestrator/backends/backend.ts';
import { nextStep, successorMarginMs } from '../../../../src/cmo/orchestrator/reconcile.ts';
import { at, ModelAttempt } from './support/model.ts';

const stopAfter = 60;
const endings = {
  success: { reason: 'exited', exitCode: 0, signal: null, message: null },
  'exit-1': { reason: 'exited', exitCode: 1, signal: null, message: 'exit 1' },
  'out-of-memory': { reason: 'out-of-memory', exitCode: null, signal: 'SIGKILL', message: 'memory' },
  stopped: { reason: 'stopped', exitCode: null, signal: 'SIGTERM', message: null },
  'start-failed': { reason: 'start-failed', exitCode: null, signal: null, message: 'no' },
} as const;
const ending = fc.constantFrom(...(Object.keys(endings) as (keyof typeof endings)[]));

const event = fc.oneof(
  fc.record({ kind: fc.constant('time' as const), seconds: fc.integer({ min: 0, max: 100 }) }),
  fc.record({ kind: fc.constant('cancel' as const) }),
  fc.record({
    kind: fc.constant('report' as const),
    rank: fc.nat(2),
    state: fc.constantFrom('starting' as const, 'running' as const, 'ended' as const, 'unknown' as const),
    end: ending,
  }),
  fc.record({
    kind: fc.constant('contact' as const),
    rank: fc.nat(2),
    presence: fc.constantFrom('ready' as const, 'lost' as const, 'removed' as const),
  }),
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

function apply(model: ModelAttempt, what: Event): void {
  const nodeId = 'rank' in what ? `node-${what.rank}` : '';
  switch (what.kind) {
    case 'time':
      model.now += what.seconds;
      // Nodes that are there are heard.
      for (const [id, contact] of model.contact) {
        if (contact.presence === 'ready') model.contact.set(id, { ...contact, lastAckedAt: at(model.now) });
      }
      return;
    case 'cancel':
      model.cancel();
      return;
    case 'report':
      model.hear([observation(what.rank, what.state, what.end, model.now)]);
      return;
    case 'contact': {
      const known = model.contact.get(nodeId);
      if (!known || known.presence === 'removed') return;
      const heard = what.presence === 'ready' ? at(model.now) : known.lastAckedAt;
      model.contact.set(nodeId, { presence: what.presence, lastAckedAt: heard });
    }
  }
}

function observation(
  rank: number,
  state: RankObservation['state'],
  end: keyof typeof endings,
  now: number,
): RankObservation {
  return {
    attemptId: 'att',
    token: 1n,
    rank,
    state,
    ...(state === 'running' && { startedAt: at(now) }),
    ...(state === 'ended' && { end: endings[end], endedAt: at(now) }),
  };
}

const history = fc.record({
  ranks: fc.integer({ min: 1, max: 3 }),
  keep: fc.boolean(),
  events: fc.array(event, { maxLength: 40 }),
});

function live({ ranks, keep, events }: { ranks: number; keep: boolean; events: readonly Event[] }): ModelAttempt {
  const model = new ModelAttempt(ranks, keep ? 'keep' : { stopAfter });
  model.look();
  for (const what of events) {
    apply(model, what);
    model.look();
  }
  return model;
}

describe('over any history of reports, contact, cancellation and time', () => {
  it('no transition is illegal and every look settles', () => {
    fc.assert(
      fc.property(history, (given) => {
        live(given);
      }),
      { numRuns: 500 },
    );
  });

  it('a rank that did not report its end is taken for dead only by its node being powered off or its time being over', () => {
    fc.assert(
      fc.property(history, (given) => {
        const { ended, now } = live(given);
        if (!ended || ended.seen.attempt.state === 'placed') return;
        for (const rank of ended.seen.ranks) {
          if (rank.state === 'ended') continue;
          const contact = ended.seen.contact.get(rank.node_id)!;
          if (contact.presence === 'removed') continue;
          expect(given.keep).toBe(false);
          expect(contact.presence).toBe('lost');
          const since = Math.max(contact.lastAckedAt!.getTime(), ended.seen.attempt.starting_at!.getTime());
          expect(at(now).getTime()).toBeGreaterThanOrEqual(since + stopAfter * 1000 + 30_000);
        }
      }),
      { numRuns: 500 },
    );
    expect(successorMarginMs).toBe(30_000);
  });

  it('every path ends once the ranks report their ends, or time passes without contact', () => {
    fc.assert(
      fc.property(history, fc.boolean(), (given, reported) => {
        const model = live({ ...given, keep: false });
        if (reported) model.hear(model.ranks.map(({ rank }) => observation(rank, 'ended', 'stopped', model.now)));
        else {
          for (const [id, contact] of model.contact) model.contact.set(id, { ...contact, presence: 'lost' });
          model.look();
          model.now += 1_000_000;
        }
        model.look();
        expect(model.state).toBe('ended');
      }),
      { numRuns: 300 },
    );
  });

  it('an ended attempt never changes again', () => {
    fc.assert(
      fc.property(history, fc.array(event, { maxLength: 10 }), (given, later) => {
        const model = live(given);
        const { ended } = model;
        if (!ended) return;
        for (const what of later) {
          apply(model, what);
          model.look();
        }
        expect(model.ended).toBe(ended);
      }),
      { numRuns: 200 },
    );
  });

  it('looking twice is looking once', () => {
    fc.assert(
      fc.property(history, (given) => {
        const model = live(given);
        const before = JSON.stringify([model.state, model.ranks]);
        model.look();
        expect(JSON.stringify([model.state, model.ranks])).toBe(before);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the order of reports', () => {
  const lives = fc.array(
    fc.record({ start: fc.integer({ min: 2, max: 50 }), ran: fc.integer({ min: 0, max: 500 }), end: ending }),
    { minLength: 1, maxLength: 3 },
  );

  /** All reports that the ranks of an attempt make. */
  function reportsOf(ranks: readonly { start: number; ran: number; end: keyof typeof endings }[]): ReportRow[] {
    return ranks.flatMap(({ start, ran, end }, rank) => {
      const common = { attemptId: 'att', rank, token: '1' };
      const states = [
        { ...common, state: 'starting' as const, at: at(2).toISOString() },
        { ...common, state: 'running' as const, at: at(start).toISOString() },
        { ...common, state: 'ended' as const, at: at(start + ran).toISOString(), ranSeconds: ran, end: endings[end] },
      ];
      const made = end === 'start-failed' ? [states[0]!, { ...states[2]!, ranSeconds: undefined }] : states;
      return made.map(
        (body) => ({ attempt_id: 'att', rank, token: 1n, id: 0n, received_at: at(1000), body }) as ReportRow,
      );
    });
  }

  /** Delivers reports in portions; after each, everything that came so far is folded, as the table holds it. */
  function deliver(reports: readonly ReportRow[], portions: readonly number[]): unknown {
    const model = new ModelAttempt(Math.max(...reports.map(({ rank }) => rank)) + 1, 'keep');
    model.look();
    model.now = 1000;
    const came = reports.map((report, index) => ({ ...report, id: BigInt(index + 1) }));
    let upTo = 0;
    for (const size of [...portions, came.length]) {
      upTo += size;
      model.hear(foldReports(came.slice(0, upTo)));
      model.look();
    }
    return model.ended?.step.end;
  }

  it('decides neither the outcome nor the times', () => {
    const shuffled = lives.chain((ranks) => {
      const reports = reportsOf(ranks);
      return fc.record({
        reports: fc.constant(reports),
        order: fc.shuffledSubarray(reports, { minLength: reports.length }),
        doubled: fc.subarray(reports),
        portions: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 6 }),
      });
    });
    fc.assert(
      fc.property(shuffled, ({ reports, order, doubled, portions }) => {
        const expected = deliver(reports, []);
        expect(expected).toBeDefined();
        expect(deliver([...order, ...doubled], portions)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a step', () => {
  it('is the same for the same view and instant', () => {
    const model = new ModelAttempt(2, { stopAfter });
    const seen = {
      attempt: { state: 'placed', state_before_unknown: null, stop_reason: null, starting_at: null, placed_at: at(0) },
      job: { state: 'starting', stop_reason: null, spec: { onDisconnect: { stopAfter } } },
      ranks: model.ranks,
      contact: model.contact,
      selfFencing: true,
    } as const;
    expect(nextStep(seen, at(1))).toEqual(nextStep(seen, at(1)));
  });
});
