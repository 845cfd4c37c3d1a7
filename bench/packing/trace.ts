/**
 * The Alibaba openb trace (cluster-trace-gpu-v2023), made into arrivals by FGD's protocol (Weng et al., ATC'23).
 *
 * The published runs shuffle nodes and pods by seed and fill the list up to a demand of 130 % of the GPUs with clones of random pods
 * (or thin it out). Their shuffles come from Go's generator and are not portable, so only means over seeds compare.
 */
import { readFileSync } from 'node:fs';
import type { Random } from './random.ts';

export interface TraceNode {
  readonly name: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly gpus: number;
  /** Empty without GPUs. */
  readonly model: string;
}

export interface TracePod {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** 0..8 */
  readonly gpus: number;
  /** Thousandths of each GPU, 0..1000; below 1000 only for one GPU. */
  readonly gpuMilli: number;
  /** GPU models that will do, sorted; empty: any. */
  readonly models: readonly string[];
}

/** Reads the node list. @throws Error naming file, line and column of what is no node */
export function readNodes(path: string): TraceNode[] {
  return readRows(path, ['sn', 'cpu_milli', 'memory_mib', 'gpu', 'model']).map((row) => ({
    name: row.text('sn'),
    cpuMilli: row.amount('cpu_milli'),
    memoryMib: row.amount('memory_mib'),
    gpus: row.amount('gpu'),
    model: row.text('model'),
  }));
}

/** Reads a pod list, sorted by name. A list without `gpu_spec` accepts any model. @throws Error naming file, line and column */
export function readPods(path: string): TracePod[] {
  const rows = readRows(path, ['name', 'cpu_milli', 'memory_mib', 'num_gpu', 'gpu_milli']);
  const named = rows.map((row) => ({
    name: row.text('name'),
    pod: {
      cpuMilli: row.amount('cpu_milli'),
      memoryMib: row.amount('memory_mib'),
      gpus: row.amount('num_gpu'),
      gpuMilli: row.amount('num_gpu') === 0 ? 0 : row.amount('gpu_milli'),
      models: row.text('gpu_spec').split('|').filter(Boolean).sort(),
    },
  }));
  return named.sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ pod }) => pod);
}

/** GPU-thousandths that a pod asks for. */
export const gpuMilliOf = (pod: TracePod) => pod.gpus * pod.gpuMilli;

/** GPU-thousandths of a cluster. */
export const capacityOf = (nodes: readonly TraceNode[]) => nodes.reduce((sum, node) => sum + node.gpus * 1000, 0);

/**
 * The pods in the order of their arrival, until their demand is `ratio` of the GPUs (protocol steps 2 and 3).
 * @param capacityMilli GPU-thousandths of the cluster
 */
export function arrivals(pods: readonly TracePod[], capacityMilli: number, ratio: number, random: Random): TracePod[] {
  const list = shuffled(pods, random);
  const wanted = capacityMilli * ratio;
  let total = list.reduce((sum, pod) => sum + gpuMilliOf(pod), 0);
  while (total > wanted) total -= gpuMilliOf(list.splice(random.below(list.length), 1)[0]!);
  for (;;) {
    const pod = pods[random.below(pods.length)]!;
    // As published: the check takes one GPU of the pod, the sum takes all of them.
    if (total + pod.gpuMilli > wanted) return list;
    list.push(pod);
    total += gpuMilliOf(pod);
  }
}

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i -= 1) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

interface Row {
  text(column: string): string;
  amount(column: string): number;
}

/** Rows of a CSV file without quotes. */
function readRows(path: string, required: readonly string[]): Row[] {
  const [head, ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const columns = new Map(head!.split(',').map((name, at) => [name, at]));
  for (const name of required) if (!columns.has(name)) throw new Error(`${path}, line 1: there is no column ${name}`);
  return lines.map((line, i) => {
    const cells = line.split(',');
    const text = (column: string) => cells[columns.get(column) ?? -1]?.trim() ?? '';
    const amount = (column: string) => {
      const value = Number(text(column));
      if (text(column) !== '' && Number.isFinite(value) && value >= 0) return value;
      throw new Error(`${path}, line ${i + 2}: ${column} is "${text(column)}"`);
    };
    return { text, amount };
  });
}
