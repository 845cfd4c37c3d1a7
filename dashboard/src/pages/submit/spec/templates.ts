/**
 * Jobs to begin with: each runs as it is on a machine that has what it asks for.
 *
 * The training job brings its own files (`example-files.ts`): they are loaded when it is chosen, packed in the browser and
 * uploaded like any folder.
 */
export interface Template {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly yaml: string;
  /** Its working directory is the folder of that name in `examples`. */
  readonly folder?: 'train';
}

export const templates: readonly Template[] = [
  {
    id: 'hello',
    title: 'Hello',
    about: 'One command in the sandbox.',
    yaml: `name: hello
command: echo "hello from $(uname -n)"
`,
  },
  {
    id: 'training',
    title: 'Training',
    about: 'A small language model on the CPU; the loss falls within half a minute.',
    yaml: `# Trains a small character-level language model from scratch on the CPU.
# The loss falls, checkpoints are written, and an attempt that is lost goes on from the newest one.
name: train-small-model
command: [node, train.mjs]
args: ["--seed", "1"]
resources:
  cpu: 1
  memory: 512MiB
  disk: 256MiB
checkpointPath: /checkpoints
timeouts:
  run: 15m
retries:
  failed: 1
  node-lost: 5
labels:
  example: train
`,
    folder: 'train',
  },
  {
    id: 'array',
    title: 'Array',
    about: 'The same command four times, each with its own index.',
    yaml: `name: four-tasks
command: echo "task $SOLYX_ARRAY_INDEX of 4"
array:
  count: 4
resources:
  cpu: 0.5
  memory: 64MiB
`,
  },
  {
    id: 'gang',
    title: 'Gang',
    about: 'Several nodes that start together or not at all.',
    yaml: `# All ranks start together; each finds its number and the addresses of the others in its environment.
name: two-ranks
command: echo "rank $SOLYX_RANK"
network: host
resources:
  nodes: 2
  cpu: 1
  memory: 256MiB
`,
  },
  {
    id: 'container',
    title: 'Container',
    about: 'An image of your own instead of the host’s programs.',
    yaml: `name: in-a-container
image: docker.io/library/python:3.13-slim
command: [python, -c, "print('hello from the image')"]
isolation: container
resources:
  cpu: 1
  memory: 512MiB
`,
  },
];
