/**
 * What one rank reports: each state once, through the journal.
 *
 * The journal is the truth; the progress file says afterwards that it was done, and is corrected from the journal when
 * an agent was killed between the two.
 */
import type { RankReport } from '../../common/contract/agent/protocol.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { RankStart } from './attempt-folder.ts';
import type { ReportJournal } from './journal.ts';
import type { Progress } from './progress.ts';

const order = { none: 0, starting: 1, running: 2, ended: 3 } as const;

export interface RankReportsDependencies {
  readonly progress: Progress;
  readonly journal: ReportJournal;
  /** A report is in the journal and may be sent. */
  readonly onReport: () => void;
}

export class RankReports {
  readonly #id: Pick<RankStart, 'attemptId' | 'rank' | 'token'>;
  readonly #deps: RankReportsDependencies;

  constructor({ attemptId, rank, token }: RankStart, deps: RankReportsDependencies) {
    this.#id = { attemptId, rank, token };
    this.#deps = deps;
    const last = this.#unacknowledged().at(-1)?.report.state;
    if (last !== undefined) deps.progress.learn(last);
  }

  /** The control plane has not acknowledged everything. */
  get isPending(): boolean {
    return this.#unacknowledged().length > 0;
  }

  /** Reports a state once. @param at ISO 8601; null: now */
  report(state: 'starting' | 'running', at: string | null): void {
    if (order[this.#deps.progress.value.reported] >= order[state]) return;
    this.write({ state, at: at ?? new Date().toISOString() });
  }

  /**
   * Writes a report whatever was reported before, and sends it before anything else is done. That a rank starts can wait for the
   * next look: often it runs by then, and one frame says both.
   * @throws Error when the disk is full
   */
  write(report: Omit<RankReport, 'attemptId' | 'rank' | 'token'>): void {
    this.#deps.journal.append({ ...this.#id, ...report });
    failpoint('agent.after-journal');
    if (report.state !== 'starting') this.#deps.onReport();
    this.#deps.progress.save({ reported: report.state });
  }

  #unacknowledged() {
    return this.#deps.journal.entries.filter(
      ({ report }) => report.attemptId === this.#id.attemptId && report.rank === this.#id.rank,
    );
  }
}
