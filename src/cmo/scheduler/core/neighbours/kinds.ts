/**
 * Jobs of a group by the rules about other jobs that hold for them: their own, which they share, and those of others, by their labels.
 *
 * Labels are no part of a shape, since for nearly all jobs nobody asks. Where a job of the tenant keeps some from where it stands, jobs of one
 * group may stand there or not by their labels, and are refused apart.
 */
import type { Fleet } from '../fleet.ts';
import type { Group } from '../job-group.ts';
import type { JobRecord } from '../job-record.ts';
import type { PendingQueue } from '../pending-queue.ts';
import type { Neighbours } from './neighbours.ts';
import { isMeant, type KeptApart, keptApart, withoutRules } from './rules.ts';
import { Vicinity } from './vicinity.ts';

export interface Kind {
  /** Where they may stand; undefined without rules. */
  readonly vicinity: Vicinity | undefined;
  /** In order. */
  readonly records: readonly JobRecord[];
}

/** Tells what queued jobs will keep from where they stand, before any of them is placed. */
export function expectRules(queue: PendingQueue, neighbours: Neighbours): void {
  for (const group of queue.groups()) {
    const rules = keptApart(group.shape);
    const [first] = rules === undefined ? [] : group.records();
    if (first !== undefined) neighbours.expect(first.facts.tenant, rules!);
  }
}

/** All of one kind, where no other job of the tenant has such rules. */
export function kindsOf(group: Group, fleet: Fleet, neighbours: Neighbours): Kind[] {
  const all = group.records();
  const [first] = all;
  if (first === undefined) return [{ vicinity: undefined, records: all }];
  // Jobs of a group with rules of their own are of one tenant, and of one array if they are tasks.
  const { tenant, array } = first.facts;
  return byRules(all, neighbours.keeping(tenant)).map(({ kept, records }) => {
    const rules = group.shape.neighbours ?? (kept.length === 0 ? undefined : withoutRules(group.shape));
    return { vicinity: rules && new Vicinity(fleet, neighbours, rules, tenant, array, kept), records };
  });
}

function byRules(records: readonly JobRecord[], rules: readonly KeptApart[]) {
  if (rules.length === 0) return [{ kept: rules, records }];
  const kinds = new Map<string, { kept: readonly KeptApart[]; records: JobRecord[] }>();
  for (const record of records) {
    const numbers: number[] = [];
    const { labels } = record.facts;
    if (labels !== undefined) {
      for (let i = 0; i < rules.length; i += 1) if (isMeant(rules[i]!.jobs, labels)) numbers.push(i);
    }
    const key = numbers.join(' ');
    const known = kinds.get(key);
    if (known !== undefined) known.records.push(record);
    else kinds.set(key, { kept: numbers.map((i) => rules[i]!), records: [record] });
  }
  return [...kinds.values()];
}
