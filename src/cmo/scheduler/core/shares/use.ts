/**
 * What a job takes, as accounts count it: amounts for shares, and devices by model for quotas that name one.
 */
import type { Fleet } from '../fleet.ts';
import type { NodeRequest } from '../request.ts';
import type { Shape, Snapshot } from '../snapshot.ts';
import { type Amounts, indexOfCode, indexOfKind, noAmounts, resourceNames } from './resources.ts';

export interface Use {
  readonly amounts: Amounts;
  /** Thousandths of devices by `kind/model` in lower case. */
  readonly models: ReadonlyMap<string, number>;
}

/** `gpu/h100`: how models are written in quotas. */
export const modelClass = (kind: string, model: string): string => `${kind}/${model.toLowerCase()}`;

/** What a job will take at least, wherever it is placed: a model only when it asks for that one and no other. */
export function wantedUse({ resources }: Shape, alternative = 0): Use {
  const { nodes: ranks } = resources;
  const amounts = noAmounts();
  const models = new Map<string, number>();
  amounts[0] = resources.cpuMilli * ranks;
  amounts[1] = resources.memoryBytes * ranks;
  for (const { kind, models: names, count, milli } of resources.deviceAlternatives[alternative]!) {
    const wanted = count * milli * ranks;
    amounts[indexOfKind(kind)]! += wanted;
    const [name, ...others] = names;
    if (name !== undefined && others.length === 0) add(models, modelClass(kind, name), wanted);
  }
  return { amounts, models };
}

/** What it takes on given nodes. `devices` and `milli`: by rank, device rows and thousandths of each. */
export function takenUse(
  { snapshot }: Pick<Fleet, 'snapshot'>,
  { cpuMilli, memoryBytes, ranks }: Pick<NodeRequest, 'cpuMilli' | 'memoryBytes' | 'ranks'>,
  choices: readonly { readonly rows: readonly number[]; readonly milli: readonly number[] }[],
): Use {
  const amounts = noAmounts();
  const models = new Map<string, number>();
  amounts[0] = cpuMilli * ranks;
  amounts[1] = memoryBytes * ranks;
  for (const { rows, milli } of choices) {
    for (const [i, row] of rows.entries()) countDevice(snapshot, row, milli[i]!, amounts, models);
  }
  return { amounts, models };
}

/** Adds a share of a device to what is used. */
export function countDevice(
  { devices, models: names }: Pick<Snapshot, 'devices' | 'models'>,
  row: number,
  milli: number,
  amounts: Amounts,
  models: Map<string, number>,
): void {
  const index = indexOfCode(devices.kind[row]!);
  if (index < 0) return;
  amounts[index]! += milli;
  const name = names[devices.model[row]!];
  if (name !== undefined) add(models, modelClass(resourceNames[index]!, name), milli);
}

function add(map: Map<string, number>, key: string, amount: number): void {
  map.set(key, (map.get(key) ?? 0) + amount);
}
