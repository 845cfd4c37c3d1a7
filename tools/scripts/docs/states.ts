/** docs/architecture/states.md: what states the nouns have and how they go over into each other, as diagrams. */
import { allocationStates } from '../../../src/common/contract/states/allocation.ts';
import { attemptOutcomes, attemptTransitions } from '../../../src/common/contract/states/attempt.ts';
import { jobTransitions, pendingReasons, stopReasons } from '../../../src/common/contract/states/job.ts';
import { nodeHealths, nodePresences, nodeSchedulings } from '../../../src/common/contract/states/node.ts';
import type { GeneratedDoc } from './index.ts';

type Transitions = Readonly<Record<string, readonly string[]>>;

function diagram(transitions: Transitions, first: string): string[] {
  const arrows = Object.entries(transitions).flatMap(([from, targets]) =>
    targets.length === 0 ? [`  ${from} --> [*]`] : targets.map((to) => `  ${from} --> ${to}`),
  );
  return ['```mermaid', 'stateDiagram-v2', `  [*] --> ${first}`, ...arrows, '```', ''];
}

const list = (values: readonly string[]): string => values.map((value) => `\`${value}\``).join(', ');

export const statesDoc: GeneratedDoc = {
  file: 'docs/architecture/states.md',
  generate: () =>
    [
      '# States',
      '',
      'Generated from `src/common/contract/states` by `npm run docs`; do not edit.',
      '',
      '## Job',
      '',
      ...diagram(jobTransitions, 'queued'),
      `A job that is being stopped says why: ${list(stopReasons)}.`,
      '',
      `A queued job says what it waits for: ${list(pendingReasons)}.`,
      '',
      '## Attempt',
      '',
      ...diagram(attemptTransitions, 'placed'),
      `An attempt ends with one outcome: ${list(attemptOutcomes)}.`,
      '',
      '## Allocation',
      '',
      `${list(allocationStates)}, in this order.`,
      '',
      '## Node',
      '',
      'Three fields that do not depend on each other:',
      '',
      `- presence: ${list(nodePresences)}`,
      `- scheduling: ${list(nodeSchedulings)}`,
      `- health: ${list(nodeHealths)}`,
      '',
    ].join('\n'),
};
