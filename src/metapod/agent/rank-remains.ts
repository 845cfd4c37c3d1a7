/**
 * What one rank leaves behind: checkpoints while it runs, the last one and its artefacts when it has ended.
 *
 * Both must be with the control plane before the end is reported, however long that is away, because the orchestrator
 * may start a successor the moment it reads the end. What the control plane refuses for good is noted instead, so that
 * an end is never held up by something that can never be kept.
 */
import { join, posix } from 'node:path';
import { SolyxError } from '../../common/errors/index.ts';
import type { Logger } from '../../common/logger.ts';
import { folders, type RankStart } from './attempt-folder.ts';
import { CheckpointCollector, storeArtifacts } from './checkpoints.ts';
import { type ControlPlane, ControlPlaneAway } from './control-plane.ts';
import type { Progress } from './progress.ts';
import { FILES } from './supervisor/index.ts';

const collectEveryMs = 3_000;
/** Answered failures to keep a checkpoint or artefacts before the end is reported without. */
const mostTries = 5;
const finalRefusals = ['stale_token', 'job_final', 'not_found', 'manifest_invalid'];

export interface RemainsDependencies {
  readonly progress: Progress;
  readonly controlPlane: ControlPlane;
  readonly logger: Logger;
}

export class RankRemains {
  readonly #dir: string;
  readonly #start: RankStart;
  readonly #deps: RemainsDependencies;
  readonly #collector: CheckpointCollector | undefined;
  #background: Promise<void> | undefined;
  #collectAtMs = 0;
  #tries = 0;

  constructor(dir: string, start: RankStart, deps: RemainsDependencies) {
    this.#dir = dir;
    this.#start = start;
    this.#deps = deps;
    // A job has one newest checkpoint, so of a gang rank 0 keeps it, as its frameworks do; all ranks are given it back.
    if (start.rank === 0 && start.payload !== null && start.payload.checkpointPath !== null) {
      this.#collector = new CheckpointCollector(join(dir, folders.checkpoint), this.#target('checkpoint'));
    }
  }

  /** Commits a new checkpoint if there is one, in the background and no oftener than every few seconds. */
  collectNowAndThen(): void {
    if (this.#collector === undefined || this.#background !== undefined || performance.now() < this.#collectAtMs)
      return;
    const { logger } = this.#deps;
    this.#background = this.#collector
      .collect(false)
      .then(
        (committed) => committed && logger.debug('a checkpoint was committed'),
        (error) => {
          if (!(error instanceof ControlPlaneAway)) logger.warn({ err: error }, 'a checkpoint was not collected');
        },
      )
      .then(() => {
        this.#background = undefined;
        this.#collectAtMs = performance.now() + collectEveryMs;
      });
  }

  /** Resolves when nothing is being collected. */
  async settled(): Promise<void> {
    await this.#background;
  }

  /**
   * Keeps the last checkpoint and the artefacts; done once, noted in the progress.
   * @param ran whether the job ever started; one that did not left nothing
   * @throws ControlPlaneAway, or what failed and is worth another try
   */
  async keep(ran: boolean): Promise<void> {
    const { progress } = this.#deps;
    if (!progress.value.checkpointDone) {
      if (ran) await this.#try('checkpoint', async () => void (await this.#collector?.collect(true)));
      progress.save({ checkpointDone: true });
    }
    if (!progress.value.artifactsDone) {
      if (ran) await this.#try('artifacts', () => this.#keepArtifacts());
      progress.save({ artifactsDone: true });
    }
  }

  /** Failures that are answers are noted after some tries, absence is waited out by throwing. */
  async #try(what: 'checkpoint' | 'artifacts', keep: () => Promise<void>): Promise<void> {
    try {
      await keep();
      this.#tries = 0;
    } catch (error) {
      if (error instanceof ControlPlaneAway) throw error;
      const isFinal = error instanceof SolyxError && finalRefusals.includes(error.code);
      this.#tries += 1;
      if (!isFinal && this.#tries < mostTries) throw error;
      this.#tries = 0;
      this.#note(`its ${what} could not be kept: ${(error as Error).message}`);
    }
  }

  async #keepArtifacts(): Promise<void> {
    const wanted = (this.#start.payload?.artifacts ?? []).map((path) => posix.normalize(path).replace(/\/+$/, ''));
    const roots = [
      { root: join(this.#dir, FILES.artifacts), only: null },
      ...(wanted.length > 0 ? [{ root: join(this.#dir, FILES.work), only: wanted.includes('.') ? null : wanted }] : []),
    ];
    const target = this.#target('artifacts');
    const { hash, skipped } = await storeArtifacts(roots, target);
    if (hash !== undefined) await target.commit(hash);
    if (skipped > 0) this.#note(`${skipped} artefacts could not be read`);
  }

  #note(text: string): void {
    const { progress } = this.#deps;
    progress.save({ notes: [...progress.value.notes, text] });
  }

  #target(kind: 'checkpoint' | 'artifacts') {
    const { controlPlane } = this.#deps;
    const { attemptId, rank, token } = this.#start;
    return {
      has: (hash: string) => controlPlane.has(attemptId, hash),
      put: (content: Uint8Array, hash: string) => controlPlane.put({ attemptId, token }, content, hash),
      commit: (hash: string) => controlPlane.commit(kind, { attemptId, rank, token }, hash),
    };
  }
}
