/**
 * What holds capacity now, as rows of the snapshot's nodes and devices: whose it is, when it ends, what ending it would cost.
 *
 * Rows name nodes and devices by id; a round looks them up once. What stands on a node that is gone counts for its account by cores
 * and memory only, since nobody knows its devices any more.
 */
import type { RankPlacement } from '../../../common/contract/plan.ts';
import type { StopReason } from '../../../common/contract/states/job.ts';
import type { Fleet } from './fleet.ts';
import type { KeptApart } from './neighbours/rules.ts';
import type { Owner } from './shares/account.ts';
import type { Account } from './shares/ledger.ts';
import { type Amounts, noAmounts } from './shares/resources.ts';
import { countDevice, type Use } from './shares/use.ts';
import type { Snapshot } from './snapshot.ts';

type Plain<T> = { readonly [K in keyof T]: T[K] extends string ? string : T[K] };

export interface RunningJob extends Owner {
  /** Id of the job. */
  readonly id: string;
  readonly priority: number;
  /** In rank order. */
  readonly ranks: readonly RunningRank[];
  /** When its attempt was placed, epoch milliseconds. */
  readonly startedAt: number;
  /** When its last checkpoint was written, epoch milliseconds; null without one in this attempt. */
  readonly checkpointAt: number | null;
  /** By when it has hardly ever not ended (a quantile of its prediction, or its time limit), epoch milliseconds; null: nobody knows. */
  readonly endsAt: number | null;
  /** Whether it may be ended for others. */
  readonly preemptible: boolean;
  /** As those of `PendingJob`. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly array?: string;
  /** What it keeps from the part where it stands; left out: nothing. */
  readonly apart?: readonly KeptApart[];
  /** Why it is being ended already, so that what it holds comes back soon; null: it is not. */
  readonly stopping: StopReason | null;
}

export interface RunningRank extends Omit<Plain<RankPlacement>, 'devices'> {
  readonly devices: readonly { readonly deviceId: string; readonly milli: number }[];
}

/** A rank on the rows of the snapshot. */
export interface HeldRank {
  /** −1 when the node is gone. */
  readonly row: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Device rows, and thousandths of each. */
  readonly devices: readonly number[];
  readonly milli: readonly number[];
}

export interface Holder {
  readonly job: RunningJob;
  readonly account: Account;
  readonly use: Use;
  readonly ranks: readonly HeldRank[];
}

/** Finds what a job holds in the fleet's rows. */
export function heldRanks(fleet: Pick<Fleet, 'snapshot' | 'rowOf'>, { ranks }: RunningJob): HeldRank[] {
  return ranks.map((rank) => heldRank(fleet.snapshot, fleet.rowOf(rank.nodeId), rank));
}

function heldRank(snapshot: Snapshot, row: number, rank: RunningRank): HeldRank {
  const { cpuMilli, memoryBytes, diskBytes } = rank;
  const devices: number[] = [];
  const milli: number[] = [];
  if (row >= 0 && rank.devices.length > 0) {
    const start = snapshot.nodes.deviceStart[row]!;
    const end = start + snapshot.nodes.deviceCount[row]!;
    for (const share of rank.devices) {
      for (let device = start; device < end; device += 1) {
        if (snapshot.devices.ids[device] !== share.deviceId) continue;
        devices.push(device);
        milli.push(share.milli);
      }
    }
  }
  return { row, cpuMilli, memoryBytes, diskBytes, devices, milli };
}

/** What ranks hold, as accounts count it. */
export function heldUse(snapshot: Snapshot, ranks: readonly HeldRank[]): Use {
  const use = { amounts: noAmounts(), models: new Map<string, number>() };
  countRanks(snapshot, ranks, 1, use);
  return use;
}

/** Adds what ranks hold to a sum, or (`times` −1) takes it away again. */
export function countRanks(
  snapshot: Snapshot,
  ranks: readonly HeldRank[],
  times: 1 | -1,
  { amounts, models }: { readonly amounts: Amounts; readonly models: Map<string, number> },
): void {
  for (const { cpuMilli, memoryBytes, devices, milli } of ranks) {
    amounts[0]! += times * cpuMilli;
    amounts[1]! += times * memoryBytes;
    for (let i = 0; i < devices.length; i += 1) {
      countDevice(snapshot, devices[i]!, times * milli[i]!, amounts, models);
    }
  }
}
