/**
 * How the GPUs of a node reach each other: the matrix of `nvidia-smi topo -m`.
 *
 * The header may carry terminal escapes (it is underlined), columns are tabs or blanks, and NIC columns stand
 * between GPUs and affinities. Cells have no blanks inside, so counting columns of the header is enough.
 */
import type { PeerLink } from '../device.ts';
import { integerIn, SMALL_INDEX } from '../reading.ts';

export type Topology = {
  /** GPU index → what its row says of each other GPU. */
  links: ReadonlyMap<number, readonly { to: number; link: PeerLink; links: number }[]>;
  /** GPU index → NUMA node. */
  numaNodes: ReadonlyMap<number, number>;
};

const PATHS: Record<string, PeerLink> = { PIX: 'pix', PXB: 'pxb', PHB: 'phb', NODE: 'node', SYS: 'sys', SOC: 'sys' };

/** Parses the matrix; text that is none gives an empty topology. */
export function topologyOf(text: string): Topology {
  const links = new Map<number, { to: number; link: PeerLink; links: number }[]>();
  const numaNodes = new Map<number, number>();
  const lines = text
    .replace(/\p{Cc}\[[0-9;]*m/gu, '')
    .split('\n')
    .slice(0, 512);
  const header = lines.find((line) => /^\s*GPU\d+\s/.test(line) && line.includes('CPU Affinity'));
  const columns = header?.trim().split('CPU Affinity')[0]?.trim().split(/\s+/) ?? [];
  for (const line of lines) {
    const cells = line.trim().split(/\s+/);
    const from = gpuIndex(cells[0] ?? '');
    if (line === header || from === null || cells.length <= columns.length) continue;
    const row: { to: number; link: PeerLink; links: number }[] = [];
    columns.forEach((column, at) => {
      const to = gpuIndex(column);
      const link = linkOf(cells[at + 1] ?? '');
      if (to !== null && to !== from && link !== null) row.push({ to, ...link });
    });
    links.set(from, row);
    const numa = integerIn(cells[columns.length + 2], SMALL_INDEX);
    if (numa !== null) numaNodes.set(from, numa);
  }
  return { links, numaNodes };
}

function gpuIndex(cell: string): number | null {
  return integerIn(/^GPU(\d{1,4})$/.exec(cell)?.[1], SMALL_INDEX);
}

function linkOf(cell: string): { link: PeerLink; links: number } | null {
  const bonded = integerIn(/^NV(\d{1,2})$/.exec(cell)?.[1], [1, 64]);
  if (bonded !== null) return { link: 'nvlink', links: bonded };
  const link = PATHS[cell];
  return link === undefined ? null : { link, links: 0 };
}
