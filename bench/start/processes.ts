/**
 * What processes cost, from /proc: CPU time with that of children that ended meanwhile, and proportional memory, in which
 * what several processes share (PostgreSQL's buffers, the code of Node) counts once.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Words of the command line. */
  readonly command: string;
  /** CPU time of its own and of children that it has waited for, in clock ticks. */
  readonly ticks: number;
}

export interface Selection {
  readonly isRoot: (command: string, pid: number) => boolean;
  /** Children that are counted elsewhere. */
  readonly isOther?: (command: string) => boolean;
}

export interface Cost {
  /** CPU time, seconds. */
  readonly cpuSeconds: number;
  /** Proportional set size, bytes. */
  readonly memoryBytes: number;
  readonly processes: number;
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function allProcesses(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid)) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in brackets may hold anything; the fields behind it are numbers.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid, parent: Number(fields[1]), command, ticks }];
    } catch {
      return [];
    }
  });
}

/** Those that match, with all below them that are not left out. */
function treesOf({ isRoot, isOther }: Selection): Process[] {
  const all = allProcesses().filter((process) => !isOther?.(process.command));
  const found = all.filter(({ command, pid }) => isRoot(command, pid));
  const pids = new Set(found.map(({ pid }) => pid));
  for (let grown = true; grown; ) {
    grown = false;
    for (const process of all) {
      if (pids.has(process.pid) || !pids.has(process.parent)) continue;
      pids.add(process.pid);
      found.push(process);
      grown = true;
    }
  }
  return found;
}

function memoryOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/**
 * What process trees use from now on.
 * @returns asks: the CPU time since this call, and the memory now
 */
export function meter(selection: Selection): () => Cost {
  const ticks = (processes: readonly Process[]) => processes.reduce((sum, process) => sum + process.ticks, 0);
  const before = ticks(treesOf(selection));
  return () => {
    const now = treesOf(selection);
    return {
      cpuSeconds: (ticks(now) - before) / ticksPerSecond,
      memoryBytes: now.reduce((sum, { pid }) => sum + memoryOf(pid), 0),
      processes: now.length,
    };
  };
}
