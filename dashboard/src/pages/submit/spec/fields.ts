/**
 * The fields of the form: where each stands in the spec, and how its text becomes a value.
 *
 * A text that is no number stays a text: the server judges it and says at which field it is wrong, in the same words as
 * to everybody else. So the form has no second set of rules that could differ from the first.
 */
import { type Path, type Spec, valueAt } from './draft.ts';

export type FieldKind = 'text' | 'long' | 'number' | 'quantity' | 'choice';

export interface Field {
  readonly id: string;
  readonly path: Path;
  readonly label: string;
  readonly kind: FieldKind;
  readonly help?: string;
  /** Shown in the empty field: what holds without it. */
  readonly placeholder?: string;
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
}

const field = (id: string, path: string, label: string, kind: FieldKind, more: Partial<Field> = {}): Field => ({
  id,
  path: path.split('.'),
  label,
  kind,
  ...more,
});

export const fields = {
  name: field('name', 'name', 'Name', 'text', { help: 'Letters, digits, “.”, “_” and “-”.' }),
  image: field('image', 'image', 'Image', 'text', {
    placeholder: 'none: the programs of the node',
    help: 'Like docker.io/library/python:3.13-slim; it then runs in a container.',
  }),
  registrySecret: field('registrySecret', 'imageCredentials.secret', 'Secret of the registry', 'text', {
    placeholder: 'a public image',
    help: 'Name of a secret that holds username:password.',
  }),
  isolation: field('isolation', 'isolation', 'Isolation', 'choice', {
    help: 'The least that the job needs.',
    choices: [
      { value: '', label: 'sandbox (default)' },
      { value: 'process', label: 'process' },
      { value: 'sandbox', label: 'sandbox' },
      { value: 'container', label: 'container' },
    ],
  }),
  network: field('network', 'network', 'Network', 'choice', {
    help: 'A host network needs the operator’s leave.',
    choices: [
      { value: '', label: 'none (default)' },
      { value: 'none', label: 'none' },
      { value: 'host', label: 'host' },
    ],
  }),
  cpu: field('cpu', 'resources.cpu', 'CPU cores', 'number', { placeholder: '1' }),
  memory: field('memory', 'resources.memory', 'Memory', 'quantity', { placeholder: '512MiB' }),
  disk: field('disk', 'resources.disk', 'Scratch disk', 'quantity', { placeholder: '1GiB' }),
  sharedMemory: field('sharedMemory', 'resources.sharedMemory', 'Shared memory', 'quantity', { placeholder: '64MiB' }),
  nodes: field('nodes', 'resources.nodes', 'Nodes of a gang', 'number', { placeholder: '1' }),
  arrayCount: field('arrayCount', 'array.count', 'Array tasks', 'number', {
    placeholder: 'no array',
  }),
  project: field('project', 'project', 'Project', 'choice'),
  priority: field('priority', 'priority', 'Priority', 'number', { placeholder: '0' }),
  runTimeout: field('runTimeout', 'timeouts.run', 'Longest run', 'quantity', { placeholder: 'no limit' }),
  queueTimeout: field('queueTimeout', 'timeouts.queue', 'Longest wait', 'quantity', { placeholder: 'no limit' }),
  stopGrace: field('stopGrace', 'timeouts.stopGrace', 'Grace to stop', 'quantity', { placeholder: '10s' }),
  retryFailed: field('retryFailed', 'retries.failed', 'After a failure', 'number', { placeholder: '0' }),
  retryMemory: field('retryMemory', 'retries.out-of-memory', 'Out of memory', 'number', { placeholder: '0' }),
  retryTimeout: field('retryTimeout', 'retries.timed-out', 'Timed out', 'number', { placeholder: '0' }),
  retryStart: field('retryStart', 'retries.start-failed', 'Start failed', 'number', { placeholder: '3' }),
  retryNode: field('retryNode', 'retries.node-lost', 'Node lost', 'number', { placeholder: '5' }),
  checkpointPath: field('checkpointPath', 'checkpointPath', 'Checkpoint folder', 'text', {
    placeholder: 'none, or /checkpoints',
  }),
  maxPrice: field('maxPrice', 'pricing.maxPricePerHour', 'Most dollars an hour', 'quantity', {
    placeholder: 'no limit',
  }),
} as const satisfies Record<string, Field>;

export type FieldId = keyof typeof fields;

/** Parts of the form that are more than one input; each takes the errors below its path. */
export const groups = {
  command: ['command'],
  args: ['args'],
  env: ['env'],
  labels: ['labels'],
  devices: ['resources', 'devices'],
  secrets: ['secrets'],
  workingDirectory: ['workingDirectory'],
} as const satisfies Record<string, Path>;

export type GroupId = keyof typeof groups;

/** What an input shows of a value. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** What an input's text means in the spec; undefined: the field is left out. */
export function readValue(kind: FieldKind, text: string): unknown {
  if (text === '') return undefined;
  if (kind === 'text' || kind === 'long' || kind === 'choice') return text;
  const trimmed = text.trim();
  // Only what is written back the same: 1e400, 0x10 or 007 stay texts.
  return /^-?\d/.test(trimmed) && String(Number(trimmed)) === trimmed ? Number(trimmed) : text;
}

/** An issue of the server at the place of the form where it is mended. */
export interface PlacedIssues {
  /** Messages by id of a field or group. */
  readonly at: Readonly<Partial<Record<FieldId | GroupId, string>>>;
  /** Issues that no field of the form stands for. */
  readonly elsewhere: readonly { readonly at: string; readonly message: string }[];
}

/** Finds the field of each issue by its JSON pointer; the longest path that leads to it wins. */
export function placeIssues(issues: readonly { readonly at: string; readonly message: string }[]): PlacedIssues {
  const at: Partial<Record<FieldId | GroupId, string>> = {};
  const elsewhere: { at: string; message: string }[] = [];
  for (const issue of issues) {
    const pointer = parsePointer(issue.at);
    const id = placeOf(pointer);
    if (id === undefined) {
      elsewhere.push(issue);
      continue;
    }
    const path: Path = id in groups ? groups[id as GroupId] : fields[id as FieldId].path;
    const below = pointer.slice(path.length).join('.');
    const message = below === '' ? issue.message : `${below}: ${issue.message}`;
    at[id] = at[id] === undefined ? message : `${at[id]}; ${message}`;
  }
  return { at, elsewhere };
}

function placeOf(pointer: readonly string[]): FieldId | GroupId | undefined {
  let best: FieldId | GroupId | undefined;
  let length = 0;
  const places: [FieldId | GroupId, Path][] = [
    ...(Object.entries(groups) as [GroupId, Path][]),
    ...(Object.entries(fields) as [FieldId, Field][]).map(([id, { path }]): [FieldId, Path] => [id, path]),
  ];
  for (const [id, path] of places) {
    if (path.length > length && path.every((key, index) => pointer[index] === key)) {
      best = id;
      length = path.length;
    }
  }
  return best;
}

/** Parts of a JSON pointer (RFC 6901). */
export function parsePointer(pointer: string): string[] {
  if (pointer === '' || pointer === '/') return [];
  return pointer
    .replace(/^\//, '')
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Pairs of a map as the form lists them; undefined when the value is no map of texts. */
export function pairsOf(spec: Spec, path: Path): readonly (readonly [string, string])[] | undefined {
  const value = valueAt(spec, path);
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object' || Array.isArray(value)) return undefined;
  return Object.entries(value).map(([key, item]) => [key, textOf(item)] as const);
}

/** The map that pairs make: pairs without a name are not written, of equal names the last one counts. */
export function mapOf(pairs: readonly (readonly [string, string])[]): Record<string, string> | undefined {
  const named = pairs.filter(([key]) => key !== '');
  return named.length === 0 ? undefined : Object.fromEntries(named);
}
