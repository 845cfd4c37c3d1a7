/**
 * The jobs of the soak: small shell programs that number what they say and write down when they began and ended, so that
 * log, usage and "one attempt at a time" can be checked by the jobs' own word.
 *
 * A line is `<number> <word> <detail> <milliseconds since 1970>`.
 */
import type { JobSpecInput } from '../../src/common/contract/job-spec.ts';
import type { Images } from './images.ts';
import type { Random } from './random.ts';

export const jobKinds = [
  'sleep',
  'long',
  'burst',
  'fails',
  'resumes',
  'array',
  'gang',
  'cancelled',
  'measures',
  'boxed',
  'boxed-gang',
  'fresh',
] as const;
/** `boxed` and `boxed-gang` run in containers, `fresh` in one of an image that no node has yet. */
export type JobKind = (typeof jobKinds)[number];

export interface JobPlan {
  readonly kind: JobKind;
  readonly spec: JobSpecInput & { name: string; labels: Record<string, string> };
  /** Jobs that one submit makes. */
  readonly count: number;
  readonly ranks: number;
  /** It runs in a container. */
  readonly boxed: boolean;
  readonly finals: readonly string[];
  /** Attempts that end as `failed`, least and most. */
  readonly failures: readonly [number, number];
  /** Pause between the acknowledged submit and the request to cancel it, ms; null: it is not cancelled. */
  readonly cancelAfterMs: number | null;
}

/** Seconds without contact after which a job ends. */
export const stopAfterSeconds = 5;
/** Pause between two lines of a job, ms; the last sign of life of a killed job is at most so old. */
export const stepMs = 250;

const prelude = [
  'i=0',
  // An image's busybox tells no milliseconds; the kernel's uptime does, in hundredths.
  'if [ -n "$SOAK_BOOT_MS" ]',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's parameter expansion
  'then now() { read -r up rest < /proc/uptime; t=$((SOAK_BOOT_MS + ${up%.*} * 1000 + (1${up#*.} - 100) * 10)); }',
  'else now() { t=$(date +%s%3N); }; fi',
  'say() { now; echo "$i $* $t"; i=$((i+1)); }',
  'steps() { k=0; while [ $k -lt $1 ]; do say step $k; sleep 0.25; k=$((k+1)); done; }',
  'say start "$SOLYX_RANK"',
];
const script = (...lines: string[]): string => [...prelude, ...lines].join('\n');
const ending = (code: number) => `say end ${code}; exit ${code}`;
/** The step of a `resumes` job at which it fails, once. */
const failsAt = 6;

/** Share of all jobs that run in containers where nodes offer them. */
const boxedShare = 0.35;

/**
 * The plan of job `index`, of a kind at random unless one is given.
 * @param images null where no node offers containers: then every job runs in a sandbox
 */
export function planJob(index: number, random: Random, given: JobKind | undefined, images: Images | null): JobPlan {
  const kind = given ?? random.pick(lots);
  const plan = planSandboxed(index, random, kind);
  const boxed = images !== null && (random.next() < boxedShare || boxedKinds.has(kind));
  if (!boxed) return plan;
  const image = kind === 'fresh' ? images.fresh(index) : images.shared;
  return { ...plan, boxed, spec: { ...plan.spec, image, env: { SOAK_BOOT_MS: String(images.bootMs) } } };
}

const boxedKinds: ReadonlySet<JobKind> = new Set(['boxed', 'boxed-gang', 'fresh']);

function planSandboxed(index: number, random: Random, kind: JobKind): JobPlan {
  const base = {
    name: `soak-${kind}`,
    resources: { cpu: 0.2, memory: '64MiB', disk: '64MiB', sharedMemory: '16MiB' },
    onDisconnect: { stopAfter: stopAfterSeconds },
    timeouts: { stopGrace: 1 },
    labels: { soak: String(index), kind },
  };
  const retries = { 'node-lost': 100, 'start-failed': 100 };
  const plain = {
    kind,
    count: 1,
    ranks: 1,
    boxed: false,
    finals: ['succeeded'],
    failures: [0, 0],
    cancelAfterMs: null,
  } as const;
  switch (kind) {
    case 'sleep':
    case 'long':
    case 'fresh':
    case 'boxed': {
      const steps = kind === 'sleep' || kind === 'fresh' ? random.whole(1, 8) : 24;
      return { ...plain, spec: { ...base, retries, command: script(`steps ${steps}`, ending(0)) } };
    }
    case 'burst': {
      const lines = random.whole(500, 5_000);
      const say = `k=0; while [ $k -lt ${lines} ]; do echo "$i burst $k 0"; i=$((i+1)); k=$((k+1)); done`;
      return { ...plain, spec: { ...base, retries, command: script(say, 'steps 2', say, ending(0)) } };
    }
    case 'fails': {
      const failed = random.whole(0, 2);
      const command = script(`steps ${random.whole(0, 3)}`, ending(3));
      const failures = [failed + 1, failed + 1] as const;
      return { ...plain, finals: ['failed'], failures, spec: { ...base, retries: { ...retries, failed }, command } };
    }
    case 'resumes': {
      const command = script(
        'c=0; [ -f "$SOLYX_PREVIOUS_CHECKPOINT_DIR/count" ] && c=$(cat "$SOLYX_PREVIOUS_CHECKPOINT_DIR/count")',
        'say resume $c',
        'while [ $c -lt 12 ]; do',
        '  c=$((c+1)); echo $c > "$SOLYX_CHECKPOINT_DIR/count.tmp"',
        '  mv "$SOLYX_CHECKPOINT_DIR/count.tmp" "$SOLYX_CHECKPOINT_DIR/count"; say saved $c; sleep 0.25',
        `  if [ $c = ${failsAt} ]; then ${ending(7)}; fi`,
        'done',
        ending(0),
      );
      const spec = { ...base, retries: { ...retries, failed: 1 }, command, checkpointPath: '/checkpoints' };
      return { ...plain, failures: [0, 1], spec };
    }
    case 'array': {
      const count = random.whole(2, 4);
      const command = script('say index "$SOLYX_ARRAY_INDEX"', `steps ${random.whole(1, 4)}`, ending(0));
      return { ...plain, count, spec: { ...base, retries, command, array: { count } } };
    }
    case 'measures': {
      const measure = `echo '{"step":'$k',"loss":0.'$k'}' >> "$SOLYX_METRICS"`;
      const command = script(
        `k=0; while [ $k -lt 8 ]; do say step $k; ${measure}; sleep 0.25; k=$((k+1)); done`,
        ending(0),
      );
      return { ...plain, spec: { ...base, retries, command } };
    }
    case 'boxed-gang':
    case 'gang': {
      const spec = { ...base, retries, command: script(`steps ${random.whole(2, 6)}`, ending(0)) };
      return { ...plain, ranks: 2, spec: { ...spec, resources: { ...base.resources, nodes: 2 } } };
    }
    case 'cancelled': {
      // Succeeds when the request to cancel cannot get through in time; one that was acknowledged must hold.
      const spec = { ...base, retries, command: script('steps 120', ending(0)) };
      return { ...plain, finals: ['cancelled', 'succeeded'], cancelAfterMs: random.whole(0, 4_000), spec };
    }
  }
}

const lots: readonly JobKind[] = [
  'sleep',
  'sleep',
  'long',
  'burst',
  'fails',
  'resumes',
  'resumes',
  'array',
  'gang',
  'cancelled',
  'measures',
  'fresh',
];
