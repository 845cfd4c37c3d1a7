/** What the parts of the fault simulation know of each other. */
import type { NodeContact } from '../../src/cmo/orchestrator/reconcile.ts';
import type { Random } from '../crash/random.ts';
import type { Coverage } from './coverage.ts';
import type { Invariants } from './invariants.ts';
import type { Command } from './machine.ts';
import type { Protection } from './protections.ts';
import type { SimAttempt } from './rows.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface Counts {
  submitted: number;
  faults: number;
  rounds: number;
  commits: number;
  refused: number;
  crashes: number;
  /** Work that schedulers ended for other work. */
  preempted: number;
  /** Reports of attempts that had ended, which changed nothing. */
  contrary: number;
  /** Writes under an old token, which were refused. */
  fenced: number;
}

export interface Stand {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly coverage: Coverage;
  readonly counts: Counts;
  readonly invariants: Invariants;
  readonly without: ReadonlySet<Protection>;
  /** Ids of attempts that have not ended. */
  readonly openAttempts: ReadonlySet<string>;
  contactOf(nodeId: string): NodeContact;
  /** A queued job came, went or changed: the dirty key of it. */
  jobChanged(jobId: string): void;
  /** Looks at an attempt at this instant; left out: shortly. */
  wake(attemptId: string, at?: number): void;
  /** Puts a command into the rows that a node's gateway reads. */
  command(nodeId: string, command: Command): void;
  /** An attempt has ended: gives back what it held, takes back what was not delivered, in the same transaction. */
  ended(attempt: SimAttempt): Promise<void>;
}
