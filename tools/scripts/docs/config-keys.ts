/** docs/deployment/configuration.md: every configuration key with its environment variable and default. */
import { configKeys } from '../../../src/common/config/index.ts';
import type { GeneratedDoc } from './index.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');
const shown = (value: unknown): string => (value === undefined ? '' : `\`${cell(JSON.stringify(value))}\``);

export const configKeysDoc: GeneratedDoc = {
  file: 'docs/deployment/configuration.md',
  generate: () =>
    `${[
      '# Configuration',
      '',
      'Generated from `src/common/config/schema.ts` by `npm run docs`; do not edit.',
      '',
      'Nothing needs to be configured. What is, comes from a YAML file and from environment variables, which win. An',
      'unknown key is an error that names the nearest one.',
      '',
      '- `tools/setup/configure.sh` writes a commented `solyx.yaml` to start from;',
      '- `npx solyx config print` shows what is in force, `npx solyx config check` what is wrong.',
      '',
      '| key | environment | type | default | meaning |',
      '|---|---|---|---|---|',
      ...configKeys().map(
        (key) =>
          `| \`${key.path}\` | \`${key.env}\` | ${cell(key.type)} | ${shown(key.default)} | ${cell(key.description)} |`,
      ),
    ].join('\n')}\n`,
};
