/**
 * `placement:` of the job spec: which nodes a job wants by their labels, how close together or far apart its ranks or tasks stand, and near
 * or apart from which other jobs of its tenant.
 *
 * Where a node stands are labels too (`pod`, `rack`, `island`), since only its operator knows. Contradictions are refused here: a job that can
 * never be placed should fail at submit and not wait for ever.
 */
import { z } from 'zod';

/** Parts of a site, largest first; an island is what one fast interconnect (NVLink) joins. */
export const topologyLevels = ['site', 'pod', 'rack', 'island'] as const;
export type TopologyLevel = (typeof topologyLevels)[number];
/** Parts that other jobs are looked for in, and tasks are spread over; largest first. */
export const domainLevels = [...topologyLevels, 'node'] as const;
export type DomainLevel = (typeof domainLevels)[number];
/** Labels of a node that say where it stands. */
export const topologyLabels = ['pod', 'rack', 'island'] as const satisfies readonly TopologyLevel[];

const label = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}$/, 'expected a label name of 1–63 letters, digits, ".", "_", "/" or "-"');
const value = z.string().max(256);

const wanted = (description: string) =>
  z
    .record(
      label,
      z.union([value, z.array(value).min(1).max(64)]).transform((given) => (Array.isArray(given) ? given : [given])),
    )
    .refine((labels) => Object.keys(labels).length <= 16, 'at most 16 labels')
    .default({})
    .describe(description);

/** Labels of a node that begin so are those of its site; agents cannot set them. */
export const siteLabelPrefix = 'site/';

const neighbour = z.strictObject({
  jobs: z
    .record(
      label,
      z.union([value, z.array(value).min(1).max(64)]).transform((given) => [given].flat()),
    )
    .refine((labels) => Object.keys(labels).length > 0, 'name at least one label')
    .refine((labels) => Object.keys(labels).length <= 16, 'at most 16 labels')
    .describe('Labels of the jobs that are meant, each with its value or a list of values of which any will do.'),
  within: z
    .enum(domainLevels)
    .default('node')
    .describe('What both stand in: `node`, `island`, `rack`, `pod` or `site`. Default `node`.'),
  required: z
    .boolean()
    .default(true)
    .describe('Whether it waits until it can stand so; `false`: only a preference. Default `true`.'),
});

export type NeighbourSpec = z.output<typeof neighbour>;

const neighbours = (description: string) => z.array(neighbour).min(1).max(8).optional().describe(description);

const isFiner = (a: TopologyLevel, b: TopologyLevel) => topologyLevels.indexOf(a) > topologyLevels.indexOf(b);

const isSmaller = (a: DomainLevel, b: DomainLevel) => domainLevels.indexOf(a) > domainLevels.indexOf(b);

/** Whether who stands beside all jobs that the first means stands where the second forbids it. */
function contradicts(near: NeighbourSpec, apart: NeighbourSpec): boolean {
  if (isSmaller(apart.within, near.within)) return false;
  const meant = new Map(sound(near.jobs));
  const kept = sound(apart.jobs);
  return kept.length > 0 && kept.every(([name, values]) => meant.get(name)?.every((one) => values.includes(one)));
}

/** Labels that were refused come to further checks too, as they were given: these are told already. */
const sound = (labels: Readonly<Record<string, readonly string[]>> = {}) =>
  Object.entries(labels).filter(([, values]) => Array.isArray(values));

export const placementSchema = z
  .strictObject({
    require: wanted(
      'Labels that a node must have, each with its value or a list of values of which any will do. `site/…` are those of its site, of which `site/name` and `site/zone` are always there.',
    ),
    avoid: wanted('Labels that a node must not have with one of these values.'),
    prefer: wanted('Labels that a node should have; others are taken when these are full or would waste more.'),
    together: z
      .strictObject({
        required: z.enum(topologyLevels).default('site').describe('All ranks stand in one of these. Default `site`.'),
        preferred: z.enum(topologyLevels).optional().describe('All ranks stand in one of these if they fit now.'),
      })
      .optional()
      .describe('How close together the ranks of a gang stand: `site`, `pod`, `rack` or `island`.'),
    spread: z
      .strictObject({
        over: z.enum(domainLevels).describe('Parts that are filled evenly: `node`, `island`, `rack`, `pod` or `site`.'),
        maxSkew: z
          .int()
          .min(1)
          .max(10_000)
          .default(1)
          .describe('How many more one part may hold than the one with the fewest, 1–10,000. Default 1.'),
        required: z
          .boolean()
          .default(true)
          .describe('Whether it waits until it can stand so; `false`: only a preference. Default `true`.'),
      })
      .optional()
      .describe('How evenly the tasks of an array, or the ranks of a gang, are spread over parts of the fleet.'),
    affinity: neighbours('Jobs of the same tenant beside which it stands, by their labels; at most 8.'),
    antiAffinity: neighbours('Jobs of the same tenant from which it stands apart, by their labels; at most 8.'),
  })
  .superRefine(({ require, avoid, prefer, together, spread, affinity, antiAffinity }, context) => {
    const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    for (const [path, labels] of Object.entries({ require, avoid, prefer })) {
      for (const name of topologyLabels.filter((one) => Object.hasOwn(labels, one))) {
        refuse([path, name], 'where a node stands is asked for by `together`');
      }
    }
    const avoided = new Map(sound(avoid));
    for (const [name, values] of sound(require)) {
      if (values.every((one) => avoided.get(name)?.includes(one))) {
        refuse(['require', name], `contradicts \`avoid.${name}\`, which names every value that is required`);
      }
    }
    const preferred = together?.preferred;
    if (preferred !== undefined && !isFiner(preferred, together!.required)) {
      refuse(['together', 'preferred'], `must be smaller than what is required (${together!.required})`);
    }
    if (spread !== undefined && together !== undefined && !isSmaller(spread.over, together.required)) {
      refuse(['spread', 'over'], `must be smaller than what all ranks stand in (${together.required})`);
    }
    for (const [i, near] of (affinity ?? []).entries()) {
      const apart =
        antiAffinity?.findIndex((other) => near.required && other.required && contradicts(near, other)) ?? -1;
      if (apart >= 0)
        refuse(['affinity', i], `contradicts \`antiAffinity[${apart}]\`, which keeps it from the same jobs`);
    }
  });

export type PlacementSpec = z.output<typeof placementSchema>;

/** What is wrong with a spread in a job of so many nodes, or array of such; undefined when nothing is. */
export function faultOfSpread(spread: PlacementSpec['spread'], nodes: number, isArray: boolean): string | undefined {
  if (spread === undefined) return undefined;
  if (nodes === 1) return isArray ? undefined : 'needs `array`, or `resources.nodes` above 1';
  if (isArray) return 'spreads the tasks of an array or the ranks of a gang; an array of gangs has both';
  return spread.over === 'site'
    ? 'the ranks of a gang stand at one site; spread them over something smaller'
    : undefined;
}
