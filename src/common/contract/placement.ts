/**
 * `placement:` of the job spec: which nodes a job wants by their labels, and how close together the ranks of a gang stand.
 *
 * Where a node stands are labels too (`pod`, `rack`, `island`), since only its operator knows. Contradictions are refused here: a job that can
 * never be placed should fail at submit and not wait for ever.
 */
import { z } from 'zod';

/** Parts of a site, largest first; an island is what one fast interconnect (NVLink) joins. */
export const topologyLevels = ['site', 'pod', 'rack', 'island'] as const;
export type TopologyLevel = (typeof topologyLevels)[number];
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

const isFiner = (a: TopologyLevel, b: TopologyLevel) => topologyLevels.indexOf(a) > topologyLevels.indexOf(b);

export const placementSchema = z
  .strictObject({
    require: wanted('Labels that a node must have, each with its value or a list of values of which any will do.'),
    avoid: wanted('Labels that a node must not have with one of these values.'),
    prefer: wanted('Labels that a node should have; others are taken when these are full or would waste more.'),
    together: z
      .strictObject({
        required: z.enum(topologyLevels).default('site').describe('All ranks stand in one of these. Default `site`.'),
        preferred: z.enum(topologyLevels).optional().describe('All ranks stand in one of these if they fit now.'),
      })
      .optional()
      .describe('How close together the ranks of a gang stand: `site`, `pod`, `rack` or `island`.'),
  })
  .superRefine(({ require, avoid, prefer, together }, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    for (const [path, labels] of Object.entries({ require, avoid, prefer })) {
      for (const name of topologyLabels.filter((one) => Object.hasOwn(labels, one))) {
        refuse([path, name], 'where a node stands is asked for by `together`');
      }
    }
    // Labels that were refused come here too, as they were given: these are told already.
    const sound = (labels: typeof require) => Object.entries(labels).filter(([, values]) => Array.isArray(values));
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
  });

export type PlacementSpec = z.output<typeof placementSchema>;
