/** docs/user/job-spec.md: every field of the job spec, and which of them this release refuses. */
import { jobSpecSchema } from '../../../src/common/contract/job-spec.ts';
import { unsupportedFeatures } from '../../../src/common/contract/unsupported-features.ts';
import type { GeneratedDoc } from './index.ts';
import { keyRows, markdownTable } from './schema-table.ts';

export const jobSpecDoc: GeneratedDoc = {
  file: 'docs/user/job-spec.md',
  generate: () =>
    `${[
      '# Job spec',
      '',
      'Generated from `src/common/contract/job-spec.ts` by `npm run docs`; do not edit.',
      '',
      'YAML and JSON are read by the same schema; an unknown field is an error. Bytes are numbers or texts like `512MiB`,',
      '`1.5GiB` or `2GB`; durations are seconds or texts like `90s`, `15m` or `2h`. `[]` stands for each entry of a list.',
      'Examples: [`train.yaml`](../../examples/train.yaml), [`array.yaml`](../../examples/array.yaml),',
      '[`retry.yaml`](../../examples/retry.yaml), [`waits.yaml`](../../examples/waits.yaml).',
      '',
      markdownTable(keyRows(jobSpecSchema)),
      '',
      '## Not honoured yet',
      '',
      'A spec that asks for one of these is refused with the code `job_feature_unsupported`, never run without it.',
      '',
      '| field | instead |',
      '|---|---|',
      ...unsupportedFeatures.map(({ at, message }) => `| \`${at.slice(1).replaceAll('/', '.')}\` | ${message} |`),
    ].join('\n')}\n`,
};
