/** The parts of a fleet in which the ranks of a gang may have to stand together: sites, pods, racks, islands. */
import {
  type DomainLevel,
  type PlacementSpec,
  type TopologyLevel,
  topologyLevels,
} from '../../../common/contract/placement.ts';
import type { Snapshot } from './snapshot.ts';

/** Number of the part of that level in which a node stands; −1 when nobody says, and then it stands in none. */
export function domainOf({ nodes }: Snapshot, level: DomainLevel, row: number): number {
  switch (level) {
    case 'site':
      return nodes.site[row]!;
    case 'pod':
      return nodes.pod[row]!;
    case 'rack':
      return nodes.rack[row]!;
    case 'island':
      return nodes.island[row]!;
    case 'node':
      return row;
  }
}

/** Levels to try for a gang, best first: the one that is preferred, then larger ones up to the one that is required. */
export function levelsOf(placement: PlacementSpec | undefined): readonly TopologyLevel[] {
  const required = placement?.together?.required ?? 'site';
  const from = topologyLevels.indexOf(required);
  const to = topologyLevels.indexOf(placement?.together?.preferred ?? required);
  return topologyLevels.slice(from, Math.max(from, to) + 1).reverse();
}

/** "at one site", "in one rack". */
export const inOne = (level: TopologyLevel) => (level === 'site' ? 'at one site' : `in one ${level}`);
