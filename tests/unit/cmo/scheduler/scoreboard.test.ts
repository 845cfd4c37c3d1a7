import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explain } from '../../../../src/cmo/scheduler/core/explain.ts';
import { Fleet } from '../../../../src/cmo/scheduler/core/fleet.ts';
import { compileShape } from '../../../../src/cmo/scheduler/core/request.ts';
import type { NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { Scoreboard } from '../../../../src/cmo/scheduler/core/scoreboard.ts';
import type { Snapshot } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { SnapshotStore } from '../../../../src/cmo/scheduler/state/snapshot-store.ts';
import { devices, job, node, type SpecInput, site } from './support/builders.ts';

const specs: readonly SpecInput[] = [
  { resources: { cpu: 2 } },
  { resources: { cpu: 1, devices: [{}] } },
  { resources: { cpu: 1, devices: [{ model: 'A100', fraction: 0.5 }] } },
  { resources: { cpu: 1, nodes: 3, devices: [{ count: 2 }] }, placement: { together: { required: 'rack' } } },
];
const workload = specs.map((spec, i) => ({ kind: job(`w${i}`, spec).shape, weight: 1 + i }));

const nodeCount = 200;
const decision = { policy: 'p', round: 1, decidedAt: 'now' };

/** Another row of a node; what decides is the number. */
function rowOf(which: number, kind: number, id = `n${which}`): NodeRow {
  const model = ['H100', 'A100', undefined][which % 3];
  return node(id, {
    cpuMilli: 16_000,
    usedCpuMilli: 1000 * (kind % 17),
    scheduling: kind % 11 === 0 ? 'cordoned' : 'open',
    presence: kind % 13 === 0 ? 'removed' : 'ready',
    labels: { rack: `r${kind % 5 === 0 ? which % 7 : which % 8}`, pod: 'p' },
    devices: model === undefined ? [] : devices(id, 2, { model, usedMilli: 250 * (kind % 5) }),
    revision: kind,
  });
}

/** All that is asked of a board, as plain values. */
function seenOf(fleet: Fleet, board: Scoreboard) {
  board.sync();
  const chosen = board.choose();
  return {
    chosen,
    top: board.top(30),
    feasible: board.feasibleCount,
    rejections: board.rejections(),
    fitsIdle: board.fitsIdle(),
    capacity: [...board.capacity().usable],
    unkept: board.fitsWithoutReservations(),
    explained: explain(fleet, board, chosen ?? [], decision),
  };
}

/** A board that has followed all changes, against one that is made now. */
function expectCurrent(fleet: Fleet, boards: readonly Scoreboard[]) {
  for (const board of boards) {
    const fresh = new Scoreboard(fleet, compileShape(board.request.shape, fleet.snapshot)[0]!);
    expect(seenOf(fleet, board)).toEqual(seenOf(fleet, fresh));
  }
}

const boardsOf = (fleet: Fleet, snapshot: Snapshot) =>
  specs.map((spec, i) => new Scoreboard(fleet, compileShape(job(`j${i}`, spec).shape, snapshot)[0]!));

function start() {
  const store = new SnapshotStore();
  const rows = Array.from({ length: nodeCount }, (_, i) => rowOf(i, 1 + (i % 4)));
  store.apply({ sites: new Map([['s1', site()]]), nodes: new Map(rows.map((row) => [row.id, row])) });
  store.takeChanged();
  const fleet = new Fleet(store.snapshot, workload);
  return { store, fleet, boards: boardsOf(fleet, store.snapshot) };
}

const changeArb = fc.oneof(
  fc.record({ type: fc.constant('row' as const), which: fc.nat(nodeCount - 1), kind: fc.nat(10_000) }),
  fc.record({ type: fc.constant('replace' as const), which: fc.nat(nodeCount - 1), kind: fc.nat(10_000) }),
  fc.record({ type: fc.constant('keep' as const), which: fc.nat(nodeCount - 1), kind: fc.nat(specs.length - 1) }),
  fc.record({ type: fc.constant('look' as const), which: fc.nat(specs.length - 1), kind: fc.nat(1) }),
);

describe('a board that follows its fleet', () => {
  it('says after any changes what one says that is made anew', () => {
    fc.assert(
      fc.property(fc.array(changeArb, { minLength: 20, maxLength: 120 }), (changes) => {
        const { store, fleet, boards } = start();
        const names = new Map<number, string>();
        for (const [i, { type, which, kind }] of changes.entries()) {
          const name = names.get(which) ?? `n${which}`;
          if (type === 'look') {
            if (kind === 0) expectCurrent(fleet, boards);
            else seenOf(fleet, boards[which]!);
          } else if (type === 'keep') {
            const row = fleet.rowOf(name);
            if (row >= 0) fleet.keep(row, boards[kind]!.request);
          } else {
            const nodes = new Map<string, NodeRow | null>();
            // Another node in its place, which may be like it to the last byte.
            const next = type === 'replace' ? `m${i}` : name;
            if (next !== name) nodes.set(name, null);
            nodes.set(next, rowOf(which, kind, next));
            names.set(which, next);
            store.apply({ sites: new Map(), nodes });
            fleet.refresh(store.snapshot, store.takeChanged());
          }
        }
        expectCurrent(fleet, boards);
      }),
      { numRuns: 60 },
    );
  });

  it('does not take a class for one that had its number before', () => {
    const { store, fleet, boards } = start();
    for (let i = 1; i <= 9000; i += 1) {
      const which = i % nodeCount;
      const row = { ...rowOf(which, 1), usedCpuMilli: i % 3 === 0 ? 15_999 - i / 16 : i / 8 };
      store.apply({ sites: new Map(), nodes: new Map([[row.id, row]]) });
      fleet.refresh(store.snapshot, store.takeChanged());
      if (i % 97 === 0) for (const board of boards) board.sync();
    }
    expectCurrent(fleet, boards);
  });

  it('lists another node by its own name that got the row of one like it', () => {
    const { store, fleet, boards } = start();
    const [board] = boards;
    const first = seenOf(fleet, board!).explained.candidates[0]!.nodeId as string;
    const row = store.snapshot.nodes.ids.indexOf(first);
    const like = { ...rowOf(row, 1 + (row % 4)), id: 'other' };
    store.apply({ sites: new Map(), nodes: new Map([[first, null]]) });
    store.apply({ sites: new Map(), nodes: new Map([['other', like]]) });
    fleet.refresh(store.snapshot, store.takeChanged());
    expect(seenOf(fleet, board!).explained.candidates[0]!.nodeId).toBe('other');
    expect(fleet.rowOf(first)).toBe(-1);
  });
});
