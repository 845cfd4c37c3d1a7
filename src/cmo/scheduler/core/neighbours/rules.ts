/**
 * What a job asks of where other jobs of its tenant stand, compiled from `placement` of its spec.
 *
 * What these rules allow changes with every start and end, unlike all else that a shape says. So they stand beside the shape: its boards
 * (`scoreboard.ts`) are those of the same shape without rules, and jobs that have none pay nothing for those that do.
 */
import type { DomainLevel, NeighbourSpec, PlacementSpec } from '../../../../common/contract/placement.ts';
import type { Shape } from '../snapshot.ts';

/** Labels, each with the values of which any will do; all of them must be met. */
export type WantedLabels = Readonly<Record<string, readonly string[]>>;

export interface NeighbourRule {
  /** Labels of the jobs that are meant. */
  readonly jobs: WantedLabels;
  /** What both stand in, or do not. */
  readonly level: DomainLevel;
  readonly required: boolean;
  /** Whether the job has these labels itself: the first of them has nobody to stand beside. */
  readonly self: boolean;
}

export interface SpreadRule {
  readonly level: DomainLevel;
  /** How many more one part may hold than the one that holds fewest, ≥ 1. */
  readonly maxSkew: number;
  readonly required: boolean;
}

export interface NeighbourRules {
  /** The same shape without rules. */
  readonly base: Shape;
  readonly near: readonly NeighbourRule[];
  readonly apart: readonly NeighbourRule[];
  readonly spread: SpreadRule | undefined;
}

type Labels = Readonly<Record<string, string>>;

/** What a job that stands somewhere keeps from its part: its required `antiAffinity`, seen from the other side. */
export type KeptApart = Pick<NeighbourRule, 'jobs' | 'level'>;

/** What a job will keep from its part; undefined when nothing, as of nearly all. */
export function keptApart({ neighbours }: Pick<Shape, 'neighbours'>): readonly KeptApart[] | undefined {
  const required = neighbours?.apart.filter((rule) => rule.required) ?? [];
  return required.length === 0 ? undefined : required.map(({ jobs, level }) => ({ jobs, level }));
}

/** The same from the `antiAffinity` of a spec, as rows have it. */
export function keptApartOf(specs: readonly NeighbourSpec[] | null): readonly KeptApart[] | undefined {
  const required = specs?.filter((spec) => spec.required) ?? [];
  return required.length === 0
    ? undefined
    : required.map(({ jobs, within }) => ({ jobs: sorted(jobs), level: within }));
}

/** Equal texts, equal rules. */
export const keyOf = ({ jobs, level }: KeptApart): string => JSON.stringify([level, jobs]);

/** Whether a job with these labels is meant. */
export function isMeant(wanted: WantedLabels, labels: Labels | undefined): boolean {
  if (labels === undefined) return false;
  for (const name in wanted) {
    if (!Object.hasOwn(labels, name) || !wanted[name]!.includes(labels[name]!)) return false;
  }
  return true;
}

/** Adds to a shape what its placement says of other jobs; the shape itself when it says nothing. @param labels of the job */
export function withNeighbourRules(base: Shape, placement: PlacementSpec | undefined, labels: Labels): Shape {
  const { affinity = [], antiAffinity = [], spread } = placement ?? {};
  if (affinity.length === 0 && antiAffinity.length === 0 && spread === undefined) return base;
  const ruleOf = ({ jobs, within, required }: NeighbourSpec): NeighbourRule => ({
    jobs: sorted(jobs),
    level: within,
    required,
    self: isMeant(jobs, labels),
  });
  const rules = {
    near: affinity.map(ruleOf),
    apart: antiAffinity.map(ruleOf),
    spread: spread && { level: spread.over, maxSkew: spread.maxSkew, required: spread.required },
  };
  const key = `${base.key} ${JSON.stringify([rules.near, rules.apart, rules.spread ?? null])}`;
  return { ...base, key, neighbours: { base, ...rules } };
}

const sorted = (labels: WantedLabels): WantedLabels =>
  Object.fromEntries(
    Object.keys(labels)
      .sort()
      .map((name) => [name, [...labels[name]!].sort()]),
  );

/** No rules, for a job that only others have rules about. */
export const withoutRules = (base: Shape): NeighbourRules => ({ base, near: [], apart: [], spread: undefined });

/** The shape whose boards serve a shape: itself when it has no rules. */
export const baseOf = (shape: Shape): Shape => shape.neighbours?.base ?? shape;
