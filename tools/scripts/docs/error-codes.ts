/** docs/api/errors.md: the table of error codes, in the order of the code. */
import { errorCodes } from '../../../src/common/errors/index.ts';
import type { GeneratedDoc } from './index.ts';

export const errorCodesDoc: GeneratedDoc = {
  file: 'docs/api/errors.md',
  generate: () =>
    `${[
      '# Error codes',
      '',
      'Generated from `src/common/errors/codes.ts` by `npm run docs`; do not edit.',
      '',
      'Every error that leaves Solyx is an RFC 9457 problem (`application/problem+json`) with `code`, `title`, `status`,',
      '`detail` (what is wrong in this case) and `remedy`. Codes never change their meaning.',
      '',
      '| code | status | what is wrong | what would be right |',
      '|---|---|---|---|',
      ...Object.entries(errorCodes).map(
        ([code, { status, title, remedy }]) => `| \`${code}\` | ${status} | ${title} | ${remedy} |`,
      ),
    ].join('\n')}\n`,
};
