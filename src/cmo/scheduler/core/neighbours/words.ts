/** Rules about other jobs in sentences, which name only what the job's own spec names. */
import type { DomainLevel } from '../../../../common/contract/placement.ts';
import type { Capacity } from '../capacity.ts';
import { domainOf } from '../domains.ts';
import type { Fleet } from '../fleet.ts';
import { countOf } from '../words.ts';
import type { Judged } from './judged.ts';
import type { WantedLabels } from './rules.ts';
import type { Vicinity } from './vicinity.ts';

/** "app=cache and tier=a or b". */
export const labelsOf = (jobs: WantedLabels): string =>
  Object.entries(jobs)
    .map(([name, values]) => `${name}=${values.join(' or ')}`)
    .join(' and ');

const on = (level: DomainLevel): string =>
  level === 'node' ? 'on a node' : level === 'site' ? 'at a site' : `in a ${level}`;

/** Why the rules leave no node of those that could hold the job if they were idle, and what would change that. */
export function faultOfRules(fleet: Fleet, vicinity: Vicinity, { usable }: Capacity): string {
  const rows = [...usable.values()].flat();
  for (const judged of vicinity.required) {
    if (!rows.some((row) => vicinity.meets(judged, row))) return faultOf(fleet, judged, rows);
  }
  const { spread } = vicinity.rules;
  if (spread !== undefined && rows.every((row) => domainOf(fleet.snapshot, spread.level, row) < 0)) {
    return `It is spread over ${spread.level}s, and no node that could hold it says in which ${spread.level} it stands. Label nodes \`${spread.level}\`, or set \`spread.required\` to false.`;
  }
  if (spread !== undefined && vicinity.required.length === 0) {
    return `Its ranks cannot be spread over the ${spread.level}s that could hold them with at most ${spread.maxSkew} more in one than in another. Raise \`spread.maxSkew\`, or ask for fewer ranks.`;
  }
  return `No node that could hold it meets all of its placement rules at once. It goes on when jobs that these name start or end.`;
}

function faultOf(fleet: Fleet, { code, rule, counts, isTheirs }: Judged, rows: readonly number[]): string {
  const who = labelsOf(rule.jobs);
  const parts = new Set(rows.map((row) => domainOf(fleet.snapshot, rule.level, row)));
  if (isTheirs) {
    return `Jobs that stand apart from those with ${who} stand in each of the ${countOf(parts.size, rule.level)} that could hold it. It goes on when those in one of them have ended.`;
  }
  if (rule.level !== 'node' && rule.level !== 'site' && [...parts].every((part) => part < 0)) {
    return `No node that could hold it says in which ${rule.level} it stands. Label nodes \`${rule.level}\`, or set \`required\` to false.`;
  }
  if (code === 'anti_affinity') {
    const full = countOf([...parts].filter((part) => part >= 0).length, rule.level);
    return `It stands apart from jobs with ${who}, and one stands in each of the ${full} that could hold it. It goes on when those in one of them have ended.`;
  }
  if (counts.size === 0)
    return `It stands ${on(rule.level)} with a job with ${who}, and none holds a node. It goes on when one starts.`;
  return `It stands ${on(rule.level)} with a job with ${who}, and no node there could hold it. It goes on when one starts elsewhere.`;
}
