/** The reference: every node looked at for every decision, nothing remembered; the least score wins, the first row of equals. */
import { fitNode } from '../../src/cmo/scheduler/core/fit.ts';
import { Fleet } from '../../src/cmo/scheduler/core/fleet.ts';
import { compileShape } from '../../src/cmo/scheduler/core/request.ts';
import type { Shape, Snapshot } from '../../src/cmo/scheduler/core/snapshot.ts';

/** Ids of the nodes that a job alone in the queue should get, best first; undefined when it fits nowhere. For one site. */
export function bestNodes(snapshot: Snapshot, shape: Shape): string[] | undefined {
  const fleet = new Fleet(snapshot, snapshot.workload);
  for (const request of compileShape(shape, snapshot)) {
    const found: { readonly row: number; readonly score: number }[] = [];
    for (let row = 0; row < snapshot.nodes.length; row += 1) {
      const score = fitNode(fleet, request, row);
      if (score >= 0) found.push({ row, score });
    }
    if (found.length < request.ranks) continue;
    found.sort((a, b) => a.score - b.score || a.row - b.row);
    return found.slice(0, request.ranks).map(({ row }) => snapshot.nodes.ids[row]!);
  }
  return undefined;
}
