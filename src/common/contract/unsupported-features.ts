/**
 * Fields of the job spec that no part of this release honours. They are refused with a code, never ignored: a job that
 * asked for a spot price or a secret and silently ran without it would be worse than one that did not run.
 */
import type { Issue } from '../errors/index.ts';
import type { JobSpec } from './job-spec.ts';

interface Feature {
  readonly at: string;
  readonly asked: (spec: JobSpec) => boolean;
  readonly message: string;
}

export const unsupportedFeatures: readonly Feature[] = [
  {
    at: '/datasets',
    asked: (spec) => spec.datasets.length > 0,
    message: 'datasets are not staged yet; put files into `workingDirectory`',
  },
  {
    at: '/pricing/option',
    asked: (spec) => spec.pricing.option === 'spot' || spec.pricing.option === 'reserved',
    message: 'only own capacity is scheduled yet; use `on-demand` or `any`',
  },
  {
    at: '/pricing/budget',
    asked: (spec) => spec.pricing.budget !== undefined,
    message:
      "a job's own budget is not enforced yet; use `maxPricePerHour` with `timeouts.run`, or a budget of the account",
  },
  { at: '/objective', asked: (spec) => spec.objective !== 'balanced', message: 'only `balanced` is scheduled yet' },
  {
    at: '/isolation',
    asked: (spec) => spec.isolation === 'vm' || spec.isolation === 'node',
    message: 'only `process`, `sandbox` and `container` are offered yet',
  },
];

/** Lists what a spec asks for that this release cannot give; empty when all is honoured. */
export function findUnsupported(spec: JobSpec): Issue[] {
  return unsupportedFeatures.filter((feature) => feature.asked(spec)).map(({ at, message }) => ({ at, message }));
}
